"""landmarks.csv: a row a face a frame, and a row for a frame without a face.

Columns: ``file, frame, timestamp, face_id, left, top, right, bottom, confidence, success,
x_0..x_{N-1}, y_0..y_{N-1}, confidence_0..confidence_{N-1}``, then what `Extra` adds. ``file`` is
relative to the annotated folder; ``frame`` counts from 1; ``timestamp`` is in seconds;
coordinates are pixels of the frame as players show it (upright, square pixels: see
`kpcli.sources.display`), origin at the centre of the top-left pixel. Without a face, ``success`` is
0 and face, box and coordinates are empty. Numbers are printed with fixed digits, so that equal
results are equal bytes.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import InputError
from kpcli.files import atomic_path
from kpcli.options import NO_SMOOTHING, AnnotateOptions, FaceOptions
from kpcli.schemes import IBUG68, LandmarkScheme
from kpcli.types import Face, FaceBox, FrameFaces, HeadPose, Measures
from kpcli.writers.values import measured, pose_of, printed_numbers

OUTPUT = "landmarks.csv"
PACKAGE = ""
_FACE = ("left", "top", "right", "bottom", "confidence", "success")


class Extra(StrEnum):
    """Optional columns at the end."""

    POSE = "pose"
    """``yaw, pitch, roll`` in degrees."""
    SMOOTH = "smooth"
    """``smooth_x_0.., smooth_y_0..``: the points, smoothed over time."""
    MEASURES = "measures"
    """``ear_left .. doubtful``: the fields of `Measures`."""
    CROP = "crop"
    """``crop``: the face's picture, relative to the output folder."""

    def columns(self, n_points: int) -> list[str]:
        """Names of the columns."""
        if self is Extra.POSE:
            return ["yaw", "pitch", "roll"]
        if self is Extra.MEASURES:
            return list(Measures._fields)
        if self is Extra.CROP:
            return ["crop"]
        return [f"smooth_{axis}_{i}" for axis in "xy" for i in range(n_points)]


def columns(n_points: int, extras: Sequence[Extra] = ()) -> list[str]:
    """The header's names."""
    names = ["file", "frame", "timestamp", "face_id", *_FACE]
    for prefix in ("x", "y", "confidence"):
        names += [f"{prefix}_{i}" for i in range(n_points)]
    for extra in extras:
        names += extra.columns(n_points)
    return names


def header(n_points: int, extras: Sequence[Extra] = ()) -> bytes:
    """The header line."""
    return (",".join(columns(n_points, extras)) + "\n").encode()


def optional(options: FaceOptions, scheme: LandmarkScheme) -> tuple[Extra, ...]:
    """The optional columns of a run; head pose is known of 68-point schemes only."""
    wanted = {
        Extra.POSE: options.pose and scheme.name == IBUG68.name,
        Extra.SMOOTH: options.smooth != NO_SMOOTHING,
        Extra.MEASURES: options.measures,
        Extra.CROP: isinstance(options, AnnotateOptions) and options.crops,
    }
    return tuple(extra for extra in Extra if wanted[extra])


class RowPrinter:
    """Prints what stands after the file's name in the rows of a frame."""

    def __init__(self, n_points: int, extras: Sequence[Extra] = ()) -> None:
        self._extras = extras
        blanks = 3 * n_points + sum(len(e.columns(n_points)) for e in extras)
        self._no_face = ",,,,,,0.0000,0" + "," * blanks
        self._no_pose, self._no_points = ",,", "," * (2 * n_points - 1)

    def __call__(self, frame: FrameFaces) -> list[str]:
        """A text a row, of a frame without a face one."""
        start = f"{frame.index},{frame.seconds:.6f}"
        return [start + self._face(face) for face in frame.faces] or [start + self._no_face]

    def _face(self, face: Face) -> str:
        box = face.box
        parts = [
            f",{face.track},{box.left:.3f},{box.top:.3f},{box.right:.3f},{box.bottom:.3f}"
            f",{face.confidence:.4f},1",
            printed_numbers(face.points.T, "%.3f"),
            printed_numbers(face.point_confidences, "%.4f"),
        ]
        if Extra.POSE in self._extras:
            pose = pose_of(face)
            parts.append(f"{pose[0]:.2f},{pose[1]:.2f},{pose[2]:.2f}" if pose else self._no_pose)
        if Extra.SMOOTH in self._extras:
            points = face.smoothed
            parts.append(self._no_points if points is None else printed_numbers(points.T, "%.3f"))
        if Extra.MEASURES in self._extras:
            parts.append(printed_numbers(measured(face), "%.4f"))
        if Extra.CROP in self._extras:
            parts.append(quoted(face.crop))
        return ",".join(parts)


class RowWriter:
    """Writes the rows of frames, without a header, to an open binary file."""

    def __init__(self, file: BinaryIO, n_points: int, extras: Sequence[Extra] = ()) -> None:
        self._file = file
        self._rows = RowPrinter(n_points, extras)

    def write(self, frame: FrameFaces) -> None:
        """Add the rows of one frame."""
        name = quoted(frame.file)
        text = "".join(f"{name},{row}\n" for row in self._rows(frame))
        self._file.write(printed(text).encode())


def printed(name: str) -> str:
    r"""A file name as the CSV has it: bytes that are no valid Unicode show as \udcXX."""
    return name.encode("utf-8", "backslashreplace").decode()


def quoted(name: str) -> str:
    """A value of a CSV, between quotes where it needs them."""
    if not any(c in name for c in ',"\r\n'):
        return name
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def create(out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()) -> Iterator[RowWriter]:
    """Writes ``out/landmarks.csv``; see `kpcli.plug_ins.WriterModule`."""
    chosen = [extra for extra in Extra if extra in extras]
    with atomic_path(out / OUTPUT) as temporary, temporary.open("wb") as file:
        file.write(header(scheme.n_points, chosen))
        yield RowWriter(file, scheme.n_points, chosen)


def columns_of(path: Path) -> list[str]:
    """The names in the header of a landmarks.csv; none where there is no such file."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().rstrip("\n").split(",")
    except (OSError, UnicodeDecodeError):
        return []


def extras_of(path: Path) -> list[Extra]:
    """The optional columns of a landmarks.csv; none where there is no such file."""
    names = columns_of(path)
    return [extra for extra in Extra if extra.columns(1)[0] in names]


def read_frames(
    path: Path,
    describe: Callable[[str, int], tuple[int, int, bool]] = lambda file, frame: (0, 0, False),
) -> Iterator[FrameFaces]:
    """The frames of a landmarks.csv, in its order.

    Parameters
    ----------
    path : Path
    describe : callable
        Gives (width, height, moving) of a file's frame by its number; the CSV does not hold them.

    Raises
    ------
    InputError
        If the file is missing, not ours or damaged; names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield from parse_frames(file, path, describe)
    except FileNotFoundError as e:
        raise InputError(f"{path}: there is no such file") from e


def parse_frames(
    lines: Iterable[str], path: Path, describe: Callable[[str, int], tuple[int, int, bool]]
) -> Iterator[FrameFaces]:
    """The frames in lines that begin with the header; ``path`` is for messages.

    Raises
    ------
    InputError
        As `read_frames` does.
    """
    try:
        reader = csv.reader(lines)
        names = next(reader, [])
        n = sum(name.startswith("x_") for name in names)
        extras = [e for e in Extra if n and e.columns(n)[0] in names]
        if not n or names != columns(n, extras):
            raise InputError(f"{path}: not a landmarks.csv of `kpcli annotate`")
        index = {name: i for i, name in enumerate(names)}
        for (name, number), rows in groupby(reader, key=lambda row: tuple(row[:2])):
            group = [_checked(row, index, path, reader.line_num) for row in rows]
            seconds = float(group[0][2])
            faces = tuple(_face(r, index, n, extras) for r in group if r[index["success"]] == "1")
            width, height, moving = describe(name, int(number))
            yield FrameFaces(name, int(number), seconds, width, height, faces, moving)
    except (UnicodeDecodeError, csv.Error, ValueError) as e:
        raise InputError(f"{path}: a damaged landmarks.csv", actual=str(e)) from e


def _checked(row: list[str], index: Mapping[str, int], path: Path, line: int) -> list[str]:
    if len(row) != len(index):
        raise InputError(
            f"{path}:{line}: a row of another length than the header",
            expected=f"{len(index)} values",
            actual=f"{len(row)}",
        )
    return row


def _face(row: list[str], index: Mapping[str, int], n: int, extras: Sequence[Extra]) -> Face:
    def numbers(first: str, count: int) -> NDArray[np.float32]:
        start = index[first]
        return np.array([float(v) if v else np.nan for v in row[start : start + count]], np.float32)

    left, top, right, bottom, confidence = (
        float(v) for v in row[index["left"] : index["confidence"] + 1]
    )
    return Face(
        FaceBox(left, top, right, bottom, confidence),
        points=numbers("x_0", 2 * n).reshape(2, n).T.copy(),
        point_confidences=numbers("confidence_0", n),
        confidence=confidence,
        track=int(row[3]),
        pose=HeadPose(*map(float, numbers("yaw", 3))) if Extra.POSE in extras else None,
        smoothed=numbers("smooth_x_0", 2 * n).reshape(2, n).T if Extra.SMOOTH in extras else None,
        measures=Measures._make(map(float, numbers(Measures._fields[0], len(Measures._fields))))
        if Extra.MEASURES in extras
        else None,
        crop=row[index["crop"]] if Extra.CROP in extras else "",
    )
