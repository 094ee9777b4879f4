"""A detector's cells, and the numbers by which they say a box."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kpcli.boxes import Array


def cell_grid(height: int, width: int, strides: Sequence[int]) -> NDArray[np.float32]:
    """Cells (n, 3) as (centre x, centre y, stride) of a picture, scales in the order given.

    ``height`` and ``width`` are multiples of every stride. The array is shared: not to be written.
    """
    return _cell_grid(height, width, tuple(strides))


@lru_cache(maxsize=32)
def _cell_grid(height: int, width: int, strides: tuple[int, ...]) -> NDArray[np.float32]:
    levels = []
    for stride in strides:
        x = (np.arange(width // stride) + 0.5) * stride - 0.5
        y = (np.arange(height // stride) + 0.5) * stride - 0.5
        xx, yy = np.meshgrid(x, y)
        levels.append(np.stack([xx, yy, np.full_like(xx, stride)], axis=-1).reshape(-1, 3))
    cells = np.concatenate(levels).astype(np.float32)
    cells.setflags(write=False)
    return cells


def decode(numbers: Array, cells: Array) -> Array:
    """Boxes (..., n, 4) of a detector's numbers (..., n, 4) at cells (n, 3).

    The numbers are the box's centre minus the cell's, in strides, and the logarithms of the
    box's width and height in strides.
    """
    stride = cells[:, 2:]
    centre = cells[:, :2] + numbers[..., :2] * stride
    half = np.exp(np.clip(numbers[..., 2:], -6, 6)) * stride / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def encode(boxes: Array, cells: Array) -> Array:
    """The inverse of `decode`; boxes must have an area."""
    stride = cells[:, 2:]
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    sides = boxes[..., 2:] - boxes[..., :2]
    return np.concatenate([(centre - cells[:, :2]) / stride, np.log(sides / stride)], axis=-1)
