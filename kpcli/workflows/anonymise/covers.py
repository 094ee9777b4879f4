"""Cover heads so that nobody gets them back: what is covered, and how."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.options import COVERS, Cover
from kpcli.types import FaceBox, Pixels

SIDES, TOP, CHIN = 0.3, 0.3, 0.14
"""By what share of its width (height) a face's box, from hair line to chin, grows at either side,
at the top and at the chin to the box of a head: ears, hair, beard."""
DOUBTFUL = 0.35
"""By what share a cover grows further where nothing is sure."""
CELLS = 6
"""Mean colours a row and a column that pixelate leaves of a head, and blur no more. Faces are told
apart from 16 and more; smaller pictures than 12 pixels are left nearly as they are by no method,
for a cell is never smaller than `LEAST_CELL`."""
LEAST_CELL = 3
"""Pixels."""
FILL = (0, 0, 0)
OVAL = 1.18
"""Axes of the oval over sides of the head's box: the face's box lies in it, corners and all."""


def head_box(face: FaceBox, doubt: float, grow: float = 1.0) -> FaceBox:
    """What to cover of a face's box (hair line to chin), larger with ``doubt`` (0..1)."""
    more = DOUBTFUL * doubt
    x, y = face.width * (SIDES * grow + more / 2), face.height * more / 2
    return FaceBox(
        face.left - x,
        face.top - face.height * TOP * grow - y,
        face.right + x,
        face.bottom + face.height * CHIN * grow + y,
        face.score,
    )


def union(boxes: list[FaceBox]) -> FaceBox:
    """The smallest box that holds all of them; of the first one's score."""
    return FaceBox(
        min(b.left for b in boxes), min(b.top for b in boxes),
        max(b.right for b in boxes), max(b.bottom for b in boxes), boxes[0].score,
    )  # fmt: skip


def cover(pixels: Pixels, head: FaceBox, how: Cover) -> None:
    """Destroy what is in the box of (H, W, 3) ``pixels``, in place."""
    height, width = pixels.shape[:2]
    left, top = max(math.floor(head.left), 0), max(math.floor(head.top), 0)
    right, bottom = min(math.ceil(head.right) + 1, width), min(math.ceil(head.bottom) + 1, height)
    if how == "oval":
        _fill_oval(pixels, head)
    elif left < right and top < bottom:
        part = pixels[top:bottom, left:right]
        part[:] = {"fill": _filled, "pixelate": _pixelated, "blur": _blurred}[how](part)


def _filled(part: Pixels) -> Pixels:
    return np.broadcast_to(np.array(FILL, np.uint8), part.shape)


def _cells(part: Pixels) -> Pixels:
    """The few mean colours that are kept."""
    rows, columns = (max(1, min(CELLS, math.ceil(n / LEAST_CELL))) for n in part.shape[:2])
    return np.asarray(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _pixelated(part: Pixels) -> Pixels:
    size = part.shape[1], part.shape[0]
    return np.asarray(cv2.resize(_cells(part), size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _blurred(part: Pixels) -> Pixels:
    """Smooth colours between the cells' own: a Gaussian alone can be undone in good part."""
    size = part.shape[1], part.shape[0]
    smooth = cv2.resize(_cells(part), size, interpolation=cv2.INTER_LINEAR)
    sigma = max(size) / CELLS / 3
    return np.asarray(cv2.GaussianBlur(smooth, (0, 0), sigma), np.uint8)


def _fill_oval(pixels: Pixels, head: FaceBox) -> None:
    (x, y), scale = head.centre, 8  # cv2's fractions of a pixel are powers of two
    axes = OVAL * head.width / 2 + 1, OVAL * head.height / 2 + 1
    middle = round(x * scale), round(y * scale)
    half = round(axes[0] * scale), round(axes[1] * scale)
    cv2.ellipse(pixels, middle, half, 0, 0, 360, FILL, cv2.FILLED, cv2.LINE_8, 3)


def covered_mask(shape: tuple[int, int], heads: list[FaceBox], how: Cover) -> NDArray[np.bool_]:
    """Which pixels (H, W) `cover` would touch."""
    assert how in COVERS
    canvas = np.full((*shape, 3), 255, np.uint8)
    for head in heads:
        cover(canvas, head, "oval" if how == "oval" else "fill")
    return np.asarray(canvas[..., 0] == 0)
