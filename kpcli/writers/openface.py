"""OpenFace 2.2's CSVs, one a file: that part of its columns which a landmark tool knows.

A video's is what FeatureExtraction writes, ``frame`` from 1, zeros where no face was found; a
picture's is what FaceLandmarkImg writes, a row a face.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kpcli.files import atomic_folder
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces, Prediction

OUTPUT = "openface"


class OpenFaceFolder:
    """``openface/FILE.csv`` in a mirror of the annotated folder."""

    def __init__(self, folder: Path, n_points: int) -> None:
        self._folder = folder
        self._points = [f"{axis}_{i}" for axis in "xy" for i in range(n_points)]
        self._file = ""

    def write(self, frame: FrameFaces) -> None:
        """Add the rows of one frame."""
        lines = []
        if frame.file != self._file:
            self._file = frame.file
            lines.append(self._header(frame.moving))
        if frame.moving:
            start = f"{frame.index},{{}},{frame.seconds:.3f},{{:.2f}},{{}}"
            zeros = ",0.0" * len(self._points)
            lines += [start.format(f.track, f.confidence, 1) + _points(f) for f in frame.faces] or [
                start.format(0, 0.0, 0) + zeros
            ]
        else:
            lines += [f"{f.track},{f.confidence:.2f}{_points(f)}" for f in frame.faces]
        path = self._folder / f"{frame.stem}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)

    def _header(self, moving: bool) -> str:
        first = ["frame", "face_id", "timestamp", "confidence", "success"]
        return ",".join([*(first if moving else ["face", "confidence"]), *self._points])


def _points(face: Prediction) -> str:
    return "".join(f",{v:.1f}" for v in face.points.T.ravel())


@contextmanager
def create(out: Path, scheme: LandmarkScheme) -> Iterator[OpenFaceFolder]:
    """Writes ``out/openface/``; see `kpcli.catalogue.WriterModule`."""
    with atomic_folder(out / OUTPUT) as temporary:
        yield OpenFaceFolder(temporary, scheme.n_points)
