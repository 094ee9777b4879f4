"""Plain CSV: ``image, x_0, y_0, x_1, y_1 ..`` in pixels, a row a face.

The columns may stand in any order; points may have names (``nose_x, nose_y``); blanks are
unlabelled. ``split``, ``group``, a box (``left, top, right, bottom``) and ``v_0`` (0 unlabelled,
1 occluded, 2 visible) are taken where they are. Without a header: the picture, then x and y in
turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from kpcli.dataset_csv import META_COLUMNS, SPLITS
from kpcli.formats import celeba, deeplabcut, kaggle, via
from kpcli.formats.columns import Columns, of_header, of_values
from kpcli.formats.layout import find_files, split_of
from kpcli.formats.named_points import NamedFace, samples
from kpcli.formats.pictures import named
from kpcli.formats.reading import read_rows
from kpcli.formats.unlabelled import told
from kpcli.types import FaceBox, Note, Reject, Sample

_FOREIGN = ({"face_id", "success"}, {"facerectx"}, {"region_shape_attributes"})
"""Columns of tables that have readers of their own."""


def sniff(root: Path) -> bool:
    """Whether a CSV with a picture and points a row stands at or near ``root``."""
    return any(_columns(path) for path in _tables(root))


def read(root: Path) -> Iterator[Sample | Reject | Note]:
    """One sample a row."""
    return told(_read(root))


def _tables(root: Path) -> Iterator[Path]:
    for path in find_files(root, "*.csv", "*.tsv", depth=2):
        if not path.name.endswith((".rejects.csv", ".duplicates.csv", "_frames_keypoints.csv")):
            yield path


def _columns(path: Path) -> tuple[Columns, bool] | None:
    """A table's columns, and whether it has a header; None if it is not of this kind."""
    if celeba.sniff(path) or kaggle.sniff(path) or deeplabcut.sniff(path) or via.sniff(path):
        return None
    try:
        _, first = next(read_rows(path), (0, []))
    except (OSError, ValueError):
        return None
    names = {cell.strip().lower() for cell in first}
    if names >= set(META_COLUMNS) or any(names >= foreign for foreign in _FOREIGN):
        return None
    bare = of_values(first)
    if bare:
        return bare, False
    found = of_header(first)
    return (found, True) if found else None


def _read(root: Path) -> Iterator[Sample | Reject]:
    found: list[NamedFace] = []
    order: list[str] = []
    for path in _tables(root):
        about = _columns(path)
        if not about:
            continue
        columns, has_header = about
        order += columns.points
        rows = read_rows(path)
        width = 0
        try:
            for number, (line, values) in enumerate(rows):
                width = width or len(values)
                if number == 0 and has_header:
                    continue
                origin = f"{path}:{line}"
                try:
                    if len(values) != width:
                        raise ValueError(f"expected {width} values, found {len(values)}")
                    found.append(_face(values, columns, path, origin))
                except ValueError as e:
                    yield Reject(origin, "damaged label", str(e))
        except (ValueError, OSError) as e:
            yield Reject(str(path), "damaged file", str(e))
    yield from samples(found, root, list(dict.fromkeys(order)))


def _face(values: Sequence[str], columns: Columns, path: Path, origin: str) -> NamedFace:
    points = {}
    for name, (x, y, v) in columns.points.items():
        place = _number(values[x]), _number(values[y])
        flag = _number(values[v]) if v >= 0 else 2
        if math.isnan(place[0]) != math.isnan(place[1]):
            raise ValueError(f"the point {name[:60]!r} has one coordinate only")
        if not math.isnan(place[0]) and flag > 0:
            points[name] = (*place, flag >= 2)
    if not points:
        raise ValueError("no point is labelled")
    corners = [_number(values[i]) for i in columns.corners]
    split = _text(values, columns, "split", "set", "subset")
    return NamedFace(
        image=named(path.parent, values[columns.picture].strip()),
        label=path,
        origin=origin,
        points=points,
        box=FaceBox(*corners) if corners and not any(math.isnan(c) for c in corners) else None,
        split=split if split in SPLITS else split_of(split) or "",
        group=_text(values, columns, "group", "person", "subject", "video"),
    )


def _text(values: Sequence[str], columns: Columns, *names: str) -> str:
    return next((values[columns.others[n]].strip() for n in names if n in columns.others), "")


def _number(text: str) -> float:
    text = text.strip()
    return float(text) if text and text.lower() not in ("na", "n/a", "none", "null") else math.nan
