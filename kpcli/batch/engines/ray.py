"""Chunks of work on a Ray cluster: Ray places the workers, `Pool` deals with what becomes of them.

All nodes see the input, the output folder, the model's and the detector's files under the same
paths; rows, overlays and heartbeats go through the output folder. A worker has a folder of its
own there: process numbers, which tell the temporary files of one machine apart, repeat on others.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

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
from kpcli.errors import InputError, KpcliError, ModelError
from kpcli.inference.upright import FacePredictor
from kpcli.version import __version__

HEARTBEAT = "heartbeat"
"""File in a worker's folder that names the file in its hand, and changes with every heartbeat."""
OBJECT_STORE = 100 * 2**20
"""Bytes of the object store of a cluster that we start: only words pass through it."""
_PATIENCE = 30.0
"""Seconds without any worker after which the user is told why nothing moves."""


def run_ray(
    chunks: Sequence[Chunk], job: Job, predictor: FacePredictor | None
) -> Iterator[ChunkResult]:
    """The results of all chunks, from workers of a cluster, each on one CPU; see `Pool.run`.

    Raises
    ------
    ModelError
        If the cluster cannot be reached or used.
    InputError
        If a node does not see the files.
    """
    with _cluster():
        cpus = int(ray.cluster_resources().get("CPU", 1))
        workers = max(1, min(job.options.workers or cpus, len(chunks)))
        yield from _Actors(chunks, job, predictor).run(workers)


@contextmanager
def _cluster() -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or to one that runs here, or start one here."""
    if ray.is_initialized():  # the caller's own
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    try:
        _knock(os.environ.get("RAY_ADDRESS", ""))
        try:
            ray.init(address="auto", **quiet)
        except ConnectionError:
            if os.environ.get("RAY_ADDRESS"):
                raise
            ray.init(
                address="local", include_dashboard=False, object_store_memory=OBJECT_STORE, **quiet
            )
    except (OSError, RuntimeError, ValueError) as e:
        raise ModelError(
            "the Ray cluster cannot be reached",
            expected="RAY_ADDRESS of a running one; without it, one is looked for and started here",
            actual=f"RAY_ADDRESS={os.environ.get('RAY_ADDRESS', '')}: {e}",
        ) from e
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """See that somebody listens at ``host:port``: Ray would try for minutes, deaf to Ctrl-C."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


class _Actor(Worker):
    """A worker: a Ray actor, and the answer that it owes."""

    def __init__(self, handle: Any, folder: Path) -> None:
        super().__init__()
        self.handle = handle
        self.folder = folder
        self.sign = b""
        self.answer: Any = handle.prepare.remote(__version__, Path.cwd())

    def heartbeat(self) -> str:
        """The file of its chunk that it has in hand, if there is a new heartbeat."""
        before, file = self.sign, ""
        with suppress(OSError):
            self.sign = (self.folder / HEARTBEAT).read_bytes()
            file = os.fsdecode(self.sign.partition(b" ")[2])
        return file if self.chunk and file in self.chunk.files and self.sign != before else ""


class _Actors(Pool[_Actor]):
    advice = "--engine local, or see Ray's logs on the node"

    def __init__(self, chunks: Sequence[Chunk], job: Job, predictor: FacePredictor | None) -> None:
        super().__init__(chunks, job)
        self._job = replace(job, staging=job.staging.absolute())
        self._predictor = predictor
        self._count = 0
        self._looked = self._begun = time.monotonic()

    def start(self) -> _Actor:
        self._count += 1
        folder = self._job.staging / f"ray-{os.getpid()}-{self._count}"
        folder.mkdir()
        actor = ray.remote(num_cpus=1)(_Hand)
        handle = actor.remote(replace(self._job, staging=folder), self._predictor)
        return _Actor(handle, folder)

    def send(self, worker: _Actor, chunk: Chunk) -> None:
        worker.answer = worker.handle.annotate.remote(chunk)

    def news(self) -> Iterator[tuple[_Actor, Message]]:
        owing = {w.answer: w for w in self.workers if w.answer is not None}
        ray.wait(list(owing), timeout=STEP)
        done, _ = ray.wait(list(owing), num_returns=len(owing), timeout=0)
        for worker in [owing[answer] for answer in done]:
            message = self._answer(worker)
            if isinstance(message, Ended) and (file := worker.heartbeat()):
                yield worker, file
            yield worker, message
        if time.monotonic() - self._looked > STEP:
            self._looked = time.monotonic()
            for worker in list(self.workers):
                if file := worker.heartbeat():
                    yield worker, file
            self._complain()

    def _answer(self, worker: _Actor) -> Message:
        answer, worker.answer = worker.answer, None
        try:
            message: Message = ray.get(answer)
        except ray.exceptions.RayError as e:
            return Ended(type(e).__name__, str(e))
        return message

    def _complain(self) -> None:
        """Once, if the cluster has had no CPU for us for long."""
        if any(w.ready for w in self.workers):
            self._begun = float("inf")
        elif time.monotonic() - self._begun > _PATIENCE:
            self._begun = float("inf")
            logging.getLogger(__name__).warning("no CPU of the Ray cluster is free yet; waiting")

    def kill(self, worker: _Actor) -> None:
        ray.kill(worker.handle)


class _Hand:
    """What runs on a node: an actor that annotates chunk after chunk."""

    def __init__(self, job: Job, predictor: FacePredictor | None) -> None:
        self._job = job
        self._predictor = predictor
        self._tool: Any = None
        self._signs = 0

    def prepare(self, version: str, directory: Path) -> Message:
        """Get ready; ``version`` is that of the kpcli which asks, from ``directory``."""
        node = socket.gethostname()
        if version != __version__:
            return ModelError(
                f"the node {node} has another kpcli", expected=version, actual=__version__
            )
        with suppress(OSError):
            os.chdir(directory)
        for path in (self._job.staging, self._job.root):
            if not path.is_dir():
                return InputError(
                    f"{path}: there is no such folder on the node {node}",
                    expected="input and --out on storage that all nodes see under the same path",
                )
        one_thread()
        try:
            self._tool = self._job.open(self._predictor)
        except KpcliError as e:
            return e
        except Exception:
            return Trace(traceback.format_exc())
        return True

    def annotate(self, chunk: Chunk) -> Message:
        """Do a chunk."""
        assert self._tool is not None
        try:
            return run_chunk(chunk, self._job, self._tool, Heartbeat(self._heartbeat))
        except KpcliError as e:
            return e
        except Exception:
            return Trace(traceback.format_exc())

    def _heartbeat(self, file: str) -> None:
        """Leave a sign, whole at any moment."""
        self._signs += 1
        sign = self._job.staging / HEARTBEAT
        with suppress(OSError):  # of a full disk, the rows will tell
            sign.with_suffix(".new").write_bytes(b"%d %b" % (self._signs, os.fsencode(file)))
            os.replace(sign.with_suffix(".new"), sign)
