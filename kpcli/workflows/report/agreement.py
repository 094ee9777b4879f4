"""Two tables of annotate held against each other, frame by frame; memory does not grow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.boxes import pairwise_iou
from kpcli.errors import InputError
from kpcli.inference.summaries import Median
from kpcli.types import Face, FrameFaces
from kpcli.workflows.report.digest import Best, Histogram
from kpcli.workflows.results import csv_rows, table_frames

LEAST_IOU = 0.3
"""Overlap of boxes from which two faces of a frame are one."""
WORST = 100
FILES = 500
EDGES = tuple(x / 2 for x in range(0, 42))

Frames = Iterator[FrameFaces]


@dataclass
class FileAgreement:
    """Of one file: faces in both, in one of them, and how far apart their points lie."""

    file: str
    both: int = 0
    only_a: int = 0
    only_b: int = 0
    total: float = 0.0
    worst: float = 0.0
    worst_frame: int = 0
    median: Median = field(default_factory=Median)

    @property
    def mean(self) -> float:
        """Percent of the face's size."""
        return self.total / self.both if self.both else math.nan


class Agreement:
    """The distance of two faces: mean over points, in percent of the size of A's face box."""

    def __init__(self) -> None:
        self.whole = FileAgreement("all")
        self.files: Best[FileAgreement] = Best(FILES)
        self.frames: Best[tuple[str, int, int, float]] = Best(WORST)
        self.histogram = Histogram(EDGES)
        self.missing: tuple[int, int] = (0, 0)
        """Files of A that B lacks, and of B that A lacks."""
        self._points: NDArray[np.float64] | None = None
        self._shape: NDArray[np.float64] | None = None

    def by_point(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Mean place (N, 2) in A's face box, and mean distance (N,) in percent."""
        if self._points is None or self._shape is None or not self.whole.both:
            return None
        return self._shape / self.whole.both, self._points / self.whole.both

    def read(self, a: Path, b: Path) -> None:
        """Both tables, which hold their files in the same order."""
        names_a, names_b = _names(a), _names(b)
        self.missing = len(names_a.keys() - names_b.keys()), len(names_b.keys() - names_a.keys())
        common = [name for name in names_a if name in names_b]
        if common != [name for name in names_b if name in names_a]:
            raise InputError(f"{a}, {b}: hold their files in another order")
        groups = [groupby(table_frames(path), key=lambda f: f.file) for path in (a, b)]
        for file in common:
            pair = [next(frames for name, frames in group if name == file) for group in groups]
            self._file(file, *pair)

    def _file(self, file: str, a: Frames, b: Frames) -> None:
        here = FileAgreement(file)
        for frame_a, frame_b in _paired(a, b):
            faces = [frame.faces if frame else () for frame in (frame_a, frame_b)]
            self._frame(here, (frame_a or frame_b).index, *faces)  # type: ignore[union-attr]
        lacking = here.only_a + here.only_b
        apart = here.mean if here.both else math.inf * bool(lacking)
        self.files.add((-1.0 if math.isnan(apart) else apart, lacking), here)

    def _frame(self, here: FileAgreement, index: int, a: Sequence[Face], b: Sequence[Face]) -> None:
        pairs = matched(a, b)
        for one in (here, self.whole):
            one.both += len(pairs)
            one.only_a += len(a) - len(pairs)
            one.only_b += len(b) - len(pairs)
        for i, j in pairs:
            distances = _distances(a[i], b[j])
            mean = float(np.nanmean(distances))
            self._add(a[i], distances)
            self.histogram.add(mean)
            for one in (here, self.whole):
                one.total += mean
                one.median.add(mean)
                if mean >= one.worst:
                    one.worst, one.worst_frame = mean, index
            self.frames.add((mean,), (here.file, index, a[i].track, mean))

    def _add(self, face: Face, distances: NDArray[np.float64]) -> None:
        if self._points is None or self._shape is None:
            self._points, self._shape = np.zeros(len(distances)), np.zeros((len(distances), 2))
        self._points += np.nan_to_num(distances)
        place = (face.points - face.box.centre) / max(face.box.side, 1e-6)
        self._shape += np.nan_to_num(place)


def matched(a: Sequence[Face], b: Sequence[Face]) -> list[tuple[int, int]]:
    """Pairs by falling overlap, each face once."""
    if not a or not b:
        return []
    overlap = pairwise_iou(*(np.array([f.box.corners for f in faces]) for faces in (a, b)))
    pairs: list[tuple[int, int]] = []
    for at in np.argsort(-overlap, axis=None, kind="stable"):
        i, j = divmod(int(at), len(b))
        if overlap[i, j] < LEAST_IOU:
            break
        if all(i != p and j != q for p, q in pairs):
            pairs.append((i, j))
    return pairs


def _distances(a: Face, b: Face) -> NDArray[np.float64]:
    """Of each point (N,), in percent of the size of A's face."""
    if a.points.shape != b.points.shape:
        raise InputError(
            "the two tables have other points",
            expected=f"{len(a.points)} points a face in both",
            actual=f"{len(b.points)} in the second",
        )
    size = max(math.sqrt(a.box.area), 1e-6)
    return np.asarray(100 * np.linalg.norm(a.points - b.points, axis=1) / size, np.float64)


def _paired(a: Frames, b: Frames) -> Iterator[tuple[FrameFaces | None, FrameFaces | None]]:
    """Frames of the same number, None where one table lacks it."""
    first, second = next(a, None), next(b, None)
    while first is not None or second is not None:
        if second is None or (first is not None and first.index < second.index):
            yield first, None
            first = next(a, None)
        elif first is None or second.index < first.index:
            yield None, second
            second = next(b, None)
        else:
            yield first, second
            first, second = next(a, None), next(b, None)


def _names(path: Path) -> dict[str, None]:
    """The files of a table, in its order."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such table")
    return {row.get("file", ""): None for row in csv_rows(path)}
