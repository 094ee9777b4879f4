"""The pen: boxes, points, lines and text on pictures; pictures side by side on a contact sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.geometry import CropTransform
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FaceBox, Pixels

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
    size: float = 1.0,
) -> None:
    """Draw one face's points (N, 2), the scheme's edges, box and label onto ``pixels`` in place.

    Line widths follow the face's size, times ``size``; NaN points are left out.
    """
    span = face_span(points, box) * size
    if box is not None:
        draw_box(pixels, box, span)
        if label:
            write_above(pixels, box, label, span)
    draw_edges(pixels, points, scheme.edges, span, edge_colour)
    draw_points(pixels, points, span, point_colour)


def draw_faces(
    pixels: Pixels,
    faces: Sequence[Face],
    scheme: LandmarkScheme,
    size: float = 1.0,
    colour: Colour | None = None,
) -> None:
    """Draw points, edges, box and id of every face onto (H, W, 3) ``pixels``, in place."""
    for face in faces:
        draw_landmarks(
            pixels,
            face.points,
            scheme,
            box=face.box,
            label=f"{face.track}  {face.confidence:.2f}",
            edge_colour=colour or EDGE,
            size=size,
        )


def face_span(points: NDArray[np.floating], box: FaceBox | None = None) -> float:
    """How large a face is, pixels: what widths and text follow."""
    known = ~np.isnan(points).any(axis=1)
    span = float(np.ptp(points[known], axis=0).max()) if known.any() else 0.0
    return span if box is None else max(span, box.side)


def line_width(span: float) -> int:
    """Pixels, for a face of this size."""
    return min(255, max(1, round(span / 220)))  # cv2 refuses lines of 32768 and more


def draw_box(pixels: Pixels, box: FaceBox, span: float, colour: Colour = BOX) -> None:
    """The box's outline."""
    corners = np.array([[box.left, box.top], [box.right, box.bottom]])
    start, end = _fixed(corners[0]), _fixed(corners[1])
    cv2.rectangle(pixels, start, end, colour, line_width(span), cv2.LINE_AA, _SHIFT)


def draw_edges(
    pixels: Pixels,
    points: NDArray[np.floating],
    edges: Iterable[tuple[int, int]],
    span: float,
    colour: Colour = EDGE,
) -> None:
    """Lines between points (N, 2), by pairs of their numbers."""
    known = ~np.isnan(points).any(axis=1)
    for a, b in edges:
        if known[a] and known[b]:
            start, end = _fixed(points[a]), _fixed(points[b])
            cv2.line(pixels, start, end, colour, line_width(span), cv2.LINE_AA, _SHIFT)


def draw_points(
    pixels: Pixels, points: NDArray[np.floating], span: float, colour: Colour = POINT
) -> None:
    """A dot a point."""
    radius = round(max(0.7, span / 130) * (1 << _SHIFT))
    for point in points[~np.isnan(points).any(axis=1)]:
        cv2.circle(pixels, _fixed(point), radius, colour, -1, cv2.LINE_AA, _SHIFT)


def write_above(pixels: Pixels, box: FaceBox, text: str, span: float, colour: Colour = BOX) -> None:
    """A text on the box's upper edge."""
    at = (round(box.left), round(box.top) - 3)
    write(pixels, text, at, max(0.35, span / 400), colour)


def write(pixels: Pixels, text: str, at: tuple[int, int], scale: float, ink: Colour = BOX) -> None:
    """A text, from its lower left corner on, with a dark edge."""
    scale = min(scale, 4.0)
    thickness = max(1, round(scale * 1.6))
    x, y = at[0], max(at[1], round(14 * scale) + 2)
    for colour, extra in (((0, 0, 0), 2), (ink, 0)):
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
        write(tile, label, (3, size - 5), 0.4)
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
