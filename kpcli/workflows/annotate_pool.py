"""Units of work in several processes, each of which may hang or die without harm to the rest."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
import traceback
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from kpcli.errors import KpcliError, ModelError
from kpcli.runtimes import limit_threads
from kpcli.workflows.annotate_engine import give_up, make_annotator, overtime
from kpcli.workflows.annotate_faces import FacePredictor
from kpcli.workflows.annotate_unit import Job, Unit, UnitResult, run_unit

DEATHS = 2
"""A file in whose hands so many workers died is given up."""
_BEAT = 0.2
"""Seconds between two signs of life of one file."""


def run_pool(
    units: Sequence[Unit], job: Job, predictor: FacePredictor | None, workers: int
) -> Iterator[UnitResult]:
    """The results of all units, as they get done; a worker that hangs or dies is replaced.

    Raises
    ------
    KpcliError
        What a worker raised, if it is not about one file.
    ModelError
        If workers die before they have read a file.
    """
    pool = _Pool(units, job, predictor)
    try:
        for _ in range(workers):
            pool.start()
        while pool.busy():
            yield from pool.step()
    finally:
        pool.stop()


class _Worker:
    """One process as its parent sees it."""

    def __init__(self, job: Job, predictor: FacePredictor | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_work, args=(theirs, job, predictor), daemon=True
        )
        with _no_interrupts():
            self.process.start()
        theirs.close()
        self.ready = False
        self.unit: Unit | None = None
        self.file = ""
        self.heard = time.monotonic()


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Processes that are started here never see Ctrl-C: it is the parent's affair."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pool:
    def __init__(self, units: Sequence[Unit], job: Job, predictor: FacePredictor | None) -> None:
        self._queue = deque(units)
        self._job = job
        self._predictor = predictor
        self._workers: list[_Worker] = []
        self._deaths: Counter[str] = Counter()

    def start(self) -> None:
        self._workers.append(_Worker(self._job, self._predictor))

    def busy(self) -> bool:
        return bool(self._queue) or any(w.unit for w in self._workers)

    def step(self) -> Iterator[UnitResult]:
        """Hand out work, wait for news or for a deadline, and deal with it."""
        for worker in self._workers:
            if worker.ready and worker.unit is None and self._queue:
                self._hand_out(worker)
        by_connection = {w.connection: w for w in self._workers}
        for connection in wait(list(by_connection), timeout=1.0):
            worker = by_connection[connection]  # type: ignore[index]  # only ours are waited for
            try:
                message = worker.connection.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                self._died(worker)
                continue
            yield from self._heard(worker, message)
        self._check_time()

    def _hand_out(self, worker: _Worker) -> None:
        worker.unit, worker.file = self._queue.popleft(), ""
        worker.heard = time.monotonic()
        try:
            worker.connection.send(worker.unit)
        except OSError:
            self._died(worker)

    def _heard(self, worker: _Worker, message: object) -> Iterator[UnitResult]:
        worker.heard = time.monotonic()
        if isinstance(message, UnitResult):
            worker.unit, worker.file = None, ""
            yield message
        elif isinstance(message, str):
            worker.file = message
        elif isinstance(message, KpcliError):
            raise message
        elif isinstance(message, _Trace):
            raise RuntimeError(f"a worker failed:\n{message.text}")
        else:
            worker.ready = True

    def _died(self, worker: _Worker) -> None:
        worker.process.join(5)
        code = worker.process.exitcode
        self._remove(worker)
        self._deaths[worker.file] += 1
        again = self._deaths[worker.file] < DEATHS
        if not worker.file and not again:
            raise ModelError(
                "worker processes die before they have read a file",
                actual=f"exit code {code}",
                next_step="try --workers 1",
            )
        if worker.unit is not None:
            reason = f"the process that read it died (exit code {code}), {DEATHS} times"
            self._queue.appendleft(
                worker.unit if again else give_up(worker.unit, worker.file, reason)
            )
        self.start()

    def _check_time(self) -> None:
        limit = self._job.options.timeout
        for worker in list(self._workers):
            if worker.unit and worker.file and 0 < limit < time.monotonic() - worker.heard:
                unit = give_up(worker.unit, worker.file, overtime(limit))
                self._remove(worker)
                self._queue.appendleft(unit)
                self.start()

    def _remove(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.process.kill()
        worker.process.join()
        worker.connection.close()

    def stop(self) -> None:
        for worker in list(self._workers):
            self._remove(worker)


class _Trace:
    """A worker's bug, to be raised in the parent."""

    def __init__(self, text: str) -> None:
        self.text = text


def _work(connection: Connection, job: Job, predictor: FacePredictor | None) -> None:
    """A worker's life: units in, results out, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one worker a core: threads would only queue
    import cv2

    cv2.setNumThreads(1)
    limit_threads(1)
    try:
        annotator = make_annotator(job.options, predictor)
        connection.send(True)
        beat = _Beat(connection)
        while True:
            unit = connection.recv()
            connection.send(run_unit(unit, job, annotator, beat))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except KpcliError as e:
        connection.send(e)
    except Exception:
        connection.send(_Trace(traceback.format_exc()))


class _Beat:
    """Sends signs of life, not too many; ends the process when the parent is gone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = ("", 0.0)

    def __call__(self, file: str) -> None:
        now = time.monotonic()
        if file != self._last[0] or now - self._last[1] > _BEAT:
            self._last = (file, now)
            try:
                self._connection.send(file)
            except OSError:
                os._exit(1)
