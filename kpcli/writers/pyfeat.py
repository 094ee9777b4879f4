"""The table of py-feat 2 (its Fex), as ``feat.utils.io.read_feat`` reads it.

``frame`` counts from 0; a frame without a face is a row of empty values. Angles are in radians,
as py-feat's have been since 2.0 and as its plots take them: ``Pitch`` is positive upwards,
``Roll`` clockwise, ``Yaw`` to the left of the picture. ``X, Y, Z`` are there because ``fex.poses``
asks for them, and empty: the head's place needs the camera's focal length.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kpcli.files import atomic_path
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces
from kpcli.writers.landmark_csv import printed, quoted
from kpcli.writers.values import euler_xyz, pose_of, printed_numbers

OUTPUT = "pyfeat.csv"
PACKAGE = ""
_POSE = ("Pitch", "Roll", "Yaw", "X", "Y", "Z")


class PyFeatTable:
    """Rows of all files, one after the other."""

    def __init__(self, path: Path, n_points: int) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        box = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
        points = [f"{axis}_{i}" for axis in "xy" for i in range(n_points)]
        face = [*box, *points, *_POSE]
        names = [*face, "FrameHeight", "FrameWidth", "input", "frame", "approx_time"]
        self._file.write(",".join(names) + "\n")
        self._none = "," * (len(face) - 1)

    def write(self, frame: FrameFaces) -> None:
        """Add the rows of one frame."""
        minutes, seconds = divmod(int(max(frame.seconds, 0)), 60)
        name = printed(quoted(frame.file))
        end = f"{frame.height},{frame.width},{name},{frame.index - 1},{minutes:02}:{seconds:02}\n"
        rows = [_face(face) for face in frame.faces] or [self._none]
        self._file.writelines(f"{row},{end}" for row in rows)

    def close(self) -> None:
        """The table is complete."""
        self._file.close()


def _face(face: Face) -> str:
    box, pose = face.box, pose_of(face)
    rect = f"{box.left:.3f},{box.top:.3f},{box.width:.3f},{box.height:.3f},{face.confidence:.3f}"
    angles = ",,"
    if pose:
        x, y, z = euler_xyz(pose)
        angles = f"{-x:.4f},{z:.4f},{y:.4f}"
    return f"{rect},{printed_numbers(face.points.T, '%.3f')},{angles},,,"


@contextmanager
def create(
    out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()
) -> Iterator[PyFeatTable]:
    """Writes ``out/pyfeat.csv``; see `kpcli.plug_ins.WriterModule`."""
    with (
        atomic_path(out / OUTPUT) as temporary,
        closing(PyFeatTable(temporary, scheme.n_points)) as table,
    ):
        yield table
