"""Arrays of face boxes: overlap, suppression, a detector's cells, letterboxes, precision.

Boxes are (..., 4) float arrays of left, top, right, bottom in pixels; as everywhere, the origin is
the centre of the top-left pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kpcli.types import FaceBox

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
