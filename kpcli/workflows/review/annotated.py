"""Annotate's results as a collection: frames are read from the table when they are asked for."""

from __future__ import annotations

import csv
import io
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kpcli.errors import InputError
from kpcli.formats.review import ANNOTATED, Header
from kpcli.schemes import LandmarkScheme, key_of
from kpcli.types import Face, FrameFaces
from kpcli.workflows.results import Results
from kpcli.workflows.review.faces import Known
from kpcli.workflows.review.ranking import Candidate, of_frames
from kpcli.writers.landmark_csv import OUTPUT, parse_frames


class Annotated:
    """The faces of an output folder; see `kpcli.workflows.review.faces.Collection`."""

    splits: frozenset[str] = frozenset()

    def __init__(self, folder: Path, root: Path | None, model: str | None) -> None:
        self._results = Results.open(folder)
        self._table = folder / OUTPUT
        self._root = self._results.root(root)
        self._places = {Path(p).name: Path(p) for p in self._inputs()}
        named = self._results.run.get("options", {}).get("model")
        self.model = model or (str(named) if named else None)
        self.header = Header(
            key_of(self.scheme), ANNOTATED, str(self._table.resolve()), folder.resolve().name
        )
        self._header, self._files = _index(self._table)

    @property
    def scheme(self) -> LandmarkScheme:
        return self._results.scheme

    def _inputs(self) -> list[str]:
        options = self._results.run.get("options", {})
        return [] if options.get("folder", True) else [str(p) for p in options.get("inputs") or []]

    def candidates(self) -> list[Candidate]:
        """Of each face at most one a second of a video."""
        return of_frames(self._results.frames())

    def path(self, file: str) -> Path:
        """Below the annotated folder, or where the file itself was named."""
        for path in (self._root / file if self._root else None, self._places.get(file)):
            if path is not None and path.is_file():
                return path
        raise InputError(
            f"{file}: the source is not there",
            expected=f"a file below {self._root}" if self._root else "the annotated folder",
            next_step="say where the sources are with --root",
        )

    def faces(self, file: str, frame: int) -> Sequence[Known]:
        """The faces of the table's rows."""
        found = self._frame(file, frame)
        return [_known(face) for face in found.faces] if found else []

    def frames(self, file: str) -> Sequence[int]:
        """Numbers of the frames that were annotated."""
        return self._files[file].frames if file in self._files else ()

    def _frame(self, file: str, frame: int) -> FrameFaces | None:
        place = self._files.get(file)
        at = bisect_left(place.frames, frame) if place else 0
        if place is None or at >= len(place.frames) or place.frames[at] != frame:
            return None
        with self._table.open("rb") as table:
            table.seek(place.starts[at])
            data = table.read(place.starts[at + 1] - place.starts[at])
        lines = io.StringIO((self._header + data).decode("utf-8"), newline="")
        return next(parse_frames(lines, self._table, lambda name, number: (0, 0, False)), None)


def _known(face: Face) -> Known:
    return Known(
        str(face.track), face.points, np.asarray(np.isfinite(face.points).all(axis=1), np.bool_),
        face.box,
        face.point_confidences, face.confidence,
    )  # fmt: skip


class _File:
    """Where the rows of each frame begin, in bytes, and where those of the last end."""

    def __init__(self) -> None:
        self.frames = array("q")
        self.starts = array("q")


def _index(table: Path) -> tuple[bytes, dict[str, _File]]:
    """The header line, and each file's frames: 16 bytes a frame."""
    files: dict[str, _File] = {}
    with table.open("rb") as rows:
        header = rows.readline()
        last = None
        end = len(header)
        for name, frame, size in _rows(rows):
            if last != (name, frame):
                place = files.setdefault(name, _File())
                del place.starts[len(place.frames) :]
                place.frames.append(frame)
                place.starts.append(end)
                last = name, frame
            end += size
            del place.starts[len(place.frames) :]
            place.starts.append(end)
    return header, files


def _rows(lines: Iterator[bytes]) -> Iterator[tuple[str, int, int]]:
    """File, frame and bytes of each row; a quoted name may hold commas and line feeds."""
    for line in lines:
        text, size = line, len(line)
        if not line.startswith(b'"'):
            name, frame, _ = text.split(b",", 2)
            yield name.decode("utf-8"), int(frame), size
            continue
        while text.count(b'"') % 2:
            text += next(lines)
        row = next(csv.reader(io.StringIO(text.decode("utf-8"), newline="")))
        yield row[0], int(row[1]), len(text)
