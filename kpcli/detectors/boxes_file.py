"""Boxes that you already have, from a CSV.

Columns ``file, left, top, right, bottom`` and, optionally, ``frame`` (from 1) and ``score`` or
``confidence``; others are ignored, so kpcli's own landmarks.csv serves. Pixels, origin at the
centre of the top-left pixel. ``file`` may be any trailing part of the picture's path (such as
the name relative to the annotated folder), or any path whose file name occurs once in the CSV.
A row without a frame counts for every frame of the file; a row without a box says "no face".
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from kpcli.errors import InputError, UsageError
from kpcli.types import FaceBox, Frame

GIVEN = True
"""The boxes are given, not found: in videos, every frame has its own."""
REQUIRED = ("file", "left", "top", "right", "bottom")
Key = tuple[str, ...]


class BoxesFile:
    """Looks boxes up by file and frame."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._boxes: dict[tuple[Key, int | None], list[FaceBox]] = defaultdict(list)
        self._by_name: dict[str, set[Key]] = defaultdict(set)
        self._read()

    def check(self, paths: Iterable[Path]) -> None:
        """Raise InputError if the CSV names none of these files: every face would be missed."""
        paths = list(paths)
        if not paths or any(self._key(path) is not None for path in paths):
            return
        named = sorted("/".join(key) for keys in self._by_name.values() for key in keys)
        raise InputError(
            f"{self._path}: names none of the {len(paths)} pictures or videos",
            expected=f"names such as {paths[0].name}, in the column `file`",
            actual=", ".join(named[:3]) or "no row",
            next_step="write the files' own names into the column `file`",
        )

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """Best score first; see `kpcli.plug_ins.Detector`."""
        return [self._lookup(frame.source, frame.index) for frame in frames]

    def _lookup(self, path: Path, index: int) -> list[FaceBox]:
        key = self._key(path)
        if key is None:
            return []
        boxes = [*self._boxes.get((key, index), ()), *self._boxes.get((key, None), ())]
        return sorted(boxes, key=lambda box: -box.score)

    def _key(self, path: Path) -> Key | None:
        """The CSV's name of this file: the longest that the path ends with, else by file name."""
        names = self._by_name.get(path.name, set())
        parts = path.absolute().parts
        fitting = [key for key in names if parts[-len(key) :] == key]
        if fitting:
            return max(fitting, key=len)
        if len(names) > 1:
            raise InputError(
                f"{self._path}: several rows could mean {path}",
                expected="names relative to the annotated folder",
                actual=", ".join(sorted("/".join(key) for key in names)[:3]),
                next_step="write the column `file` relative to the annotated folder",
            )
        return next(iter(names), None)

    def _read(self) -> None:
        try:
            with self._path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file, skipinitialspace=True)
                missing = [c for c in REQUIRED if c not in (reader.fieldnames or ())]
                if missing:
                    raise InputError(
                        f"{self._path}: not a CSV of face boxes",
                        expected=f"the columns {', '.join(REQUIRED)}; frame and score if known",
                        actual=f"without {', '.join(missing)}",
                    )
                for row in reader:
                    self._add(row, reader.line_num)
        except FileNotFoundError as e:
            raise InputError(f"{self._path}: there is no such CSV of boxes") from e
        except (OSError, UnicodeDecodeError, csv.Error) as e:
            raise InputError(f"{self._path}: not a readable CSV", actual=str(e)) from e

    def _add(self, row: dict[str, str | None], line: int) -> None:
        name = row["file"] or ""
        key = PurePosixPath(name.replace("\\", "/").removeprefix("./")).parts
        if not key:
            raise InputError(f"{self._path}:{line}: a row without a file name")
        self._by_name[key[-1]].add(key)
        corners = [(row[side] or "").strip() for side in REQUIRED[1:]]
        if not any(corners):
            return
        try:
            left, top, right, bottom = (float(v) for v in corners)
            box = FaceBox(left, top, right, bottom, _score(row))
            number = row.get("frame")
            frame = int(number) if number else None
        except ValueError as e:
            raise InputError(f"{self._path}:{line}: a damaged row", actual=str(e)) from e
        values = (box.left, box.top, box.right, box.bottom, box.score)
        if not all(math.isfinite(v) for v in values) or box.width <= 0 or box.height <= 0:
            raise InputError(
                f"{self._path}:{line}: a box without area",
                expected="left < right and top < bottom, in pixels",
                actual=", ".join(corners),
            )
        self._boxes[(key, frame)].append(box)


def _score(row: dict[str, str | None]) -> float:
    text = row.get("score") or row.get("confidence") or ""
    return float(text) if text else 1.0


def create(argument: str | None, size: int = 0, device: str = "") -> BoxesFile:
    """Takes the CSV's path; the size is of no meaning."""
    if not argument:
        raise UsageError(
            "the detector 'boxes_file' needs a CSV", expected="boxes_file:CSV", actual="boxes_file"
        )
    return BoxesFile(Path(argument))
