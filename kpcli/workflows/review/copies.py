"""Whether a model says the same of a face's mirrored and turned copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kpcli.errors import InputError
from kpcli.geometry import CropTransform, flip_points
from kpcli.inference.predictor import Predictor
from kpcli.progress import progress
from kpcli.types import FaceBox, Frame
from kpcli.workflows.review.ranking import AGREED, COPIES, DISAGREED, Candidate, ramp

TURNS = (-15.0, 15.0)
"""Degrees."""


def with_copies(
    candidates: Sequence[Candidate],
    predictor: Predictor,
    frame: Callable[[str, int], Frame],
    box: Callable[[Candidate], FaceBox | None],
) -> list[Candidate]:
    """The candidates with how far the copies are apart; whole frames have none."""
    found: dict[int, Candidate] = {}
    order = sorted(range(len(candidates)), key=lambda i: (candidates[i].file, candidates[i].frame))
    for i in progress(order, "comparing copies", total=len(order), unit="face"):
        candidate = found[i] = candidates[i]
        where = box(candidate) if candidate.face else None
        if where is None or not where.side > 0:
            continue
        try:
            pixels = frame(candidate.file, candidate.frame)
        except InputError:  # the page says so when it comes to it
            continue
        apart = disagreement(predictor, pixels, where)
        found[i] = candidate.noting(COPIES, ramp(apart, AGREED, DISAGREED))
    return [found[i] for i in range(len(candidates))]


def disagreement(predictor: Predictor, frame: Frame, box: FaceBox) -> float:
    """Mean distance of a copy's points from the face's own, in box sides, of the worst copy."""
    card = predictor.card
    scheme = card.landmark_scheme
    turns = [0.0, *TURNS]
    transforms = [
        CropTransform.from_box(box, card.input_size, card.crop_scale, rotation=turn)
        for turn in turns
    ]
    if scheme.flip_order:
        transforms.append(
            CropTransform.from_box(box, card.input_size, card.crop_scale, mirror=True)
        )
    unit = predictor.predict(np.stack([t.to_crop(frame.pixels) for t in transforms])).unit
    places = [t.to_frame(unit[i]) for i, t in enumerate(transforms)]
    if scheme.flip_order:
        places[-1] = flip_points(places[-1], scheme)
    apart = [float(np.linalg.norm(p - places[0], axis=1).mean()) for p in places[1:]]
    return max(apart) / box.side
