"""OpenFace 2.2's CSVs, one a file: that part of its columns which a landmark tool knows.

A video's is what FeatureExtraction writes, ``frame`` from 1, zeros where no face was found; a
picture's is what FaceLandmarkImg writes, a row a face. Where the head's pose is known,
``pose_Rx, pose_Ry, pose_Rz`` are OpenFace's: radians, positive downwards, to the left of the
picture, clockwise. Its ``pose_T*`` need the camera's focal length and are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO

from kpcli.files import atomic_folder
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces
from kpcli.writers.landmark_csv import Extra
from kpcli.writers.values import euler_xyz, pose_of, printed_numbers

OUTPUT = "openface"
PACKAGE = ""
_POSE = ("pose_Rx", "pose_Ry", "pose_Rz")


class OpenFaceFolder:
    """``openface/FILE.csv`` in a mirror of the annotated folder."""

    def __init__(self, folder: Path, n_points: int, *, pose: bool) -> None:
        self._folder = folder
        self._pose = pose
        self._values = [
            *(_POSE if pose else ()),
            *(f"{a}_{i}" for a in "xy" for i in range(n_points)),
        ]
        # What a video's frame without a face has.
        self._zeros = ",0.000" * (3 * pose) + ",0.0" * (2 * n_points)
        self._name = ""
        self._open = ExitStack()
        self._file: IO[str] | None = None

    def write(self, frame: FrameFaces) -> None:
        """Add the rows of one frame."""
        if frame.file != self._name or self._file is None:
            self._name, self._file = frame.file, self._begin(frame)
        if frame.moving:
            start = f"{frame.index},{{}},{frame.seconds:.3f},{{:.2f}},{{}}"
            lines = [
                start.format(f.track, f.confidence, 1) + self._numbers(f) for f in frame.faces
            ] or [start.format(0, 0.0, 0) + self._zeros]
        else:
            lines = [f"{f.track},{f.confidence:.2f}{self._numbers(f)}" for f in frame.faces]
        self._file.writelines(line + "\n" for line in lines)

    def _begin(self, frame: FrameFaces) -> IO[str]:
        self._open.close()
        path = self._folder / f"{frame.stem}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = self._open.enter_context(path.open("w", encoding="utf-8"))
        first = ["frame", "face_id", "timestamp", "confidence", "success"]
        first = first if frame.moving else ["face", "confidence"]
        file.write(",".join([*first, *self._values]) + "\n")
        return file

    def _numbers(self, face: Face) -> str:
        pose = pose_of(face)
        # OpenFace has a number in every place.
        angles = "".join(f",{v:.3f}" for v in (euler_xyz(pose) if pose else (0, 0, 0)))
        points = printed_numbers(face.points.T, "%.1f", "nan")
        return f"{angles if self._pose else ''},{points}"

    def close(self) -> None:
        """The last file is complete."""
        self._open.close()


@contextmanager
def create(
    out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()
) -> Iterator[OpenFaceFolder]:
    """Writes ``out/openface/``; see `kpcli.plug_ins.WriterModule`."""
    with (
        atomic_folder(out / OUTPUT) as temporary,
        closing(OpenFaceFolder(temporary, scheme.n_points, pose=Extra.POSE in extras)) as folder,
    ):
        yield folder
