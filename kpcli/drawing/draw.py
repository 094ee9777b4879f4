"""The one entry: faces, as a style says, onto a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np

from kpcli.drawing.effects import blur_background, make_up, swap_faces
from kpcli.drawing.fitting import draw_sticker
from kpcli.drawing.mesh import mesh_edges
from kpcli.drawing.pen import (
    BOX,
    EDGE,
    POINT,
    Colour,
    draw_box,
    draw_edges,
    draw_faces,
    draw_points,
    face_span,
    write,
    write_above,
)
from kpcli.drawing.style import STICKERS, Layer, Style
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, Pixels

MESH = (120, 200, 255)


def draw(pixels: Pixels, faces: Sequence[Face], scheme: LandmarkScheme, style: Style) -> None:
    """Draw the faces onto a frame, in place.

    Small faces, which are far away, come first, so that near ones cover them; of one face, the
    stickers by their layer. Stickers and effects follow the smoothed points, where there are any.

    Parameters
    ----------
    pixels : (H, W, 3) array
        RGB.
    faces : sequence of Face
        In pixels of the frame.
    scheme : LandmarkScheme
        Of their points.
    style : Style
        It must have been checked against the scheme.
    """
    far_first = sorted(faces, key=lambda face: (face.box.side, face.track))
    stickers = [layer.sticker for layer in style.layers if layer.sticker]
    drawn = False
    for layer in style.layers:
        if layer.kind == STICKERS:
            if not drawn:  # all of one face, before those of the next
                for face in far_first:
                    for sticker in stickers:
                        draw_sticker(pixels, face, scheme, sticker)
            drawn = True
        elif layer.kind == "swap":
            swap_faces(pixels, faces, scheme)
        elif layer.kind == "blur-background":
            blur_background(pixels, faces, scheme)
        elif layer.kind == "makeup":
            for face in far_first:
                make_up(pixels, face, scheme, layer.colour)
        elif layer.kind == "landmarks":
            draw_faces(pixels, faces, scheme, style.size, layer.colour)
        else:
            for face in far_first:
                _mark(pixels, face, scheme, layer, style.size)


def _mark(pixels: Pixels, face: Face, scheme: LandmarkScheme, layer: Layer, size: float) -> None:
    """Points, lines or text of one face."""
    mark = _MARKS.get(layer.kind)
    if mark is not None:
        plain, draw_it = mark
        span = face_span(face.points, face.box) * size
        draw_it(pixels, face, scheme, span, layer.colour or plain)


def _mesh(p: Pixels, face: Face, scheme: LandmarkScheme, span: float, colour: Colour) -> None:
    draw_edges(p, face.points, mesh_edges(face.points, scheme), span * 0.6, colour)


def _edges(p: Pixels, face: Face, scheme: LandmarkScheme, span: float, colour: Colour) -> None:
    draw_edges(p, face.points, scheme.edges, span, colour)


def _points(p: Pixels, face: Face, scheme: LandmarkScheme, span: float, colour: Colour) -> None:
    draw_points(p, face.points, span, colour)


def _box(p: Pixels, face: Face, scheme: LandmarkScheme, span: float, colour: Colour) -> None:
    draw_box(p, face.box, span, colour)


def _id(p: Pixels, face: Face, scheme: LandmarkScheme, span: float, colour: Colour) -> None:
    write_above(p, face.box, str(face.track), span * 1.5, colour)


def _names(p: Pixels, face: Face, scheme: LandmarkScheme, span: float, colour: Colour) -> None:
    for point, name in zip(face.points, scheme.point_names, strict=True):
        if np.isfinite(point).all():
            at = (round(float(point[0])) + 2, round(float(point[1])) - 1)
            write(p, name, at, max(0.25, span / 1200), colour)


_MARKS: MappingProxyType[str, tuple[Colour, Callable[..., None]]] = MappingProxyType(
    {
        "mesh": (MESH, _mesh),
        "edges": (EDGE, _edges),
        "points": (POINT, _points),
        "box": (BOX, _box),
        "ids": (BOX, _id),
        "names": (POINT, _names),
    }
)
