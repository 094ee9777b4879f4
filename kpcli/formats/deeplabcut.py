"""DeepLabCut's CSVs: ``CollectedData_*.csv`` and tables of the same three or four header rows.

A row is a picture, by its path (in one cell, or in three of newer versions) or by a number: of a
video's table, whose frames count from 0. ``individuals`` are faces. Points without a place, or
with likelihood 0, are unlabelled.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kpcli.formats.layout import PICTURE_ENDINGS, find_files
from kpcli.formats.named_points import NamedFace, samples
from kpcli.formats.pictures import named
from kpcli.formats.reading import read_rows
from kpcli.types import Reject, Sample

_HEADS = ("scorer", "individuals", "bodyparts", "coords")
_TABLE = re.compile(r"(.+?)(?:_\d+)?\Z")


def sniff(root: Path) -> bool:
    """Whether a CSV with DeepLabCut's header stands at or below ``root``."""
    return any(_is_ours(path) for path in find_files(root, "*.csv"))


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a row and individual."""
    found: list[NamedFace] = []
    order: list[str] = []
    for path in find_files(root, "*.csv"):
        if not _is_ours(path):
            continue
        try:
            yield from _table(path, found, order)
        except (ValueError, OSError) as e:
            yield Reject(str(path), "damaged file", str(e))
    yield from samples(found, root, list(dict.fromkeys(order)))


def _is_ours(path: Path) -> bool:
    try:
        rows = read_rows(path, ",")
        first = [next(rows, (0, [""]))[1][0] for _ in range(3)]
    except (OSError, ValueError):
        return False
    return first[0] == "scorer" and "bodyparts" in first


def _table(path: Path, found: list[NamedFace], order: list[str]) -> Iterator[Reject]:
    rows = read_rows(path, ",")
    heads: dict[str, list[str]] = {}
    while "coords" not in heads:
        _, values = next(rows, (0, [""]))
        if values[0] not in _HEADS:
            raise ValueError("the header ends before `coords`")
        heads[values[0]] = values
    if "bodyparts" not in heads:
        raise ValueError("the header has no `bodyparts`")
    coords, parts = heads["coords"], heads["bodyparts"]
    # Newer versions keep the path in three cells, the header blank above the later two.
    first = next((i for i, c in enumerate(coords) if i and c in ("x", "y")), len(coords))
    order += [name for name in dict.fromkeys(parts[first:]) if name]
    people = heads.get("individuals", [""] * len(coords))
    files = _files(path)
    for line, values in rows:
        origin = f"{path}:{line}"
        try:
            image = _picture(path, [files.get(values[0], values[0]), *values[1:first]])
            row = _row(values, coords, parts, people, first)
        except ValueError as e:
            yield Reject(origin, "damaged label", str(e))
            continue
        for person, points in row.items():
            if points:
                also = {"individual": person} if person not in ("", "single") else {}
                video = image.parent.name if "labeled-data" in image.parts else ""
                if values[0].isdigit() and not files:
                    video = image.parent.name
                found.append(NamedFace(image, path, origin, points, attributes=also, group=video))


def _files(path: Path) -> dict[str, str]:
    """Row to picture, from the list that `kpcli annotate` writes beside a table of pictures."""
    beside = path.with_name(f"{path.stem}_files.csv")
    if not beside.is_file():
        return {}
    return {row[0]: row[1] for _, row in read_rows(beside, ",") if len(row) == 2}


def _row(
    values: Sequence[str],
    coords: Sequence[str],
    parts: Sequence[str],
    people: Sequence[str],
    first: int,
) -> dict[str, dict[str, tuple[float, float, bool]]]:
    """Individual to its points that have a place."""
    if len(values) != len(coords):
        raise ValueError(f"expected {len(coords)} values, found {len(values)}")
    cells: dict[str, dict[str, dict[str, float]]] = {}
    for value, coord, part, person in list(zip(values, coords, parts, people, strict=True))[first:]:
        number = float(value) if value.strip() else math.nan
        cells.setdefault(person, {}).setdefault(part, {})[coord] = number
    return {
        person: {
            name: (cell["x"], cell["y"], True)
            for name, cell in points.items()
            if not math.isnan(cell.get("x", math.nan) + cell.get("y", math.nan))
            and cell.get("likelihood", 1) > 0
        }
        for person, points in cells.items()
    }


def _picture(path: Path, index: Sequence[str]) -> Path:
    name = "/".join(cell for cell in index if cell)
    if name.isdigit():
        # Frames of a video: what `kpcli annotate` calls clip.mp4/000001.jpg is row 0 of
        # clip.mp4_0.csv.
        match = _TABLE.match(path.stem)
        video = match[1] if match else path.stem
        return named(path.parent, f"{video}/{int(name) + 1:06d}.jpg")
    if not name.lower().endswith(PICTURE_ENDINGS):
        raise ValueError(f"{name[:60]!r} is not a picture's name")
    # Paths start at the project's folder, two above the table.
    for base in (path.parent, path.parent.parent, path.parent.parent.parent):
        picture = named(base, name)
        if picture.is_file():
            return picture
    beside = named(path.parent, name.replace("\\", "/").rsplit("/", 1)[-1])
    return beside if beside.is_file() else named(path.parent, name)
