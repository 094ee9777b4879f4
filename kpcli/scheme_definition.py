"""What a landmark scheme is, and the small file in which people write their own.

The file is JSON::

    {"name": "hand21",
     "points": ["wrist", "thumb_1", "left_index", "right_index"],
     "pairs": [["left_index", "right_index"]],
     "edges": [["wrist", "thumb_1"]],
     "normaliser": ["wrist", "thumb_1"]}

Points are named, or numbered from 0, in ``pairs``, ``edges`` and ``normaliser``; all three may be
left out. Without ``pairs`` it is not known what a mirrored picture looks like, and faces of the
scheme are never mirrored; an empty list says that every point mirrors onto itself.
"""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from kpcli.errors import InputError, UsageError

Group = tuple[int, ...]
OWN = "own"
"""Name of the normaliser that a scheme file defines."""
MOST_POINTS = 10_000
LARGEST = 1 << 20
"""Most bytes of a scheme file that is read."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}\Z")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}


@dataclass(frozen=True)
class LandmarkScheme:
    """One mark-up of the face.

    Parameters
    ----------
    name : str
    point_names : tuple of str
        One name a point; its length is the number of points.
    flip_order : tuple of int
        ``points[flip_order]`` are the points of the mirrored face; empty where unknown
        (then faces of this scheme are never mirrored).
    edges : tuple of (int, int)
        Pairs of points to join when drawing.
    regions : mapping of str to tuple of int
        Face parts for reports.
    normalisers : mapping of str to (Group, Group)
        Name of an NME normaliser to the two groups of points whose mean positions span it.
        ``box`` is always available besides these.
    default_normaliser : str
    five : tuple of 5 Groups, or empty
        Left eye, right eye, nose tip, left and right mouth corner, each a group to average.
    tight_box : bool
        Whether the points span the whole face (brows to chin), so that their bounding box is
        the landmark box; else the box is fitted through ``five``.
    """

    name: str
    point_names: tuple[str, ...]
    flip_order: Group = ()
    edges: tuple[tuple[int, int], ...] = ()
    regions: Mapping[str, Group] = field(default_factory=dict)
    normalisers: Mapping[str, tuple[Group, Group]] = field(default_factory=dict)
    default_normaliser: str = "box"
    five: tuple[Group, ...] = ()
    tight_box: bool = True

    @property
    def n_points(self) -> int:
        return len(self.point_names)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a card."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LandmarkScheme:
        """The scheme that `to_json` wrote."""

        def group(items: Iterable[int]) -> Group:
            return tuple(int(i) for i in items)

        return cls(
            name=str(values["name"]),
            point_names=tuple(values["point_names"]),
            flip_order=group(values.get("flip_order", ())),
            edges=tuple((int(a), int(b)) for a, b in values.get("edges", ())),
            regions={k: group(v) for k, v in values.get("regions", {}).items()},
            normalisers={
                k: (group(a), group(b)) for k, (a, b) in values.get("normalisers", {}).items()
            },
            default_normaliser=str(values.get("default_normaliser", "box")),
            five=tuple(group(g) for g in values.get("five", ())),
            tight_box=bool(values.get("tight_box", True)),
        )


def definition(scheme: LandmarkScheme) -> str:
    """The scheme as one line of JSON, always the same for the same scheme."""
    values: dict[str, Any] = {"name": scheme.name, "points": list(scheme.point_names)}
    if scheme.flip_order:
        values["pairs"] = [[a, b] for a, b in enumerate(scheme.flip_order) if a < b]
    if scheme.edges:
        values["edges"] = [list(edge) for edge in scheme.edges]
    if OWN in scheme.normalisers:
        values["normaliser"] = [list(group) for group in scheme.normalisers[OWN]]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=256)
def from_definition(text: str) -> LandmarkScheme:
    """The scheme that `definition` or a person wrote.

    Raises
    ------
    UsageError
        If it is none; says what is wrong.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise _wrong(f"not JSON: {e}") from e
    if not isinstance(values, dict):
        raise _wrong("not an object")
    unknown = sorted(values.keys() - {"name", "points", "pairs", "edges", "normaliser"})
    if unknown:
        raise _wrong(f"unknown key {unknown[0]!r}")
    name = values.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise _wrong(f"the name {name!r} is not of letters, digits, _ . + -")
    points = _point_names(values.get("points"))
    pairs = values.get("pairs")
    spans = _spans(values.get("normaliser"), points)
    return LandmarkScheme(
        name=name,
        point_names=points,
        flip_order=() if pairs is None else _flip(_pairs(pairs, points, "pairs"), len(points)),
        edges=_pairs(values.get("edges", []), points, "edges"),
        normalisers={OWN: spans} if spans else {},
        default_normaliser=OWN if spans else "box",
    )


def read_definition(path: Path) -> LandmarkScheme:
    """The scheme of a file.

    Raises
    ------
    InputError
        If it cannot be read, or is no scheme.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST:
            raise InputError(f"{path}: not a small file", expected="a scheme file (JSON)")
        return from_definition(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read", actual=str(e)) from e
    except UsageError as e:
        raise InputError(f"{path}: not a scheme file", expected=e.expected, actual=e.actual) from e


def named_scheme(names: Sequence[str], edges: Iterable[tuple[int, int]] = ()) -> LandmarkScheme:
    """A scheme of points of which only names are known, and perhaps what to join.

    It is called ``pointsN``. Names that differ by left and right alone are its pairs; where
    there are none, it is not known what mirrors onto what.

    Raises
    ------
    UsageError
        If names are empty, doubled or too many.
    """
    points = _point_names(list(names))
    partner = {name: _other_side(name) for name in points}
    flip: Group = ()
    places = {name: i for i, name in enumerate(points)}
    if any(partner.values()) and all(p in places for p in partner.values() if p):
        flip = tuple(places[partner[name] or name] for name in points)
        if any(flip[flip[i]] != i for i in range(len(flip))):
            flip = ()
    known = range(len(points))
    joined = tuple((a, b) for a, b in edges if a != b and a in known and b in known)
    return LandmarkScheme(f"points{len(points)}", points, flip_order=flip, edges=joined)


def _other_side(name: str) -> str | None:
    """``left_ear`` for ``right_ear``, ``R-eye`` for ``L-eye``; None where no side is named."""
    for match in _WORD.finditer(name):
        other = _SIDES.get(match[0].lower())
        if other:
            new = other.upper() if match[0].isupper() else other
            new = new.capitalize() if match[0].istitle() else new
            return name[: match.start()] + new + name[match.end() :]
    return None


def _wrong(problem: str) -> UsageError:
    return UsageError(
        "not a landmark scheme",
        expected='{"name": .., "points": [names], "pairs": [[a, b]], "edges": [[a, b]], '
        '"normaliser": [a, b]}',
        actual=problem,
    )


def is_point_name(name: object) -> bool:
    """Whether a value can be a point's name."""
    return isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable()


def _point_names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not 0 < len(names) <= MOST_POINTS:
        raise _wrong(f"points is not a list of 1 to {MOST_POINTS} names")
    for name in names:
        if not is_point_name(name):
            raise _wrong(f"{name!r} is not a point's name")
    if len(set(names)) < len(names):
        doubled = Counter(names).most_common(1)[0][0]
        raise _wrong(f"the name {doubled!r} stands twice")
    return tuple(names)


def _number(value: object, points: Sequence[str]) -> int:
    if isinstance(value, str) and value in points:
        return points.index(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(points):
        return value
    raise _wrong(f"{value!r} is not a point")


def _pairs(values: object, points: Sequence[str], key: str) -> tuple[tuple[int, int], ...]:
    if not isinstance(values, list) or len(values) > 10 * MOST_POINTS:
        raise _wrong(f"{key} is not a list")
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in values):
        raise _wrong(f"{key} is not a list of two points each")
    return tuple((_number(a, points), _number(b, points)) for a, b in values)


def _flip(pairs: Iterable[tuple[int, int]], n_points: int) -> Group:
    order = list(range(n_points))
    for a, b in pairs:
        if a == b or order[a] != a or order[b] != b:
            raise _wrong(f"point {a if order[a] != a else b} stands in two pairs")
        order[a], order[b] = b, a
    return tuple(order)


def _spans(values: object, points: Sequence[str]) -> tuple[Group, Group] | None:
    """The two groups of points between whose means the normaliser is measured."""
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != 2:
        raise _wrong("normaliser is not of two points, or two lists of points")
    groups = [v if isinstance(v, list) else [v] for v in values]
    if not all(groups):
        raise _wrong("normaliser is not of two points, or two lists of points")
    first, second = (tuple(_number(v, points) for v in group) for group in groups)
    if set(first) == set(second):
        raise _wrong("normaliser is of one place only")
    return first, second
