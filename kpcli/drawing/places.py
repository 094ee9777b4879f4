"""Places of the face by name, the same for every mark-up: ``left_eye``, ``mouth_right``, ``chin``.

"Left" is the left of the picture of an upright face, as in `kpcli.schemes`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import UsageError
from kpcli.scheme_definition import Group
from kpcli.schemes import WFLW98_TO_IBUG68, LandmarkScheme, scheme_name

FIVE = ("left_eye", "right_eye", "nose_tip", "mouth_left", "mouth_right")

_IBUG68 = {
    "jaw_left": 0, "chin": 8, "jaw_right": 16,
    "left_brow_outer": 17, "left_brow_inner": 21, "right_brow_inner": 22, "right_brow_outer": 26,
    "nose_bridge": 27, "nose_left": 31, "nose_bottom": 33, "nose_right": 35,
    "left_eye_outer": 36, "left_eye_inner": 39, "right_eye_inner": 42, "right_eye_outer": 45,
    "upper_lip_top": 51, "lower_lip_bottom": 57,
}  # fmt: skip

# Kaggle's names are of the person's own side.
_KAGGLE15 = {
    "left_brow_outer": 9, "left_brow_inner": 8, "right_brow_inner": 6, "right_brow_outer": 7,
    "left_eye_outer": 5, "left_eye_inner": 4, "right_eye_inner": 2, "right_eye_outer": 3,
    "upper_lip_top": 13, "lower_lip_bottom": 14,
}  # fmt: skip

_TABLES: Mapping[str, Mapping[str, int]] = {
    "ibug68": _IBUG68,
    "ibug51": {name: i - 17 for name, i in _IBUG68.items() if i >= 17},
    "wflw98": {name: WFLW98_TO_IBUG68[i] for name, i in _IBUG68.items()},
    "kaggle15": _KAGGLE15,
}
_NUMBERED = re.compile(r"(.+)_(\d+)\Z")


@lru_cache(maxsize=64)
def _places(name: str, points: tuple[str, ...], five: tuple[Group, ...]) -> Mapping[str, Group]:
    found: dict[str, list[int]] = {}
    for i, point in enumerate(points):
        if match := _NUMBERED.match(point):
            found.setdefault(match[1], []).append(i)
    groups = {place: tuple(numbers) for place, numbers in found.items()}
    groups |= {point: (i,) for i, point in enumerate(points)}
    groups |= {place: (i,) for place, i in _TABLES.get(scheme_name(name), {}).items()}
    return groups | dict(zip(FIVE, five, strict=False))


def places(scheme: LandmarkScheme) -> Mapping[str, Group]:
    """Every name that a sticker may use with a scheme, and the points whose mean is meant.

    The scheme's own point names; names that it numbers (``left_eye_0`` ..: all of them are
    ``left_eye``); and those above, where the scheme is a known one.
    """
    return _places(scheme.name, scheme.point_names, scheme.five)


def place(
    points: NDArray[np.floating], scheme: LandmarkScheme, names: Sequence[str]
) -> NDArray[np.float64]:
    """The mean (2,) of places of a face of points (N, 2); NaN where a point is missing."""
    known = places(scheme)
    means = [np.asarray(points, np.float64)[list(known[name])].mean(axis=0) for name in names]
    return np.asarray(np.mean(means, axis=0), np.float64)


def need(scheme: LandmarkScheme, names: Sequence[str], what: str) -> None:
    """Refuse a scheme that lacks one of these names.

    Raises
    ------
    UsageError
        Naming what is missing.
    """
    missing = sorted(set(names) - places(scheme).keys())
    if missing:
        raise UsageError(
            f"--draw {what}: the model's scheme {scheme.name} lacks points that it needs",
            expected=", ".join(missing),
            actual=", ".join(sorted(places(scheme))[:12]),
            next_step="another --draw, or a --model of another scheme, such as default",
        )
