"""Points that were not labelled, where a format has no other word for it than odd coordinates.

``(0, 0)`` and ``(-1, -1)`` stand for a point that was not located, and are never positions. Sets
that mark occluded points by a minus (MERL-RAV) write ``(-x, -y)`` for a hidden point at (x, y).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kpcli.types import Note, Reject, Sample

CLEAR = 0.5
"""Distance outside the other points' box, in its sides, from which a point with a negative
coordinate was marked and not left out.
"""


def told(
    items: Iterable[Sample | Reject | Note], first: float = 0.0
) -> Iterator[Sample | Reject | Note]:
    """The samples of one set with their placeholders as unlabelled or occluded points.

    Parameters
    ----------
    items : iterable
        What a format reads of one source; held back until all are there.
    first : float
        What the format calls the coordinate of the first pixel's centre (1 in ``.pts``).
    """
    held = list(items)
    marked = any(_clearly_marked(item, first) for item in held if isinstance(item, Sample))
    counts: Counter[str] = Counter()
    for item in held:
        yield _settled(item, first, marked, counts) if isinstance(item, Sample) else item
    yield from (Note(text, count) for text, count in counts.items())


def _clearly_marked(sample: Sample, first: float) -> bool:
    """Whether a point with a minus lies far outside a face that it lies in without it."""
    raw = sample.points + first
    minus = _minus(raw)
    plain = raw[~minus & ~_placeholder(raw) & ~np.isnan(raw).any(axis=1)]
    if not minus.any() or len(plain) < 3:
        return False
    low, high = plain.min(axis=0), plain.max(axis=0)
    slack = CLEAR * float((high - low).max())
    outside = (raw[minus] < low - slack).any(axis=1)
    inside = ((-raw[minus] >= low - slack) & (-raw[minus] <= high + slack)).all(axis=1)
    return bool((outside & inside).any())


def _minus(raw: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray((raw < 0).all(axis=1) & ~_placeholder(raw))


def _placeholder(raw: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray((raw == 0).all(axis=1) | (raw == -1).all(axis=1))


def _settled(sample: Sample, first: float, marked: bool, counts: Counter[str]) -> Sample:
    raw = sample.points + first
    blank = _placeholder(raw)
    minus = _minus(raw) if marked else np.zeros(len(raw), bool)
    if not (blank.any() or minus.any()):
        return sample
    for name, value in (("(0, 0)", 0), ("(-1, -1)", -1)):
        number = int((raw == value).all(axis=1).sum())
        if number:
            counts[f"points written as {name}: taken as not labelled"] += number
    if minus.any():
        counts["points with a minus: taken as occluded"] += int(minus.sum())
    raw[minus] = -raw[minus]
    points = (raw - first).astype(np.float32)
    points[blank] = np.nan
    return replace(sample, points=points, visible=sample.visible & ~blank & ~minus)
