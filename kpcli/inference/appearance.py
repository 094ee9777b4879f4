"""How alike two faces look: enough to tell one from another in the next frame, no recognition."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.geometry import REFERENCE_FIVE, similarity
from kpcli.schemes import LandmarkScheme, five_points
from kpcli.types import Pixels, Points

SIDE = 24
"""Pixels of a face's thumbnail."""
_SHARE = 0.36
"""Share of the thumbnail's side that the unit of `REFERENCE_FIVE` takes: the face fills it from
brow to chin.
"""

Thumbnail = NDArray[np.float32]
"""A face (SIDE, SIDE), set upright by its points, gray, of mean 0 and length 1."""


def thumbnail(pixels: Pixels, points: Points, scheme: LandmarkScheme) -> Thumbnail | None:
    """The thumbnail of a face in a frame (H, W, 3); None where its points do not allow one."""
    five = five_points(points, scheme)
    if five is None or not np.isfinite(five).all() or not np.ptp(five, axis=0).all():
        return None
    target = (REFERENCE_FIVE * _SHARE + 0.5) * SIDE - 0.5
    matrix = np.asarray(similarity(five.astype(np.float64), target), np.float64)[:2]
    small = cv2.warpAffine(
        pixels, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    gray = small.astype(np.float32).mean(axis=2)
    gray -= gray.mean()
    length = float(np.linalg.norm(gray))
    return gray / length if length > 0 else None


def likeness(one: Thumbnail | None, other: Thumbnail | None) -> float | None:
    """Correlation of two thumbnails, -1 to 1; None where there are not two.

    Of one person in consecutive frames of four clips it was 0.63 or more (median 0.95), of
    different persons 0.03 in the median, below 0.57 in 99 of 100 pairs, and never above 0.78.
    """
    return None if one is None or other is None else float((one * other).sum())
