"""Steady points over time: the one-euro filter on true timestamps.

Casiez, Roussel and Vogel, "1 Euro filter", CHI 2012: a low-pass whose cutoff rises with speed, so
that a still face does not tremble and a moving one does not lag.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kpcli.types import Points

MIN_CUTOFF = 1.5
"""Cutoff frequency in hertz of a face at rest."""
BETA = 6.0
"""Hertz by which the cutoff frequency grows for each face side a second."""
SPEED_CUTOFF = 1.0
"""Cutoff frequency in hertz of the speed itself."""
FORGET = 0.25
"""Seconds without a face after which smoothing begins anew."""


class OneEuro:
    """Filters the points (N, 2) of one face; speed is measured in face sides a second."""

    def __init__(self) -> None:
        self._value: NDArray[np.float64] | None = None
        self._speed: NDArray[np.float64] | None = None
        self._seconds = 0.0

    def __call__(self, points: Points, side: float, seconds: float) -> Points:
        """The smoothed points; ``side`` is the face box's, in pixels."""
        new = np.asarray(points, np.float64)
        gap = seconds - self._seconds
        if self._value is None or self._speed is None or not 0 < gap <= FORGET:
            self._value, self._speed = new, np.zeros_like(new)
        else:
            speed = (new - self._value) / (side * gap)
            self._speed = self._speed + _weight(SPEED_CUTOFF, gap) * (speed - self._speed)
            fast = np.linalg.norm(self._speed, axis=1, keepdims=True)
            self._value = self._value + _weight(MIN_CUTOFF + BETA * fast, gap) * (new - self._value)
        self._seconds = seconds
        return self._value.astype(np.float32)


def _weight(cutoff: float | NDArray[np.float64], gap: float) -> float | NDArray[np.float64]:
    """Weight of the newest value in a low-pass of this cutoff in hertz."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * gap))
