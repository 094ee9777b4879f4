"""Chunks of work in several workers, each of which may hang or die without harm to the rest.

`Pool` hands out the chunks and deals with what becomes of them; `run_pool` has its workers in
processes of this machine. What a worker sends is a `ChunkResult`, the name of the file it has in
hand (a heartbeat), True once it is ready, or why it cannot go on.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.spawn
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from kpcli.batch.chunks import Chunk, ChunkResult, Job, run_chunk
from kpcli.batch.engines.pool import (
    STEP,
    Ended,
    Heartbeat,
    Message,
    Pool,
    Trace,
    Worker,
    one_thread,
)
from kpcli.errors import KpcliError
from kpcli.inference.upright import FacePredictor


def run_pool(
    chunks: Sequence[Chunk], job: Job, predictor: FacePredictor | None, workers: int
) -> Iterator[ChunkResult]:
    """The results of all chunks, from processes of this machine; see `Pool.run`."""
    return _Processes(chunks, job, predictor).run(workers)


class _Process(Worker):
    """One process as its parent sees it."""

    def __init__(self, job: Job, predictor: FacePredictor | None) -> None:
        super().__init__()
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_work, args=(theirs, job, predictor), daemon=True
        )
        with _no_interrupts(), _main_not_imported():
            self.process.start()
        theirs.close()


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


@contextmanager
def _main_not_imported() -> Iterator[None]:
    """Processes that are started here do not run the caller's script again.

    Spawn imports the main module in every child, so that functions of it may be sent there. We
    send none; and a plain script, which has no ``if __name__ == "__main__"``, would annotate
    again in each child. joblib leaves these keys out likewise.
    """
    usual = multiprocessing.spawn.get_preparation_data

    def without_main(name: str) -> dict[str, Any]:
        return {k: v for k, v in usual(name).items() if not k.startswith("init_main")}

    multiprocessing.spawn.get_preparation_data = without_main
    try:
        yield
    finally:
        multiprocessing.spawn.get_preparation_data = usual


class _Processes(Pool[_Process]):
    advice = "try --workers 1"

    def __init__(self, chunks: Sequence[Chunk], job: Job, predictor: FacePredictor | None) -> None:
        super().__init__(chunks, job)
        self._job = job
        self._predictor = predictor

    def start(self) -> _Process:
        return _Process(self._job, self._predictor)

    def send(self, worker: _Process, chunk: Chunk) -> None:
        with suppress(OSError):  # if it has died, `news` will say so
            worker.connection.send(chunk)

    def news(self) -> Iterator[tuple[_Process, Message]]:
        by_connection = {w.connection: w for w in self.workers}
        for connection in wait(list(by_connection), timeout=STEP):
            worker = by_connection[connection]  # type: ignore[index]  # only ours are waited for
            try:
                yield worker, worker.connection.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                worker.process.join(5)
                yield worker, Ended(f"exit code {worker.process.exitcode}")

    def kill(self, worker: _Process) -> None:
        worker.process.kill()
        worker.process.join()
        worker.connection.close()


def _end_with_parent() -> None:
    """Whatever a library does to this process, it is gone when its parent is."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if sys.platform == "linux":  # a decoder in C that never ends may not let a thread run
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


_PR_SET_PDEATHSIG = 1
"""Option of Linux' prctl: the signal to get when the parent dies."""


def _work(connection: Connection, job: Job, predictor: FacePredictor | None) -> None:
    """A worker's life: chunks in, results out, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    one_thread()

    def alive(file: str) -> None:
        try:
            connection.send(file)
        except OSError:
            os._exit(1)  # the parent is gone

    try:
        tool = job.open(predictor)
        connection.send(True)
        beat = Heartbeat(alive)
        while True:
            chunk = connection.recv()
            connection.send(run_chunk(chunk, job, tool, beat))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except KpcliError as e:
        connection.send(e)
    except Exception:
        connection.send(Trace(traceback.format_exc()))
