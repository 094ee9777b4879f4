"""A picture fitted into a size that a network takes, and boxes to there and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from kpcli.boxes import Array
from kpcli.types import Pixels

NEARLY = 0.75
"""From this scale on a picture shrinks by interpolation alone, which is cheaper; faces are found as
well (tests/benchmarks/detector_ap.py --size 320)."""


@dataclass(frozen=True)
class Letterbox:
    """A picture scaled to a long side and padded at right and bottom to whole multiples."""

    pixels: Pixels
    scale: tuple[float, float]
    """Letterbox pixels a picture pixel, horizontally and vertically."""
    filled: tuple[int, int]
    """Columns and rows that show the picture."""

    @classmethod
    def fit(cls, picture: Pixels, long_side: int, multiple: int) -> Letterbox:
        """The picture with its long side at ``long_side``, then black up to the multiples."""
        height, width = picture.shape[:2]
        factor = long_side / max(height, width)
        new = max(1, round(width * factor)), max(1, round(height * factor))
        rows, columns = (math.ceil(n / multiple) * multiple for n in new[::-1])
        halved, times = _halved(picture, new)
        scaled = _scaled(halved, new)
        if (columns, rows) == new:
            pixels = scaled
        else:
            pixels = np.zeros((rows, columns, 3), np.uint8)
            pixels[: new[1], : new[0]] = scaled
        shown = halved.shape[1] * 2**times, halved.shape[0] * 2**times
        return cls(pixels, (new[0] / shown[0], new[1] / shown[1]), new)

    def to_picture(self, boxes: Array) -> Array:
        """Letterbox pixels (..., 4) to pixels of the picture."""
        scale = np.array([*self.scale, *self.scale])
        return np.asarray((boxes + 0.5) / scale - 0.5)

    def to_letterbox(self, boxes: Array) -> Array:
        """Pixels of the picture (..., 4) to letterbox pixels."""
        scale = np.array([*self.scale, *self.scale])
        return np.asarray((boxes + 0.5) * scale - 0.5)


def tiles(picture: Pixels, side: int, overlap: int) -> list[tuple[int, int, Pixels]]:
    """Parts of a picture as (left, top, view), none longer than ``side``.

    Neighbours share ``overlap`` pixels or more: what is no larger is whole in one of them.
    """
    height, width = picture.shape[:2]
    return [
        (left, top, picture[top : top + side, left : left + side])
        for top in _starts(height, side, overlap)
        for left in _starts(width, side, overlap)
    ]


def _starts(length: int, side: int, overlap: int) -> list[int]:
    """Where tiles begin that share out a length evenly."""
    if length <= side:
        return [0]
    count = math.ceil((length - overlap) / (side - overlap))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def _halved(picture: Pixels, size: tuple[int, int]) -> tuple[Pixels, int]:
    """The picture halved while it is twice the width and height or more, and how often.

    An odd last row or column is left out: an exact half is the mean of four pixels, and OpenCV
    has it sooner than any other.
    """
    times = 0
    while picture.shape[1] >= 2 * size[0] and picture.shape[0] >= 2 * size[1]:
        half = picture.shape[1] // 2, picture.shape[0] // 2
        even = picture[: 2 * half[1], : 2 * half[0]]
        picture = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_LINEAR), np.uint8)
        times += 1
    return picture, times


def _scaled(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """The picture at this width and height; an average over areas where it shrinks by more."""
    if size == picture.shape[1::-1]:
        return picture
    way = cv2.INTER_AREA if size[0] < NEARLY * picture.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
