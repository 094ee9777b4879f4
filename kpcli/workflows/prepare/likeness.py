"""Whether a source's points look like the scheme that their number or their names suggest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kpcli.dataset_csv import BOXES
from kpcli.geometry import REFERENCE_FIVE, similarity
from kpcli.schemes import SCHEMES, five_points, get_scheme, is_own, key_of
from kpcli.types import Note, Sample

LOOKED_AT = 300
"""Most faces of a source that are looked at."""
UNLIKE = 0.45
"""Residual of eyes, nose and mouth against a face's, in their spread, from which half the faces
of a set are none. Sets of faces have 0.13 to 0.26 (300-W, CelebA, WFLW's hard subsets, renders);
random points 0.80, dlib's five points taken for CelebA's 0.81."""
UNLIKE_ALONE = 0.75
"""Residual, as `UNLIKE`, from which sets of a few faces are none: few faces may all be profiles,
which reach 0.6.
"""
FEW = 5
FAR = 0.1
"""Distance of a mirrored point from its partner, in the shape's spread, beyond its nearest one's,
that a pair of names may have."""


def settled(samples: Sequence[Sample], target: str | None) -> tuple[list[Sample], list[Note]]:
    """The samples of one source with ``pointsN`` in place of a known scheme that does not fit,
    and without pairs of names that are no mirror images.

    What the user says (``target``) is taken as said.
    """
    notes: list[Note] = []
    schemes: dict[str, str] = {}
    for key in sorted({s.scheme for s in samples} - {BOXES, target}):
        points = [s.points for s in samples if s.scheme == key][:LOOKED_AT]
        schemes[key] = key
        if key in SCHEMES and not looks_like(points, key):
            schemes[key] = f"points{len(points[0])}"
            text = f"faces of {len(points[0])} points that are no {key}: --scheme {key} if they are"
            notes.append(Note(text, sum(s.scheme == key for s in samples)))
        elif is_own(key) and get_scheme(key).flip_order and not mirrors(points, key):
            schemes[key] = key_of(replace(get_scheme(key), flip_order=()))
            text = (
                "faces whose left and right names are no mirror images, never to be mirrored: "
                "say pairs in --scheme FILE"
            )
            notes.append(Note(text, sum(s.scheme == key for s in samples)))
    return [
        s if schemes.get(s.scheme, s.scheme) == s.scheme else replace(s, scheme=schemes[s.scheme])
        for s in samples
    ], notes


def looks_like(points: Sequence[NDArray[np.floating]], scheme: str) -> bool:
    """Whether eyes, nose and mouth of most faces stand to each other as in a face."""
    known = get_scheme(scheme)
    fives = [five_points(np.asarray(p, np.float32), known) for p in points]
    found = [_residual(f) for f in fives if f is not None and np.isfinite(f).all()]
    if not found:
        return True
    return float(np.median(found)) < (UNLIKE if len(found) >= FEW else UNLIKE_ALONE)


def _residual(five: NDArray[np.floating]) -> float:
    """How far five points are from a face's after the best turn, shift, scale, and mirroring."""
    five = five.astype(np.float64)
    spread = _spread(five)
    if spread == 0:
        return 0.0  # validation tells of such faces
    faces = (REFERENCE_FIVE, REFERENCE_FIVE * [-1, 1])
    return min(_distance(face, five) for face in faces) / spread


def _distance(shape: NDArray[np.floating], onto: NDArray[np.floating]) -> float:
    return float(np.sqrt(((_fitted(shape, onto) - onto) ** 2).sum(axis=1).mean()))


def _fitted(shape: NDArray[np.floating], onto: NDArray[np.floating]) -> NDArray[np.float64]:
    matrix = similarity(shape, onto)
    return np.asarray(shape @ matrix[:, :2].T + matrix[:, 2], np.float64)


def _spread(points: NDArray[np.floating]) -> float:
    return float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))


def mirrors(points: Sequence[NDArray[np.floating]], scheme: str) -> bool:
    """Whether the mean shape, mirrored, has every point near its partner by name.

    ``left_eye_0 .. 5`` and ``right_eye_0 .. 5``, both numbered clockwise, have the right names
    for pairs, and are none.
    """
    whole = [p.astype(np.float64) for p in points if np.isfinite(p).all() and _spread(p) > 0]
    if len(whole) < FEW:
        return True
    mean = whole[0]
    for _ in range(3):
        mean = np.mean([_fitted(p, mean) for p in whole], axis=0)
    mirrored = mean * [-1, 1]
    flip = list(get_scheme(scheme).flip_order)
    fitted = _fitted(mirrored[flip], mean)  # point i, where its partner is after mirroring
    apart = np.linalg.norm(fitted - mean, axis=1)
    nearest = np.linalg.norm(fitted[None] - mean[:, None], axis=2).min(axis=1)
    return bool((apart <= 2 * nearest + FAR * _spread(mean)).all())
