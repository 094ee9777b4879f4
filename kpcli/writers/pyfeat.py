"""The table of py-feat (its Fex), as ``feat.utils.io.read_feat`` reads it.

``frame`` counts from 0; a frame without a face is a row of empty values; angles are in degrees,
``Yaw`` is positive to the left of the picture as py-feat has it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from kpcli.files import atomic_path
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces

OUTPUT = "pyfeat.csv"
PACKAGE = ""


class PyFeatTable:
    """Rows of all files, one after the other."""

    def __init__(self, path: Path, n_points: int) -> None:
        self._file = path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
        self._writer = csv.writer(self._file, lineterminator="\n")
        box = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
        points = [f"{axis}_{i}" for axis in "xy" for i in range(n_points)]
        face = [*box, *points, "Pitch", "Roll", "Yaw"]
        self._writer.writerow([*face, "FrameHeight", "FrameWidth", "input", "frame", "approx_time"])
        self._none = [""] * len(face)

    def write(self, frame: FrameFaces) -> None:
        """Add the rows of one frame."""
        minutes, seconds = divmod(int(frame.seconds), 60)
        end = [frame.height, frame.width, frame.file, frame.index - 1, f"{minutes:02}:{seconds:02}"]
        for face in [_face(face) for face in frame.faces] or [self._none]:
            self._writer.writerow([*face, *end])

    def close(self) -> None:
        """The table is complete."""
        self._file.close()


def _face(face: Face) -> list[str]:
    box = face.box
    yaw, pitch, roll = (float(v) for v in face.pose or (np.nan,) * 3)
    rect = [box.left, box.top, box.width, box.height]
    numbers = [f"{v:.3f}" for v in [*rect, face.confidence, *face.points.T.ravel()]]
    return numbers + [f"{v:.2f}" if np.isfinite(v) else "" for v in (pitch, roll, -yaw)]


@contextmanager
def create(out: Path, scheme: LandmarkScheme) -> Iterator[PyFeatTable]:
    """Writes ``out/pyfeat.csv``; see `kpcli.catalogue.WriterModule`."""
    with (
        atomic_path(out / OUTPUT) as temporary,
        closing(PyFeatTable(temporary, scheme.n_points)) as table,
    ):
        yield table
