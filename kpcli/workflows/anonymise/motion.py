"""Where a box went from one frame to another, by optical flow of what is in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.types import FaceBox, Pixels

LONG = 320
"""Long side in pixels of the gray pictures that are followed."""
_GRID = 8
_LEAST = 8
"""Points that must be found again, there and back to within `_RETURN` pixels."""
_RETURN = 1.0
_GROWTH = (0.8, 1.25)

Gray = NDArray[np.uint8]


def small_gray(pixels: Pixels) -> Gray:
    """A frame (H, W, 3) as a small gray picture (h, w)."""
    height, width = pixels.shape[:2]
    scale = min(1.0, LONG / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def moved(box: FaceBox, one: Gray, other: Gray, scale: float) -> FaceBox | None:
    """The box of a frame in another one, by the median flow of a grid of points; None: unknown.

    Kalal, Mikolajczyk, Matas, "Forward-backward error", ICPR 2010. ``scale`` is the gray
    pictures' size over the frames'.
    """
    if one.shape != other.shape:
        return None
    xs = np.linspace(box.left, box.right, _GRID + 2)[1:-1] * scale
    ys = np.linspace(box.top, box.bottom, _GRID + 2)[1:-1] * scale
    points = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 1, 2).astype(np.float32)
    there, found, _ = cv2.calcOpticalFlowPyrLK(one, other, points, None, winSize=(11, 11))  # type: ignore[call-overload]
    back, again, _ = cv2.calcOpticalFlowPyrLK(other, one, there, None, winSize=(11, 11))  # type: ignore[call-overload]
    error = np.linalg.norm(back - points, axis=2).ravel()
    good = (found.ravel() == 1) & (again.ravel() == 1) & (error < _RETURN)
    if good.sum() < _LEAST:
        return None
    before, after = points[good, 0], there[good, 0]
    dx, dy = np.median(after - before, axis=0) / scale
    spread = np.median(np.abs(before - np.median(before, axis=0)))
    now = np.median(np.abs(after - np.median(after, axis=0)))
    growth = float(np.clip(now / spread if spread > 0 else 1.0, *_GROWTH))
    (x, y), w, h = box.centre, box.width * growth / 2, box.height * growth / 2
    x, y = x + float(dx), y + float(dy)
    return FaceBox(x - w, y - h, x + w, y + h, box.score)
