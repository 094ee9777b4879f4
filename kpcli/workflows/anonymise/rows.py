"""covers.csv: a row a face a frame, covered or left bare; leaks.csv has some of the same rows.

``left .. bottom`` is the face's box, hair line to chin, in pixels of the upright frame; what is
covered reaches further. ``kind``: ``seen`` by the detector, ``followed`` after it was last seen,
``before`` it was first seen, ``between`` two times, ``given`` by the user; ``kept`` bare as asked,
``suspect``: bare, for the score is too low. ``doubt`` is 0 to 1.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kpcli.types import FaceBox
from kpcli.workflows.anonymise.selection import Cover

OUTPUT = "covers.csv"
COLUMNS = (
    "file", "frame", "timestamp", "face_id", "left", "top", "right", "bottom", "score", "kind",
    "doubt", "gap", "covered",
)  # fmt: skip


class Row(NamedTuple):
    """A row of the table, read back."""

    file: str
    frame: int
    seconds: float
    face_id: int
    box: FaceBox
    kind: str
    doubt: float
    gap: float
    covered: bool


def header() -> bytes:
    """The header line."""
    return (",".join(COLUMNS) + "\n").encode()


def row(file: str, cover: Cover) -> bytes:
    """The line of a face in a frame."""
    box = cover.box
    values = [
        file, cover.frame, f"{cover.seconds:.6f}", cover.face_id, f"{box.left:.2f}",
        f"{box.top:.2f}", f"{box.right:.2f}", f"{box.bottom:.2f}", f"{box.score:.4f}", cover.kind,
        f"{cover.doubt:.3f}", f"{cover.gap:.3f}", int(cover.area is not None),
    ]  # fmt: skip
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode("utf-8", "backslashreplace")


def read(path: Path) -> Iterator[Row]:
    """The rows of the table, one by one."""
    with path.open(newline="", encoding="utf-8") as file:
        for r in csv.DictReader(file):
            left, top, right, bottom = (float(r[s]) for s in ("left", "top", "right", "bottom"))
            yield Row(
                r["file"], int(r["frame"]), float(r["timestamp"]), int(r["face_id"]),
                FaceBox(left, top, right, bottom, float(r["score"])), r["kind"], float(r["doubt"]),
                float(r["gap"]), r["covered"] == "1",
            )  # fmt: skip
