"""leaks.csv and leaks.jpg: what most deserves a look before the copies are given away."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from kpcli.batch.outcome import FileResult
from kpcli.drawing import contact_sheet, face_tile
from kpcli.files import CsvRows
from kpcli.images import write_image
from kpcli.schemes import IBUG68
from kpcli.sources import read_frames
from kpcli.types import FaceBox, Pixels
from kpcli.workflows.anonymise.rows import Row

TABLE, SHEET = "leaks.csv", "leaks.jpg"
MOST = 500
"""Rows of leaks.csv."""
TILES, COLUMNS, TILE = 60, 10, 160
"""Of the sheet; the side of a tile in pixels."""
AROUND = 3.0
"""Side of what a tile shows, over the face's."""
WORTH = 0.3
"""Doubt from which on a covered face is told."""


def risk(row: Row) -> float:
    """How much a row deserves a look, 0..1: what is bare, by its score, before what is covered."""
    if row.kind == "suspect":
        return min(1.0, 0.6 + row.box.score)
    return row.doubt / 2 if row.covered and row.doubt >= WORTH else 0.0


def reason(row: Row) -> str:
    """Why it does."""
    if row.kind == "suspect":
        return f"left bare: score {row.box.score:.2f}"
    if row.kind == "seen":
        return f"covered, perhaps no face: score {row.box.score:.2f}"
    where = {"before": "before the face was found", "followed": "after it was last found"}
    return f"not found here: {row.gap:.2f} s {where.get(row.kind, 'from where it was')}"


def doubtful(rows: Iterable[Row]) -> list[Row]:
    """The riskiest row of each face, riskiest first."""
    return heapq.nlargest(MOST, _worst(rows), key=lambda r: (risk(r), r.box.side))


def _worst(rows: Iterable[Row]) -> Iterator[Row]:
    """Of each file's faces, the riskiest row; memory holds one file's faces."""
    for _, mine in groupby(rows, key=lambda r: r.file):
        worst: dict[int, Row] = {}
        for row in mine:
            held = worst.get(row.face_id)
            if risk(row) > (risk(held) if held else 0.0):
                worst[row.face_id] = row
        yield from worst.values()


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """leaks.csv: the columns that ``--also``, ``--keep`` and ``--only`` read, and the reason."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = CsvRows(file)
        writer.writerow([
            "tile", "file", "frame", "timestamp", "face_id", "left", "top", "right", "bottom",
            "risk", "covered", "reason",
        ])  # fmt: skip
        for number, r in enumerate(rows, start=1):
            corners = [f"{v:.2f}" for v in r.box.corners]
            writer.writerow([
                number, r.file, r.frame, f"{r.seconds:.6f}", r.face_id, *corners,
                f"{risk(r):.3f}", int(r.covered), reason(r),
            ])  # fmt: skip


def write_sheet(path: Path, rows: Sequence[Row], out: Path, results: Sequence[FileResult]) -> None:
    """leaks.jpg: the first rows' places in the copies, as they are now, numbered as the table."""
    copies = {r.file: out / r.overlay for r in results if r.overlay}
    shown = [row for row in rows[:TILES] if row.file in copies]
    tiles: dict[Row, Pixels] = {}
    for file in dict.fromkeys(row.file for row in shown):
        mine = {n: row for n, row in enumerate(rows[:TILES], start=1) if row.file == file}
        tiles |= dict(_cut(copies[file], mine))
    if tiles:
        write_image(path, contact_sheet([tiles[row] for row in shown if row in tiles], COLUMNS))


def _cut(copy: Path, rows: Mapping[int, Row]) -> Iterator[tuple[Row, Pixels]]:
    """Tiles of a copy's frames; ``rows`` are by their number in the table."""
    last = max(row.frame for row in rows.values())
    for number, frame in enumerate(read_frames(copy), start=1):
        for n, row in rows.items():
            if row.frame == number:
                yield row, _tile(frame.pixels, row.box, str(n))
        if number >= last:
            return


def _tile(pixels: Pixels, box: FaceBox, label: str) -> Pixels:
    tile = face_tile(pixels, box, (), IBUG68, size=TILE, label=label, scale=AROUND)
    half = np.array([box.width, box.height]) / box.side * TILE / AROUND / 2
    (left, top), (right, bottom) = (np.rint(TILE / 2 + sign * half).astype(int) for sign in (-1, 1))
    cv2.rectangle(tile, (int(left), int(top)), (int(right), int(bottom)), (255, 200, 0), 1)
    return tile
