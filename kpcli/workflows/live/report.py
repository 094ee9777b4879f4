"""What came of a live run: counts, delay, files, exit code."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpcli.errors import EXIT_INTERRUPTED, EXIT_SOME_FAILED, shown


@dataclass(frozen=True)
class LiveReport:
    """Owns the exit code.

    ``read`` frames came, ``dropped`` of them were passed over for a newer one; ``delays_ms`` has,
    for each of the others, the time from its arrival until it was on the screen (without a
    window: until it was written). ``problem`` is why the source ended where it should not have.
    """

    source: str
    read: int
    dropped: int
    frames: int
    faces: int
    seconds: float
    delays_ms: Sequence[float]
    runtime: str
    written: Sequence[Path] = ()
    problem: str = ""
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 done; 5 the source ended early; 130 interrupted."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_SOME_FAILED if self.problem else 0

    @property
    def rate(self) -> float:
        """Frames a second that were looked at."""
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def delay_ms(self) -> float:
        """The median."""
        return statistics.median(self.delays_ms) if self.delays_ms else 0.0

    def summary(self) -> str:
        """Plain words for the end of the run."""
        lines = [
            f"{self.source}: {self.frames} frames seen of {self.read}, {self.dropped} dropped for "
            f"newer ones; ids of faces: {self.faces}",
            f"{self.rate:.1f} frames/s, delay {self.delay_ms:.0f} ms (median)",
        ]
        if self.runtime:
            lines.append(f"model ran on: {self.runtime}")
        if self.problem:
            lines.append(f"ended early: {self.problem}")
        if self.interrupted:
            lines.append("interrupted; what was written is complete up to here")
        lines += [f"written: {path}" for path in self.written]
        return "\n".join(shown(line) for line in lines)

    def values(self) -> dict[str, Any]:
        """For run.json."""
        return {
            "source": self.source,
            "frames_read": self.read,
            "frames_dropped": self.dropped,
            "frames": self.frames,
            "faces": self.faces,
            "seconds": round(self.seconds, 3),
            "frames_a_second": round(self.rate, 2),
            "delay_ms": round(self.delay_ms, 1),
            "runtime": self.runtime,
            "problem": self.problem,
            "interrupted": self.interrupted,
            "exit_code": self.exit_code,
        }
