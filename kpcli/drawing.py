"""Draw boxes and landmarks on pictures, and put pictures side by side on a contact sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.geometry import CropTransform
from kpcli.schemes import LandmarkScheme
from kpcli.types import FaceBox, Pixels

EDGE = (90, 220, 120)
POINT = (255, 240, 60)
TRUTH = (60, 220, 255)
BOX = (255, 120, 60)
Colour = tuple[int, int, int]

_SHIFT = 3  # cv2 draws with 1/8 pixel precision
_MAX = 2**27  # cv2 overflows on coordinates far outside


def _fixed(point: NDArray[np.floating]) -> tuple[int, int]:
    x, y = np.clip(np.asarray(point, np.float64) * (1 << _SHIFT), -_MAX, _MAX)
    return round(float(x)), round(float(y))


def draw_landmarks(
    pixels: Pixels,
    points: NDArray[np.floating],
    scheme: LandmarkScheme,
    *,
    box: FaceBox | None = None,
    label: str = "",
    edge_colour: Colour = EDGE,
    point_colour: Colour = POINT,
) -> None:
    """Draw one face's points (N, 2), the scheme's edges, box and label onto ``pixels`` in place.

    Line widths follow the face's size; NaN points are left out.
    """
    known = ~np.isnan(points).any(axis=1)
    span = np.ptp(points[known], axis=0).max() if known.any() else 0.0
    if box is not None:
        span = max(float(span), box.side)
    width = max(1, round(float(span) / 220))
    radius = max(0.7, float(span) / 130)
    flags = {"lineType": cv2.LINE_AA, "shift": _SHIFT}
    if box is not None:
        corners = np.array([[box.left, box.top], [box.right, box.bottom]])
        cv2.rectangle(pixels, _fixed(corners[0]), _fixed(corners[1]), BOX, width, **flags)
        if label:
            _write(pixels, label, (round(box.left), round(box.top) - 3), max(0.35, span / 400))
    for a, b in scheme.edges:
        if known[a] and known[b]:
            cv2.line(pixels, _fixed(points[a]), _fixed(points[b]), edge_colour, width, **flags)
    for point in points[known]:
        size = round(radius * (1 << _SHIFT))
        cv2.circle(pixels, _fixed(point), size, point_colour, -1, **flags)


def _write(pixels: Pixels, text: str, at: tuple[int, int], scale: float) -> None:
    scale = min(scale, 4.0)
    thickness = max(1, round(scale * 1.6))
    x, y = at[0], max(at[1], round(14 * scale) + 2)
    for colour, extra in (((0, 0, 0), 2), (BOX, 0)):
        cv2.putText(
            pixels,
            text,
            (x, y),
            cv2.FONT_HERSHEY_SIMPLEX,
            scale,
            colour,
            thickness + extra,
            cv2.LINE_AA,
        )


def face_tile(
    pixels: Pixels,
    box: FaceBox,
    layers: Sequence[tuple[NDArray[np.floating], Colour, Colour]],
    scheme: LandmarkScheme,
    *,
    size: int = 192,
    label: str = "",
    scale: float = 1.7,
) -> Pixels:
    """A square tile (size, size, 3) around one face with each layer's points drawn on it.

    ``layers`` are (points in frame pixels (N, 2), edge colour, point colour).
    """
    crop = CropTransform.from_box(box, size, scale)
    tile = crop.to_crop(pixels)
    for points, edge, point in layers:
        draw_landmarks(
            tile, crop.to_crop_pixels(points), scheme, edge_colour=edge, point_colour=point
        )
    if label:
        _write(tile, label, (3, size - 5), 0.4)
    return tile


def contact_sheet(tiles: Sequence[Pixels], columns: int = 0, gap: int = 4) -> Pixels:
    """Equal tiles (h, w, 3) in rows on one picture; columns 0 makes it about 4:3."""
    if not tiles:
        raise ValueError("no tiles to put on a sheet")
    columns = columns or max(1, math.ceil(math.sqrt(len(tiles) * 4 / 3)))
    columns = min(columns, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    h, w = tiles[0].shape[:2]
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 40, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = (i // columns) * (h + gap), (i % columns) * (w + gap)
        sheet[y : y + h, x : x + w] = tile
    return sheet
