"""Arrays of face boxes: overlap, suppression, a detector's cells, letterboxes, precision.

Boxes are (..., 4) float arrays of left, top, right, bottom in pixels; as everywhere, the origin is
the centre of the top-left pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.types import FaceBox, Pixels

Array = NDArray[np.floating]

MOST_BOXES = 1200

# Where the landmark box lies in a WIDER FACE box, as fractions of its width and height: median
# over upright faces of what our own detector, which was taught both, says of them, the
# same at left and right.
# Command: tests/benchmarks/wider_box.py
LANDMARK_IN_WIDER = np.array([-0.03, 0.21, 1.03, 1.0])


def areas(boxes: Array) -> Array:
    """Areas (...) of boxes (..., 4); 0 for empty ones."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def intersections(a: Array, b: Array) -> Array:
    """Common areas (A, B) of boxes (A, 4) and (B, 4)."""
    width = np.minimum(a[:, None, 2], b[:, 2]) - np.maximum(a[:, None, 0], b[:, 0])
    height = np.minimum(a[:, None, 3], b[:, 3]) - np.maximum(a[:, None, 1], b[:, 1])
    return np.asarray(np.maximum(width, 0) * np.maximum(height, 0))


def pairwise_iou(a: Array, b: Array) -> Array:
    """Intersection over union (A, B) of boxes (A, 4) and (B, 4)."""
    inter = intersections(a, b)
    return np.asarray(inter / np.maximum(areas(a)[:, None] + areas(b)[None] - inter, 1e-9))


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


def face_boxes(boxes: Array, scores: Array) -> list[FaceBox]:
    """Boxes (D, 4) and scores (D,) as kpcli passes them on, best first."""
    return [
        FaceBox(*(float(v) for v in (*boxes[i], scores[i])))
        for i in np.argsort(-scores, kind="stable")
    ]


def wider_to_landmark(boxes: Array) -> Array:
    """Boxes (..., 4) as WIDER FACE draws them (hair line to chin) as landmark boxes (to brows)."""
    size = boxes[..., 2:] - boxes[..., :2]
    corners = LANDMARK_IN_WIDER.reshape(2, 2)
    return np.concatenate([boxes[..., :2] + corner * size for corner in corners], axis=-1)


def turned_back(boxes: Array, quarters: int, width: int, height: int) -> Array:
    """Boxes (D, 4) of ``np.rot90(picture, quarters)`` as boxes of the picture (H, W, 3)."""
    left, top, right, bottom = boxes.T
    x, y = width - 1, height - 1
    sides = {
        0: (left, top, right, bottom),
        1: (x - bottom, left, x - top, right),
        2: (x - right, y - bottom, x - left, y - top),
        3: (top, y - right, bottom, y - left),
    }
    return np.stack(sides[quarters % 4], axis=1).astype(boxes.dtype)


def suppress(boxes: Array, scores: Array, limit: float, nested: float = 1.0) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best first.

    None overlaps a better one by an IoU above ``limit``, or by more than the share ``nested`` of
    the smaller of the two. Of very many boxes, only the best `MOST_BOXES` are looked at.
    """
    order = np.argsort(-scores, kind="stable")[:MOST_BOXES]
    inter, sizes = intersections(boxes[order], boxes[order]), areas(boxes[order])
    union = sizes[:, None] + sizes - inter
    overlapping = (inter > limit * union) | (inter > nested * np.minimum(sizes[:, None], sizes))
    free = np.ones(len(order), bool)
    kept = []
    for i in range(len(order)):
        if free[i]:
            kept.append(order[i])
            free &= ~overlapping[i]
    return np.array(kept, np.intp)


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
        scaled = _scaled(picture, new)
        if (columns, rows) == new:
            pixels = scaled
        else:
            pixels = np.zeros((rows, columns, 3), np.uint8)
            pixels[: new[1], : new[0]] = scaled
        return cls(pixels, (new[0] / width, new[1] / height), new)

    def smaller(self, share: float, multiple: int) -> Letterbox:
        """The same picture with its long side at this share of what it is."""
        columns, rows = self.filled
        long_side = max(1, round(share * max(self.filled)))
        small = Letterbox.fit(self.pixels[:rows, :columns], long_side, multiple)
        scale = self.scale[0] * small.scale[0], self.scale[1] * small.scale[1]
        return replace(small, scale=scale)

    def to_picture(self, boxes: Array) -> Array:
        """Letterbox pixels (..., 4) to pixels of the picture."""
        scale = np.array([*self.scale, *self.scale])
        return np.asarray((boxes + 0.5) / scale - 0.5)

    def to_letterbox(self, boxes: Array) -> Array:
        """Pixels of the picture (..., 4) to letterbox pixels."""
        scale = np.array([*self.scale, *self.scale])
        return np.asarray((boxes + 0.5) * scale - 0.5)


def _scaled(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """The picture at this width and height; halves are averages, and fast to come by."""
    while picture.shape[1] >= 2 * size[0] and picture.shape[0] >= 2 * size[1]:
        half = picture.shape[1] // 2, picture.shape[0] // 2
        picture = np.asarray(cv2.resize(picture, half, interpolation=cv2.INTER_LINEAR), np.uint8)
    if size == picture.shape[1::-1]:
        return picture
    way = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


@dataclass(frozen=True)
class Graded:
    """Detections of one picture, best first, held against its labels."""

    scores: Array
    correct: NDArray[np.bool_]
    faces: int
    boxes: Array = field(default_factory=lambda: np.zeros((0, 4)))


def grade(
    boxes: Array, scores: Array, truth: Array, ignored: Array, least_iou: float = 0.5
) -> Graded:
    """Match detections (D, 4) to faces (F, 4), each face to the best-scored one that hits it.

    Detections that hit no face but lie for the better part on an ignored box (I, 4), or on it by
    ``least_iou``, are left out: neither right nor wrong.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    overlap = pairwise_iou(boxes, truth)
    correct = np.zeros(len(boxes), bool)
    free = np.ones(len(truth), bool)
    for i in range(len(boxes)):
        row = np.where(free, overlap[i], 0.0)
        if row.size and row.max() >= least_iou:
            correct[i] = True
            free[row.argmax()] = False
    counted = np.ones(len(boxes), bool)
    if len(ignored):
        covered = (intersections(boxes, ignored) / np.maximum(areas(boxes), 1e-9)[:, None]).max(1)
        hit = pairwise_iou(boxes, ignored).max(1)
        counted = correct | ((covered < 0.5) & (hit < least_iou))
    return Graded(scores[counted], correct[counted], len(truth), boxes[counted])


def average_precision(pictures: Sequence[Graded]) -> float:
    """Area under the precision-recall curve, precision made monotonous (VOC 2010 and later)."""
    faces = sum(p.faces for p in pictures)
    if not faces:
        return math.nan
    scores = np.concatenate([p.scores for p in pictures])
    correct = np.concatenate([p.correct for p in pictures])[np.argsort(-scores, kind="stable")]
    hits = np.cumsum(correct)
    recall = np.concatenate([[0.0], hits / faces])
    precision = hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * precision))
