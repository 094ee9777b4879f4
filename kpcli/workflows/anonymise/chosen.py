"""Faces that the user names in a CSV: to keep bare, to cover alone, to cover too.

Columns: ``file``, and ``left, top, right, bottom`` with or without ``frame``, or ``face_id``.
A row with a box names the face whose box it overlaps, in its frame (without one: in every frame);
so do tables of annotate. A row with a ``face_id`` and no box names a face by the number that an
earlier run of anonymise gave it in covers.csv or leaks.csv, in all frames.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kpcli.errors import InputError
from kpcli.types import FaceBox

CORNERS = ("left", "top", "right", "bottom")
SAME = 0.35
"""IoU from which on a named box is a face's: annotate's boxes reach from the brows to the chin,
those that are covered from the hair line, which is an IoU of 0.75."""


@dataclass
class Named:
    """What a CSV names of one file; frame 0 stands for every frame."""

    boxes: dict[int, list[FaceBox]] = field(default_factory=lambda: defaultdict(list))
    ids: set[int] = field(default_factory=set)

    def at(self, frame: int) -> list[FaceBox]:
        """Boxes of a frame."""
        return [*self.boxes.get(frame, ()), *self.boxes.get(0, ())]

    def match(self, frame: int, places: list[FaceBox]) -> tuple[set[int], list[FaceBox]]:
        """Which of the places its boxes name, one each, and the boxes that name none."""
        named = self.at(frame)
        pairs = [
            (box.iou(place), b, p) for b, box in enumerate(named) for p, place in enumerate(places)
        ]
        found: dict[int, int] = {}
        for overlap, b, p in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if overlap >= SAME and b not in found and p not in found.values():
                found[b] = p
        return {*found.values()}, [box for b, box in enumerate(named) if b not in found]


class Chosen:
    """The CSV, by file.

    Raises
    ------
    InputError
        If it cannot be read, or a row says nothing that can be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, Named] = defaultdict(Named)
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file, skipinitialspace=True)
                self._check(reader.fieldnames or ())
                for row in reader:
                    self._add(row, reader.line_num)
        except FileNotFoundError as e:
            raise InputError(f"{path}: there is no such CSV of faces") from e
        except (OSError, UnicodeDecodeError, csv.Error) as e:
            raise InputError(f"{path}: not a readable CSV", actual=str(e)) from e

    def of(self, file: str) -> Named:
        """What is named of a file; names are relative to the folder, as in covers.csv."""
        return self._files.get(file, Named())

    def check(self, files: Iterable[str]) -> None:
        """Raise InputError if it names a file that is not there: a slip would bare a face."""
        unknown = sorted({*self._files} - {*files})
        if unknown:
            raise InputError(
                f"{self._path}: names files that are not there",
                expected="names relative to the folder, in the column `file`",
                actual=", ".join(unknown[:3]),
            )

    def _check(self, columns: Iterable[str]) -> None:
        there = set(columns)
        if "file" not in there or not ({*CORNERS} <= there or "face_id" in there):
            raise InputError(
                f"{self._path}: not a CSV of faces",
                expected="the columns file, and left, top, right, bottom (and frame), or face_id",
                actual=", ".join(sorted(there)[:8]) or "no header",
            )

    def _add(self, row: dict[str, str | None], line: int) -> None:
        corners = [(row.get(side) or "").strip() for side in CORNERS]
        try:
            name = (row["file"] or "").replace("\\", "/").removeprefix("./")
            named = self._files[name]
            if all(corners):
                frame = int(row.get("frame") or 0)
                box = FaceBox(*(float(corner) for corner in corners))
                if not (math.isfinite(box.area) and box.area > 0 and frame >= 0):
                    raise ValueError("a box without area")
                named.boxes[frame].append(box)
            elif row.get("face_id"):
                named.ids.add(int(row["face_id"] or ""))
            elif row.get("success") != "0":  # of annotate: a frame without a face
                raise ValueError("neither a box nor a face_id")
        except ValueError as e:
            raise InputError(f"{self._path}:{line}: a row that names no face", actual=str(e)) from e
