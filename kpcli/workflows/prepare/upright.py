"""Labels in the pixels as stored, of photos that a camera's EXIF mark turns; sizes that differ.

kpcli reads pictures upright. Some tools label them so too (browsers, OpenCV), others label the
pixels as they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.images import SIDEWAYS
from kpcli.schemes import get_scheme
from kpcli.types import FaceBox, Note, Sample
from kpcli.workflows.prepare.validation import PictureFacts

MIRRORED = (2, 4, 5, 7)
"""EXIF orientations that exchange left and right."""


def turned_upright(
    samples: Sequence[Sample], pictures: Mapping[Path, PictureFacts], exif: str
) -> tuple[list[Sample], list[Note]]:
    """The samples with labels of stored pixels turned as their pictures are.

    ``exif`` is ``auto`` (by the size that the label file gives), ``upright`` or ``stored``.
    """
    out: list[Sample] = []
    turned = open_question = 0
    for sample in samples:
        facts = pictures[sample.image]
        if facts.orientation == 1 or not facts.width or exif == "upright":
            out.append(sample)
            continue
        stored = facts.stored
        upright = (facts.width, facts.height)
        if exif == "stored" or (sample.size == stored != upright):
            out.append(_turned(sample, facts))
            turned += 1
        else:
            open_question += sample.size is None or stored == upright
            out.append(sample)
    notes = []
    if turned:
        notes.append(Note("faces labelled on the stored pixels of turned photos: turned", turned))
    if open_question:
        text = (
            "faces in photos that EXIF turns, taken as labelled upright: if they were labelled on "
            "the pixels as stored, say --exif stored"
        )
        notes.append(Note(text, open_question))
    return out, notes


def _turned(sample: Sample, facts: PictureFacts) -> Sample:
    points = upright_places(sample.points.astype(np.float64), facts.stored, facts.orientation)
    visible = sample.visible
    order = get_scheme(sample.scheme).flip_order if len(points) else ()
    if facts.orientation in MIRRORED and order:
        points, visible = points[list(order)], visible[list(order)]
    box = sample.face
    if box is not None:
        corners = np.array([[box.left, box.top], [box.right, box.bottom]], np.float64)
        moved = upright_places(corners, facts.stored, facts.orientation)
        (left, top), (right, bottom) = moved.min(axis=0), moved.max(axis=0)
        box = FaceBox(float(left), float(top), float(right), float(bottom))
    return replace(
        sample,
        points=points.astype(np.float32),
        visible=visible,
        face=box,
        size=(facts.width, facts.height),
    )


def upright_places(
    places: NDArray[np.float64], stored: tuple[int, int], orientation: int
) -> NDArray[np.float64]:
    """Pixel places (N, 2) of a picture as stored (width, height), where they are upright.

    ``orientation`` is EXIF's, 1 to 8.
    """
    last_x, last_y = stored[0] - 1, stored[1] - 1
    x, y = places[:, 0], places[:, 1]
    if orientation in (2, 3, 7, 8):
        x = last_x - x
    if orientation in (3, 4, 6, 7):
        y = last_y - y
    return np.stack([y, x] if orientation in SIDEWAYS else [x, y], axis=1)
