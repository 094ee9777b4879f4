"""Which columns of a table hold points, and which the picture, its face and the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from kpcli.formats.layout import PICTURE_ENDINGS

PICTURE_NAMES = (
    "image", "file", "filename", "file_name", "image_name", "imagename", "image_path", "filepath",
    "file_path", "path", "img", "img_path", "image_id", "picture", "frame_name", "name", "id", "",
)  # fmt: skip
_CORNERS = (
    ("box_left", "box_top", "box_right", "box_bottom"),
    ("left", "top", "right", "bottom"),
    ("xmin", "ymin", "xmax", "ymax"),
)
_BEFORE = re.compile(r"([xyv])[_. -]?(.+)\Z", re.IGNORECASE)
_AFTER = re.compile(r"(.+?)[_. -]([xyv])\Z", re.IGNORECASE)


@dataclass(slots=True)
class Columns:
    """Column numbers of a table; ``points`` is name to (x, y, v or -1) in the header's order."""

    picture: int
    points: dict[str, tuple[int, int, int]]
    corners: tuple[int, ...] = ()
    others: dict[str, int] = field(default_factory=dict)


def of_header(header: Sequence[str]) -> Columns | None:
    """The columns of ``image, x_0, y_0 ..``, ``image, nose_x, nose_y ..`` or ``file, 0, 1 ..``."""
    names = [cell.strip().lstrip("#") for cell in header]
    lower = [name.lower() for name in names]
    picture = next((lower.index(name) for name in PICTURE_NAMES if name in lower), -1)
    if picture < 0:
        return None
    others = {name: i for i, name in enumerate(lower) if i != picture}
    corners = next((c for c in _CORNERS if all(name in others for name in c)), ())
    taken = {picture, *(others[c] for c in corners)}
    found = _points({i: n for i, n in enumerate(names) if i not in taken})
    if not found:
        numbers = [i for i in range(len(names)) if i not in taken and names[i].isdigit()]
        if len(numbers) < 4 or len(numbers) % 2:
            return None
        found = _interleaved(numbers)
    return Columns(picture, found, tuple(others[c] for c in corners), others)


def of_values(row: Sequence[str]) -> Columns | None:
    """The columns of a table without a header: a picture's name, then x and y in turn."""
    if len(row) < 3 or len(row) % 2 == 0 or not row[0].lower().endswith(PICTURE_ENDINGS):
        return None
    try:
        for cell in row[1:]:
            float(cell or "nan")
    except ValueError:
        return None
    return Columns(0, _interleaved(range(1, len(row))))


def _points(names: dict[int, str]) -> dict[str, tuple[int, int, int]]:
    for pattern, axis_first in ((_BEFORE, True), (_AFTER, False)):
        found: dict[str, dict[str, int]] = {}
        for i, name in names.items():
            match = pattern.match(name)
            if match:
                axis, point = (match[1], match[2]) if axis_first else (match[2], match[1])
                found.setdefault(point, {})[axis.lower()] = i
        whole = {
            p: (a["x"], a["y"], a.get("v", -1)) for p, a in found.items() if {"x", "y"} <= a.keys()
        }
        if whole:
            return whole
    return {}


def _interleaved(numbers: Sequence[int]) -> dict[str, tuple[int, int, int]]:
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return {str(i): (x, y, -1) for i, (x, y) in enumerate(pairs)}
