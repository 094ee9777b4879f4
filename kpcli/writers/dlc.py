"""DeepLabCut's CSVs (single animal): three header rows, then x, y, likelihood of every point.

Of a video ``dlc/FILE_FACE.csv``, a row for every frame, empty where that face is not seen, the
index counting from 0; of all still pictures ``dlc/pictures_FACE.csv``, indexed by their names.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kpcli.files import atomic_folder
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces, Prediction

OUTPUT = "dlc"
SCORER = "kpcli"
PICTURES = "pictures"


class DlcFolder:
    """One table a face (of a video) or a place in the order of faces (of pictures)."""

    def __init__(self, folder: Path, scheme: LandmarkScheme) -> None:
        self._folder = folder
        self._names = scheme.point_names
        self._blank = [""] * (3 * scheme.n_points)
        self._begun: set[Path] = set()
        self._file = ""
        self._tables: dict[int, Path] = {}
        self._indices: list[int] = []

    def write(self, frame: FrameFaces) -> None:
        """Add one frame to the tables of all its faces."""
        if not frame.moving:
            for face in frame.faces:
                path = self._folder / f"{PICTURES}_{face.track}.csv"
                self._append(path, [[frame.file, *_values(face)]])
            return
        if frame.file != self._file:
            self._file, self._tables, self._indices = frame.file, {}, []
        faces = {face.track: face for face in frame.faces}
        for track in faces.keys() - self._tables.keys():
            # A face that comes late has not been seen in the frames before.
            self._tables[track] = self._folder / f"{frame.stem}_{track}.csv"
            self._append(self._tables[track], ([i, *self._blank] for i in self._indices))
        self._indices.append(frame.index - 1)
        for track, path in self._tables.items():
            seen = _values(faces[track]) if track in faces else self._blank
            self._append(path, [[frame.index - 1, *seen]])

    def _append(self, path: Path, rows: Iterable[list[object]]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file, lineterminator="\n")
            if path not in self._begun:
                self._begun.add(path)
                writer.writerow(["scorer", *[SCORER] * (3 * len(self._names))])
                writer.writerow(["bodyparts", *[n for name in self._names for n in [name] * 3]])
                writer.writerow(["coords", *["x", "y", "likelihood"] * len(self._names)])
            writer.writerows(rows)


def _values(face: Prediction) -> list[str]:
    return [
        text
        for (x, y), score in zip(face.points, face.scores, strict=True)
        for text in (f"{x:.3f}", f"{y:.3f}", f"{score:.4f}")
    ]


@contextmanager
def create(out: Path, scheme: LandmarkScheme) -> Iterator[DlcFolder]:
    """Writes ``out/dlc/``; see `kpcli.catalogue.WriterModule`."""
    with atomic_folder(out / OUTPUT) as temporary:
        yield DlcFolder(temporary, scheme)
