"""What happens along a video, in a few hundred steps whatever its length."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kpcli.types import Face, FrameFaces

BINS = 240
"""Least steps of a time line; a long video has up to twice as many."""
PERSONS = 12
"""Most faces of a video with a line of their own: the first ones."""
FIELDS = ("confidence", "yaw", "pitch", "roll", "eyes", "mouth")
"""Columns of each face on the time line (degrees, mean eye aspect ratio, mouth opening), named as
in `kpcli.types`.
"""

Array = NDArray[np.floating]


@dataclass
class TimeLine:
    """Means of each step, which doubles in length when there are too many of them."""

    file: str
    frames: int = 0
    step: int = 1
    seconds: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    """Of each step: frames with a face."""
    counted: list[int] = field(default_factory=list)
    """Of each step: frames."""
    end: float = 0.0
    others: set[int] = field(default_factory=set)
    """Faces beyond `PERSONS`."""
    _sums: dict[int, Array] = field(default_factory=dict)
    _counts: dict[int, Array] = field(default_factory=dict)

    def add(self, frame: FrameFaces) -> None:
        """One frame more."""
        at = self.frames // self.step
        if at >= 2 * BINS:
            self._halve()
            at = self.frames // self.step
        if at == len(self.seconds):
            self.seconds.append(frame.seconds)
            self.numbers.append(frame.index)
            self.seen.append(0)
            self.counted.append(0)
        self.frames += 1
        self.end = frame.seconds
        self.seen[at] += bool(frame.faces)
        self.counted[at] += 1
        for face in frame.faces:
            self._add_face(at, face)

    def _add_face(self, at: int, face: Face) -> None:
        if face.track not in self._sums:
            if len(self._sums) >= PERSONS:
                if len(self.others) < 10_000:
                    self.others.add(face.track)
                return
            shape = (2 * BINS, len(FIELDS))
            self._sums[face.track] = np.zeros(shape, np.float32)
            self._counts[face.track] = np.zeros(shape, np.float32)
        measures = face.measures
        values = np.array(
            [face.confidence, *(face.pose or (math.nan,) * 3),
             *((measures.ear, measures.mouth_open) if measures else (math.nan,) * 2)],
            np.float32,
        )  # fmt: skip
        known = np.isfinite(values)
        self._sums[face.track][at] += np.where(known, values, 0)
        self._counts[face.track][at] += known

    def _halve(self) -> None:
        self.step *= 2
        self.seconds, self.numbers = self.seconds[::2], self.numbers[::2]
        self.seen = [a + b for a, b in zip(self.seen[::2], self.seen[1::2], strict=True)]
        self.counted = [a + b for a, b in zip(self.counted[::2], self.counted[1::2], strict=True)]
        for table in (*self._sums.values(), *self._counts.values()):
            table[:BINS] = table[::2] + table[1::2]
            table[BINS:] = 0

    def persons(self) -> list[int]:
        """The faces, the one seen longest first."""
        return sorted(self._counts, key=lambda i: (-float(self._counts[i][:, 0].sum()), i))

    def values(self, person: int) -> dict[str, Array]:
        """Means of each step by the names of `FIELDS`, NaN where the face is not there."""
        n = len(self.seconds)
        counts = self._counts[person][:n]
        means = self._sums[person][:n] / np.maximum(counts, 1)
        means[counts == 0] = np.nan
        return {name: means[:, i] for i, name in enumerate(FIELDS)}

    def present(self, person: int) -> Array:
        """Of each step, the share of frames in which the face is there."""
        n = len(self.seconds)
        return np.asarray(self._counts[person][:n, 0] / np.array(self.counted), np.float32)

    def bounds(self) -> list[float]:
        """Where the steps begin, in seconds, and where the last one ends."""
        last = self.end
        if self.frames > 1:
            last += (self.end - self.seconds[0]) / (self.frames - 1)
        return [*self.seconds, last]
