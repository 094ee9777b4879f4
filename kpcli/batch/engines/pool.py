"""Chunks of work in several workers, each of which may hang or die without harm to the rest.

`Pool` hands out the chunks and deals with what becomes of them; where its workers live is for its
kinds to say. What a worker sends is a `ChunkResult`, the name of the file it has in hand (a
heartbeat), True once it is ready, or why it cannot go on.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from kpcli.batch.chunks import Chunk, ChunkResult, Job, give_up, overtime
from kpcli.errors import KpcliError, ModelError
from kpcli.runtimes import limit_threads

DEATHS = 2
"""Workers that may die with a file in their hands before it is given up."""

STEP = 1.0
"""Seconds to wait for news before the clock is looked at."""

_INTERVAL = 0.2
"""Least seconds between two heartbeats of one file."""


@dataclass(frozen=True)
class Trace:
    """A worker's bug, to be raised in the parent."""

    text: str


@dataclass(frozen=True)
class Ended:
    """A worker is no more: how it ended in a few words, and all that is known."""

    how: str
    detail: str = ""


Message = ChunkResult | str | bool | KpcliError | Trace | Ended


class Worker:
    """What a pool knows of one of its workers."""

    def __init__(self) -> None:
        self.ready = False
        self.chunk: Chunk | None = None
        self.file = ""
        self.heard = time.monotonic()


W = TypeVar("W", bound=Worker)


class Pool(ABC, Generic[W]):
    """Workers, and the chunks that they are to do."""

    advice = ""
    """What to do where no worker comes to work."""

    def __init__(self, chunks: Sequence[Chunk], job: Job) -> None:
        self._queue = deque(chunks)
        self._timeout = job.options.timeout
        self._deaths: Counter[str] = Counter()
        self.workers: list[W] = []

    @abstractmethod
    def start(self) -> W:
        """A new worker."""

    @abstractmethod
    def send(self, worker: W, chunk: Chunk) -> None:
        """Have it do the chunk."""

    @abstractmethod
    def news(self) -> Iterator[tuple[W, Message]]:
        """What workers have sent; waits for it, no longer than `STEP`."""

    @abstractmethod
    def kill(self, worker: W) -> None:
        """End it, whatever it does."""

    def run(self, workers: int) -> Iterator[ChunkResult]:
        """The results of all chunks, as they get done; a worker that hangs or dies is replaced.

        Raises
        ------
        KpcliError
            What a worker raised, if it is not about one file.
        ModelError
            If all workers die before they have read a file, again and again.
        """
        try:
            for _ in range(workers):
                self.workers.append(self.start())
            while self._queue or any(w.chunk for w in self.workers):
                yield from self._step()
        finally:
            for worker in self.workers:
                self.kill(worker)

    def _step(self) -> Iterator[ChunkResult]:
        """Hand out work, wait for news or for a deadline, and deal with it."""
        for worker in self.workers:
            if worker.ready and worker.chunk is None and self._queue:
                worker.chunk, worker.file = self._queue.popleft(), ""
                worker.heard = time.monotonic()
                self.send(worker, worker.chunk)
        for worker, message in self.news():
            worker.heard = time.monotonic()
            if isinstance(message, ChunkResult):
                worker.chunk, worker.file = None, ""
                self._deaths.pop("", None)
                yield message
            elif isinstance(message, str):
                worker.file = message
            elif isinstance(message, Ended):
                self._ended(worker, message)
            elif isinstance(message, KpcliError):
                raise message
            elif isinstance(message, Trace):
                raise RuntimeError(f"a worker failed:\n{message.text}")
            else:
                worker.ready = True
        self._check_time()

    def _ended(self, worker: W, end: Ended) -> None:
        self._deaths[worker.file] += 1
        if self._deaths[""] >= DEATHS * len(self.workers):
            raise ModelError(
                "worker processes die before they have read a file",
                actual=end.detail or end.how,
                next_step=self.advice,
            )
        given_up = worker.file and self._deaths[worker.file] >= DEATHS
        reason = f"the process that read it died ({end.how}), {DEATHS} times"
        self._replace(worker, reason if given_up else "")

    def _check_time(self) -> None:
        for worker in list(self.workers):
            silent = time.monotonic() - worker.heard
            if worker.chunk and worker.file and 0 < self._timeout < silent:
                self._replace(worker, overtime(self._timeout))

    def _replace(self, worker: W, reason: str) -> None:
        """A new worker for this one; its chunk comes next, without its file if for a reason."""
        self.workers.remove(worker)
        self.kill(worker)
        if worker.chunk is not None:
            chunk = give_up(worker.chunk, worker.file, reason) if reason else worker.chunk
            self._queue.appendleft(chunk)
        self.workers.append(self.start())


def one_thread() -> None:
    """One worker a core: more threads would only queue."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import cv2

    cv2.setNumThreads(1)
    limit_threads(1)


class Heartbeat:
    """Sends heartbeats of a file, at most one per `_INTERVAL` seconds."""

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send
        self._last = ("", 0.0)

    def __call__(self, file: str) -> None:
        now = time.monotonic()
        if file != self._last[0] or now - self._last[1] > _INTERVAL:
            self._last = (file, now)
            self._send(file)
