"""DeepLabCut's CSVs (single animal): three header rows, then x, y, likelihood of every point.

Of a video ``dlc/FILE_FACE.csv``, a row for every frame, the index counting from 0. Where that
face is not seen, x and y are empty and the likelihood is 0, as DeepLabCut has it: a row that is
empty but for its index is taken by pandas for the index's name, and frame 0 is lost.
Of all still pictures ``dlc/pictures_FACE.csv``, numbered from 0 (readers such as `movement` take
no names), and ``dlc/pictures_FACE_files.csv`` with the name of each row's picture.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from kpcli.files import atomic_folder
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces
from kpcli.writers.landmark_csv import printed, quoted
from kpcli.writers.values import printed_rows

OUTPUT = "dlc"
PACKAGE = ""
SCORER = "kpcli"
PICTURES = "pictures"

HELD = 1 << 22
"""Characters that are held before they are written: a table is not opened for every row."""


class DlcFolder:
    """One table a face (of a video) or a place in the order of faces (of pictures)."""

    def __init__(self, folder: Path, scheme: LandmarkScheme) -> None:
        self._folder = folder
        self._header = _header(scheme.point_names)
        self._unseen = ",,,0.0000" * scheme.n_points
        self._held: dict[Path, list[str]] = {}
        self._size = 0
        self._begun: set[Path] = set()
        self._pictures: dict[int, int] = {}
        self._file = ""
        self._tables: dict[int, Path] = {}
        self._indices: list[int] = []

    def write(self, frame: FrameFaces) -> None:
        """Add one frame to the tables of all its faces."""
        if not frame.moving:
            for face in frame.faces:
                self._picture(frame.file, face)
            return
        if frame.file != self._file:
            self._file, self._tables, self._indices = frame.file, {}, []
            self._flush()
        faces = {face.track: face for face in frame.faces}
        for track in faces.keys() - self._tables.keys():
            # A face that comes late has not been seen in the frames before.
            self._tables[track] = self._folder / f"{frame.stem}_{track}.csv"
            self._add(self._tables[track], (f"{i}{self._unseen}\n" for i in self._indices))
        self._indices.append(frame.index - 1)
        for track, path in self._tables.items():
            seen = _values(faces[track]) if track in faces else self._unseen
            self._add(path, [f"{frame.index - 1}{seen}\n"])

    def _picture(self, file: str, face: Face) -> None:
        row = self._pictures.get(face.track, 0)
        self._pictures[face.track] = row + 1
        path = self._folder / f"{PICTURES}_{face.track}.csv"
        names = path.with_name(f"{PICTURES}_{face.track}_files.csv")
        self._add(path, [f"{row}{_values(face)}\n"])
        self._add(names, [f"{row},{printed(quoted(file))}\n"], "row,file\n")

    def _add(self, path: Path, rows: Iterable[str], header: str = "") -> None:
        if path not in self._begun:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()  # a name that is too long is this file's fault, not a later one's
        held = self._held.setdefault(path, [])
        if path not in self._begun:
            self._begun.add(path)
            held.append(header or self._header)
        for row in rows:
            held.append(row)
            self._size += len(row)
        if self._size > HELD:
            self._flush()

    def _flush(self) -> None:
        for path, rows in self._held.items():
            with path.open("a", newline="", encoding="utf-8") as file:
                file.writelines(rows)
        self._held, self._size = {}, 0

    def close(self) -> None:
        """All tables are complete."""
        self._flush()


def _header(names: Collection[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["scorer", *[SCORER] * (3 * len(names))])
    writer.writerow(["bodyparts", *[n for name in names for n in [name] * 3]])
    writer.writerow(["coords", *["x", "y", "likelihood"] * len(names)])
    return text.getvalue()


def _values(face: Face) -> str:
    known = np.asarray(np.isfinite(face.points).all(axis=1), bool)
    if known.all():
        table = np.hstack([face.points, face.point_confidences[:, None]])
        return "," + printed_rows(table, "%.3f,%.3f,%.4f")
    return "".join(
        f",{x:.3f},{y:.3f},{score:.4f}" if k else ",,,0.0000"
        for (x, y), score, k in zip(
            face.points.tolist(), face.point_confidences, known, strict=True
        )
    )


@contextmanager
def create(out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()) -> Iterator[DlcFolder]:
    """Writes ``out/dlc/``; see `kpcli.plug_ins.WriterModule`."""
    with atomic_folder(out / OUTPUT) as temporary, closing(DlcFolder(temporary, scheme)) as folder:
        yield folder
