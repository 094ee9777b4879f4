"""Run the chunks of a job: in this process, or in several that may hang or die, here or afar."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from kpcli.batch.chunks import Chunk, ChunkResult, Job, give_up, overtime, run_chunk
from kpcli.inference.upright import FacePredictor


class _Overtime(BaseException):
    """The file in work takes too long; no handler of errors may swallow it."""


def run_serial(
    chunks: Sequence[Chunk], job: Job, predictor: FacePredictor | None
) -> Iterator[ChunkResult]:
    """One chunk after the other, here; a file over time is given up, its chunk run again."""
    tool = job.open(predictor)
    queue = deque(chunks)
    with _alarm(job.options.timeout) as clock:
        while queue:
            chunk = queue.popleft()
            try:
                result = run_chunk(chunk, job, tool, clock.restart)
            except _Overtime:
                queue.appendleft(give_up(chunk, clock.file, overtime(job.options.timeout)))
                continue
            finally:
                clock.stop()
            yield result


class _Clock:
    """An alarm that every heartbeat sets back; without signals, it never rings."""

    def __init__(self, timeout: float) -> None:
        main = threading.current_thread() is threading.main_thread()
        self.rings = timeout > 0 and main and hasattr(signal, "setitimer")
        self._timeout = timeout
        self.file = ""

    def restart(self, file: str) -> None:
        self.file = file
        if self.rings:
            signal.setitimer(signal.ITIMER_REAL, self._timeout)

    def stop(self) -> None:
        if self.rings:
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def _alarm(timeout: float) -> Iterator[_Clock]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise _Overtime

    clock = _Clock(timeout)
    if not clock.rings:
        yield clock
        return
    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield clock
    finally:
        clock.stop()
        signal.signal(signal.SIGALRM, before)
