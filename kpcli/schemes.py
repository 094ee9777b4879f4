"""Landmark schemes (mark-ups): names, left/right pairs, edges, regions, normalisers, conversions.

"Left" means the left side of the picture of an upright face, except in point names that
come from a dataset which names the person's own side (Kaggle's).
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import InputError, UsageError
from kpcli.scheme_definition import MOST_POINTS, Group, definition, from_definition, named_scheme
from kpcli.scheme_definition import LandmarkScheme as LandmarkScheme


def _span(first: int, last: int) -> Group:
    return tuple(range(first, last + 1))


def _path(*points: int, closed: bool = False) -> tuple[tuple[int, int], ...]:
    pairs = list(itertools.pairwise(points))
    if closed:
        pairs.append((points[-1], points[0]))
    return tuple(pairs)


def _flip(n_points: int, pairs: Iterable[tuple[int, int]]) -> Group:
    order = list(range(n_points))
    for a, b in pairs:
        order[a], order[b] = b, a
    return tuple(order)


def _numbered(**regions: int) -> tuple[str, ...]:
    return tuple(f"{name}_{i}" for name, count in regions.items() for i in range(count))


# Tables of point numbers, packed by hand.
# fmt: off
_IBUG68_PAIRS = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    *((36, 45), (37, 44), (38, 43), (39, 42), (41, 46), (40, 47)),
    *((31, 35), (32, 34)),
    *((48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)),
)

IBUG68 = LandmarkScheme(
    name="ibug68",
    point_names=_numbered(
        jaw=17, left_brow=5, right_brow=5, nose=9, left_eye=6, right_eye=6, outer_lip=12,
        inner_lip=8,
    ),
    flip_order=_flip(68, _IBUG68_PAIRS),
    edges=(
        *_path(*_span(0, 16)), *_path(*_span(17, 21)), *_path(*_span(22, 26)),
        *_path(*_span(27, 30)), *_path(*_span(31, 35)), *_path(*_span(36, 41), closed=True),
        *_path(*_span(42, 47), closed=True), *_path(*_span(48, 59), closed=True),
        *_path(*_span(60, 67), closed=True),
    ),
    regions={
        "jaw": _span(0, 16), "brows": _span(17, 26), "nose": _span(27, 35),
        "eyes": _span(36, 47), "mouth": _span(48, 67),
    },
    normalisers={"ocular": ((36,), (45,)), "pupil": (_span(36, 41), _span(42, 47))},
    default_normaliser="ocular",
    five=(_span(36, 41), _span(42, 47), (30,), (48,), (54,)),
)

IBUG51 = LandmarkScheme(
    name="ibug51",
    point_names=IBUG68.point_names[17:],
    flip_order=tuple(i - 17 for i in IBUG68.flip_order[17:]),
    edges=tuple((a - 17, b - 17) for a, b in IBUG68.edges if a >= 17 and b >= 17),
    regions={k: tuple(i - 17 for i in v) for k, v in IBUG68.regions.items() if k != "jaw"},
    normalisers={"ocular": ((19,), (28,)), "pupil": (_span(19, 24), _span(25, 30))},
    default_normaliser="ocular",
    five=(_span(19, 24), _span(25, 30), (13,), (31,), (37,)),
    tight_box=False,
)

_WFLW98_PAIRS = (
    *((i, 32 - i) for i in range(16)),
    *((33, 46), (34, 45), (35, 44), (36, 43), (37, 42), (38, 50), (39, 49), (40, 48), (41, 47)),
    *((60, 72), (61, 71), (62, 70), (63, 69), (64, 68), (65, 75), (66, 74), (67, 73)),
    *((55, 59), (56, 58)),
    *((76, 82), (77, 81), (78, 80), (87, 83), (86, 84), (88, 92), (89, 91), (95, 93)),
    (96, 97),
)

WFLW98 = LandmarkScheme(
    name="wflw98",
    point_names=(
        *_numbered(jaw=33, left_brow=9, right_brow=9, nose=9, left_eye=8, right_eye=8,
                   outer_lip=12, inner_lip=8),
        "left_pupil", "right_pupil",
    ),
    flip_order=_flip(98, _WFLW98_PAIRS),
    edges=(
        *_path(*_span(0, 32)), *_path(*_span(33, 41), closed=True),
        *_path(*_span(42, 50), closed=True), *_path(*_span(51, 54)), *_path(*_span(55, 59)),
        *_path(*_span(60, 67), closed=True), *_path(*_span(68, 75), closed=True),
        *_path(*_span(76, 87), closed=True), *_path(*_span(88, 95), closed=True),
    ),
    regions={
        "jaw": _span(0, 32), "brows": _span(33, 50), "nose": _span(51, 59),
        "eyes": (*_span(60, 75), 96, 97), "mouth": _span(76, 95),
    },
    normalisers={"ocular": ((60,), (72,)), "pupil": ((96,), (97,))},
    default_normaliser="ocular",
    five=((96,), (97,), (54,), (76,), (82,)),
)

# Pairs as HRNet's COFW configuration has them (its MATCHED_PARTS, made 0-based).
_COFW29_PAIRS = (
    (0, 1), (4, 6), (2, 3), (5, 7), (8, 9), (10, 11), (12, 14), (16, 17), (13, 15), (18, 19),
    (22, 23),
)

COFW29 = LandmarkScheme(
    name="cofw29",
    point_names=(
        "left_brow_outer", "right_brow_outer", "left_brow_inner", "right_brow_inner",
        "left_brow_top", "left_brow_bottom", "right_brow_top", "right_brow_bottom",
        "left_eye_outer", "right_eye_outer", "left_eye_inner", "right_eye_inner",
        "left_eye_top", "left_eye_bottom", "right_eye_top", "right_eye_bottom",
        "left_pupil", "right_pupil", "nose_left", "nose_right", "nose_tip", "nose_bottom",
        "mouth_left", "mouth_right", "upper_lip_top", "upper_lip_bottom", "lower_lip_top",
        "lower_lip_bottom", "chin",
    ),
    flip_order=_flip(29, _COFW29_PAIRS),
    edges=(
        (0, 4), (4, 2), (2, 5), (5, 0), (1, 6), (6, 3), (3, 7), (7, 1), (8, 12), (12, 10),
        (10, 13), (13, 8), (9, 14), (14, 11), (11, 15), (15, 9), (18, 20), (20, 19), (18, 21),
        (21, 19), (22, 24), (24, 23), (23, 27), (27, 22), (22, 25), (25, 23), (23, 26), (26, 22),
    ),
    regions={
        "brows": _span(0, 7), "eyes": _span(8, 17), "nose": _span(18, 21),
        "mouth": _span(22, 27), "jaw": (28,),
    },
    normalisers={"ocular": ((8,), (9,)), "pupil": ((16,), (17,))},
    default_normaliser="ocular",
    five=((16,), (17,), (20,), (22,), (23,)),
    tight_box=False,
)

KAGGLE15 = LandmarkScheme(
    name="kaggle15",
    point_names=(
        "left_eye_center", "right_eye_center", "left_eye_inner_corner", "left_eye_outer_corner",
        "right_eye_inner_corner", "right_eye_outer_corner", "left_eyebrow_inner_end",
        "left_eyebrow_outer_end", "right_eyebrow_inner_end", "right_eyebrow_outer_end",
        "nose_tip", "mouth_left_corner", "mouth_right_corner", "mouth_center_top_lip",
        "mouth_center_bottom_lip",
    ),
    flip_order=_flip(15, ((0, 1), (2, 4), (3, 5), (6, 8), (7, 9), (11, 12))),
    edges=((6, 7), (8, 9), (2, 0), (0, 3), (4, 1), (1, 5), (11, 13), (13, 12), (12, 14), (14, 11)),
    regions={
        "brows": _span(6, 9), "eyes": _span(0, 5), "nose": (10,), "mouth": _span(11, 14),
    },
    normalisers={"ocular": ((5,), (3,)), "pupil": ((1,), (0,))},
    default_normaliser="pupil",
    # Kaggle names the person's own side: its right eye is on the left of the picture.
    five=((1,), (0,), (10,), (12,), (11,)),
    tight_box=False,
)

CELEBA5 = LandmarkScheme(
    name="celeba5",
    point_names=("left_eye", "right_eye", "nose_tip", "mouth_left", "mouth_right"),
    flip_order=_flip(5, ((0, 1), (3, 4))),
    edges=((0, 2), (1, 2), (2, 3), (2, 4), (3, 4)),
    regions={"eyes": (0, 1), "nose": (2,), "mouth": (3, 4)},
    normalisers={"pupil": ((0,), (1,))},
    default_normaliser="pupil",
    five=((0,), (1,), (2,), (3,), (4,)),
    tight_box=False,
)

# fmt: on

SCHEMES: dict[str, LandmarkScheme] = {
    s.name: s for s in (IBUG68, WFLW98, COFW29, KAGGLE15, CELEBA5, IBUG51)
}

_GENERIC = re.compile(r"points(\d+)\Z")


def get_scheme(name: str) -> LandmarkScheme:
    """A known scheme by name; ``pointsN``: N points of which nothing else is known; or an own one.

    Own schemes go by their definition (see `key_of`): a sample needs nothing else beside it.

    Raises
    ------
    UsageError
        If no scheme has this name.
    """
    if name in SCHEMES:
        return SCHEMES[name]
    if is_own(name):
        return from_definition(name)
    match = _GENERIC.match(name)
    if match and 0 < int(match[1][:9]) <= MOST_POINTS:
        return LandmarkScheme(name, tuple(f"point_{i}" for i in range(int(match[1]))))
    raise UsageError(
        f"unknown landmark scheme {name!r}",
        expected=", ".join((*SCHEMES, "pointsN (N points of your own)")),
        next_step="choose one of these names",
    )


def key_of(scheme: LandmarkScheme) -> str:
    """What `get_scheme` finds this scheme by: its name, or an own one's definition."""
    if scheme.name in SCHEMES and SCHEMES[scheme.name].point_names == scheme.point_names:
        return scheme.name
    if is_plain(scheme):
        return scheme.name
    return sys.intern(definition(scheme))


def is_own(key: str) -> bool:
    """Whether `key_of` a user's scheme."""
    return key.startswith("{")


def scheme_name(key: str) -> str:
    """The name of the scheme with this key, also of rows that have boxes only."""
    return from_definition(key).name if is_own(key) else key


def is_plain(scheme: LandmarkScheme) -> bool:
    """Whether nothing but the number of points is known."""
    return scheme == LandmarkScheme(
        f"points{scheme.n_points}", tuple(f"point_{i}" for i in range(scheme.n_points))
    )


def scheme_of_names(names: Sequence[str], edges: Iterable[tuple[int, int]] = ()) -> str:
    """The key of the scheme with exactly these point names, known or the user's own.

    Names that are numbers, in order from 0 or 1, tell no more than how many there are, where
    that number is a known scheme's.

    Raises
    ------
    UsageError
        If they cannot be point names (doubled, empty).
    """
    for scheme in SCHEMES.values():
        if tuple(names) == scheme.point_names:
            return scheme.name
    known = scheme_for_count(len(names))
    numbers = [int(name) if name.isascii() and name.isdigit() else -1 for name in names]
    if known in SCHEMES and numbers in (list(range(len(names))), list(range(1, len(names) + 1))):
        return known
    return key_of(named_scheme(names, edges))


def scheme_for_count(n_points: int) -> str:
    """The iBUG-family scheme with this number of points, else ``pointsN``."""
    known = {68: "ibug68", 51: "ibug51", 29: "cofw29", 5: "celeba5", 98: "wflw98"}
    return known.get(n_points, f"points{n_points}")


# fmt: off
WFLW98_TO_IBUG68: Group = (
    *range(0, 33, 2), *range(33, 38), *range(42, 47), *range(51, 60), 60, 61, 63, 64, 65, 67,
    68, 69, 71, 72, 73, 75, *range(76, 96),
)
# fmt: on
"""Index of the WFLW point that stands for each of the 68 iBUG points, as is common practice."""


@lru_cache(maxsize=1024)
def _groups(source: str, target: str) -> tuple[Group, ...] | None:
    """For each target point, the source points whose mean it is."""
    if (source, target) == ("wflw98", "ibug68"):
        return tuple((i,) for i in WFLW98_TO_IBUG68)
    if (source, target) == ("ibug68", "ibug51"):
        return tuple((i,) for i in range(17, 68))
    if (source, target) == ("wflw98", "ibug51"):
        return tuple((i,) for i in WFLW98_TO_IBUG68[17:])
    if target == "celeba5" and get_scheme(source).five:
        return get_scheme(source).five
    return _by_name(get_scheme(source), get_scheme(target))


def _by_name(source: LandmarkScheme, target: LandmarkScheme) -> tuple[Group, ...] | None:
    """The points that have the target's names, if those of the source mean anything."""
    if is_plain(source) or is_plain(target):
        # The same number of points, in a file that names them and in one that does not.
        same = source.name == target.name and source.n_points == target.n_points
        return tuple((i,) for i in range(source.n_points)) if same else None
    places = {name: i for i, name in enumerate(source.point_names)}
    if not all(name in places for name in target.point_names):
        return None
    return tuple((places[name],) for name in target.point_names)


@lru_cache(maxsize=1024)
def can_convert(source: str, target: str) -> bool:
    """Whether points of one scheme can be turned into the other."""
    return source == target or _groups(source, target) is not None


def convert_points(points: NDArray[np.float32], source: str, target: str) -> NDArray[np.float32]:
    """Points (N, 2) of scheme ``source`` as scheme ``target`` (M, 2); NaN stays NaN.

    Raises
    ------
    InputError
        If there is no published map between the two.
    """
    if source == target:
        return points
    groups = _groups(source, target)
    if groups is None:
        raise InputError(
            f"points of scheme {source} cannot be converted to {target}",
            expected="wflw98 -> ibug68, ibug51; any known scheme -> celeba5",
            next_step="prepare the datasets separately, or choose another --scheme",
        )
    return np.stack([points[list(g)].mean(axis=0) for g in groups]).astype(np.float32)


def convert_visible(visible: NDArray[np.bool_], source: str, target: str) -> NDArray[np.bool_]:
    """Visibility flags (N,) carried along with `convert_points`: all of a group must be visible."""
    groups = None if source == target else _groups(source, target)
    if groups is None:
        return visible
    return np.array([bool(visible[list(g)].all()) for g in groups])


def five_points(points: NDArray[np.float32], scheme: LandmarkScheme) -> NDArray[np.float32] | None:
    """Eyes, nose tip, mouth corners (5, 2), or None where the scheme does not tell."""
    if not scheme.five:
        return None
    members, starts, sizes = _members(scheme.five)
    return (np.add.reduceat(points[members], starts, axis=0) / sizes).astype(np.float32)


@lru_cache(maxsize=64)
def _members(
    five: tuple[Group, ...],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Groups of points one after the other, where each begins, and of how many it is (G, 1)."""
    sizes = np.array([len(group) for group in five])
    members = np.array([i for group in five for i in group])
    return members, np.cumsum(sizes) - sizes, sizes[:, None]
