"""What a page says of a landmarks.csv, from one pass over it; memory does not grow with rows."""

from __future__ import annotations

import heapq
import math
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from kpcli.geometry import box_to_unit
from kpcli.inference.measures import DOUBT
from kpcli.inference.summaries import GOOD, FileSummary, Row, is_doubtful
from kpcli.sources.folder import is_video
from kpcli.types import Face, FrameFaces
from kpcli.workflows.report.timeline import TimeLine

DOUBTFUL, SURE, EMPTY = 48, 24, 16
"""Most pictures on the page of doubtful faces, of other faces, and of frames without a face."""
A_FILE = 4
"""Most pictures of doubtful faces that come from one file."""
VIDEOS = 30
"""Most videos with a time line: those that most need a look."""
FILES = 1000
"""Most rows of the table of files: those that most need a look."""
PERSONS = 500
"""Most rows of the table of persons."""


@dataclass(frozen=True)
class Look:
    """A frame to show: the face to cut out, or None for the whole frame."""

    file: str
    frame: int
    seconds: float
    face: Face | None
    moving: bool = False

    @property
    def doubt(self) -> float:
        """More is worse: what the confidence lacks, and the share of doubtful points."""
        if self.face is None:
            return 0.0
        weak = float((self.face.point_confidences < DOUBT).mean()) if len(self.face.points) else 0.0
        return 1 - self.face.confidence + weak


@dataclass
class Histogram:
    """Counts of values between edges; what lies beyond is counted in the outermost."""

    edges: tuple[float, ...]
    counts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.edges) - 1)

    def add(self, value: float) -> None:
        """Count one value; NaN is none."""
        if math.isfinite(value):
            at = bisect_right(self.edges, value) - 1
            self.counts[min(max(at, 0), len(self.counts) - 1)] += 1


def _even(low: float, high: float, steps: int) -> Histogram:
    return Histogram(tuple(low + (high - low) * i / steps for i in range(steps + 1)))


def _histograms() -> dict[str, Histogram]:
    return {
        "confidence": _even(0.3, 1, 14),
        "size": Histogram((0, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024)),
        "doubtful": _even(0, 1, 10),
        "yaw": _even(-90, 90, 18),
        "pitch": _even(-60, 60, 12),
        "roll": _even(-90, 90, 18),
        "eyes": _even(0, 0.5, 20),
        "mouth": _even(0, 1, 20),
        "faces": Histogram((0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50, 100)),
    }


T = TypeVar("T")


@dataclass
class Best(Generic[T]):
    """The ``limit`` items of the highest rank, of any number."""

    limit: int
    items: list[tuple[tuple[float, ...], int, T]] = field(default_factory=list)
    count: int = 0

    def add(self, rank: tuple[float, ...], item: T) -> None:
        """Keep it if it is among the best."""
        self.count += 1
        entry = (rank, -self.count, item)
        if len(self.items) < self.limit:
            heapq.heappush(self.items, entry)
        elif entry > self.items[0]:
            heapq.heapreplace(self.items, entry)

    def __iter__(self) -> Iterator[T]:
        return iter(item for _, _, item in sorted(self.items, reverse=True))


class Digest:
    """Takes all frames of a table, file by file."""

    def __init__(self) -> None:
        self.histograms = _histograms()
        self.frames = self.faces = self.doubtful_faces = self.doubtful_files = 0
        self.rows: dict[str, Row] = {}
        """Of each file, its summary; as long as they are few (`FILES`), then only the worst."""
        self._files: Best[Row] = Best(FILES)
        self.lines: Best[TimeLine] = Best(VIDEOS)
        self.persons: Best[Row] = Best(PERSONS)
        self._doubtful: Best[Look] = Best(DOUBTFUL)
        self._sure: Best[Look] = Best(SURE)
        self._empty: Best[Look] = Best(EMPTY)
        self._points: NDArray[np.float64] | None = None
        self._confidences = np.zeros(0)
        self._mapped = 0

    def read(self, frames: Iterable[FrameFaces]) -> None:
        """All of them."""
        for file, group in groupby(frames, key=lambda f: f.file):
            self._read_file(file, group)
        self.rows = {str(row["file"]): row for row in self._files}

    def _read_file(self, file: str, frames: Iterable[FrameFaces]) -> None:
        summary, line, looks = FileSummary(file), TimeLine(file), _Looks(file)
        for frame in frames:
            self.frames += 1
            self.histograms["faces"].add(len(frame.faces))
            summary.add(frame)
            line.add(frame)
            looks.add(frame)
            for face in frame.faces:
                self._count(face)
        row = summary.row()
        worst = (float(row["verdict"] != GOOD), float(row["share_without_face"]),
                 float(row["share_doubtful"]))  # fmt: skip
        self._files.add(worst, row)
        self.doubtful_files += row["verdict"] != GOOD
        for person in summary.persons():
            self.persons.add((float(person["frames"]),), person)
        if line.frames > 1 or is_video(Path(file)):
            self.lines.add((worst[0], worst[1] + worst[2]), line)
        for look in looks.doubtful():
            self._doubtful.add((look.doubt,), look)
        for one, best in ((looks.sure, self._sure), (looks.empty, self._empty)):
            if one is not None:
                best.add((_draw(one.file, one.frame),), one)

    def _count(self, face: Face) -> None:
        self.faces += 1
        self.doubtful_faces += is_doubtful(face)
        add = self.histograms
        add["confidence"].add(face.confidence)
        add["size"].add(face.box.area**0.5)
        add["doubtful"].add(float((face.point_confidences < DOUBT).mean()))
        if face.pose is not None:
            for name, value in zip(("yaw", "pitch", "roll"), face.pose, strict=True):
                add[name].add(value)
        if face.measures is not None:
            add["eyes"].add(face.measures.ear)
            add["mouth"].add(face.measures.mouth_open)
        self._map(face)

    def _map(self, face: Face) -> None:
        if self._points is None:
            self._points = np.zeros(face.points.shape)
            self._confidences = np.zeros(len(face.points))
        if not (face.box.side > 0 and np.isfinite(face.points).all()):
            return
        if face.pose is None or abs(face.pose.roll) < 20:
            self._points += box_to_unit(face.points, face.box)
            self._confidences += face.point_confidences
            self._mapped += 1

    def face_map(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Mean place (N, 2) in the box and mean confidence (N,) of the points of upright faces."""
        if self._points is None or not self._mapped:
            return None
        return self._points / self._mapped, self._confidences / self._mapped

    def looks(self) -> tuple[list[Look], list[Look], list[Look]]:
        """Doubtful faces, the worst first; others; frames without a face."""
        return list(self._doubtful), list(self._sure), list(self._empty)

    def counts(self) -> tuple[int, int, int]:
        """How many there were to choose from: doubtful faces, and files of the other two kinds."""
        return self.doubtful_faces, self._sure.count, self._empty.count


class _Looks:
    """The frames of one file that are worth showing."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._doubtful: dict[tuple[int, int], Look] = {}
        self.sure: Look | None = None
        self.empty: Look | None = None

    def add(self, frame: FrameFaces) -> None:
        for face in frame.faces:
            look = Look(frame.file, frame.index, frame.seconds, face, frame.moving)
            if is_doubtful(face):
                self._keep(look)
            elif self.sure is None or _draw(self._file, frame.index) > _draw(
                self._file, self.sure.frame
            ):
                self.sure = look
        if not frame.faces and (
            self.empty is None
            or _draw(self._file, frame.index) > _draw(self._file, self.empty.frame)
        ):
            self.empty = Look(frame.file, frame.index, frame.seconds, None, frame.moving)

    def _keep(self, look: Look) -> None:
        """One a face and two seconds: the frames beside a bad one are much like it."""
        assert look.face is not None
        key = (look.face.track, int(look.seconds // 2))
        if key not in self._doubtful or look.doubt > self._doubtful[key].doubt:
            self._doubtful[key] = look
        if len(self._doubtful) > 8 * A_FILE:
            self._doubtful = {
                (k.face.track if k.face else 0, int(k.seconds // 2)): k for k in self.doubtful()
            }

    def doubtful(self) -> list[Look]:
        """The worst of them."""
        return sorted(self._doubtful.values(), key=lambda look: -look.doubt)[:A_FILE]


def _draw(file: str, frame: int) -> int:
    """A number that is the same in every run, and says nothing of what is seen."""
    return zlib.crc32(f"{file}\0{frame}".encode("utf-8", "surrogateescape"))
