"""What became of a file and of each person in it, in one row: summary.csv and persons.csv.

Frames go in as they come. Memory does not grow with them: of a median, `HELD` values are kept, in
even steps over all that came (exact as long as there were no more).
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from kpcli.inference.blinks import BLINK, CLOSED
from kpcli.inference.events import LOST, MOUTH, TURNED, Event
from kpcli.inference.measures import DOUBT
from kpcli.types import Face, FrameFaces, Measures

HELD = 512
DOUBTFUL_POINTS = 0.25
"""Share of doubtful points above which a face is doubtful (one of low confidence is, too)."""
WITHOUT, UNSURE = 0.1, 0.1
"""Shares of frames without a face, and of doubtful faces, up to which a file's verdict is good."""

GOOD, GAPS, DOUBTFUL, NO_FACE = "good", "gaps", "doubtful", "no_face"
_COUNTED = {
    BLINK: "blinks",
    CLOSED: "eyes_closed",
    MOUTH: "mouth_open_times",
    TURNED: "head_turned",
}

Row = Mapping[str, str | int | float]

SUMMARY = (
    "file", "verdict", "frames", "frames_without_face", "share_without_face", "longest_gap",
    "face_ids", "faces", "share_doubtful", "median_confidence", "median_face_size", "times_lost",
)  # fmt: skip
"""Columns of summary.csv; ``longest_gap`` is in seconds."""
PERSONS = (
    "file", "face_id", "first_seen", "last_seen", "first_frame", "last_frame", "frames",
    "share_doubtful", "median_confidence", *(f"median_{name}" for name in Measures._fields),
    *_COUNTED.values(),
)  # fmt: skip
"""Columns of persons.csv; times in seconds."""


EVENTS = (
    "file",
    "face_id",
    "event",
    "start",
    "end",
    "duration",
    "first_frame",
    "last_frame",
    "value",
)
"""Columns of events.csv; times in seconds, ``value`` as `Event` has it."""


@dataclass(slots=True)
class Median:
    """The median of a stream of numbers; NaN is passed over."""

    _values: array[float] = field(default_factory=lambda: array("d"))
    _step: int = 1
    _count: int = 0

    def add(self, value: float) -> None:
        """One number more."""
        if not math.isfinite(value):
            return
        if self._count % self._step == 0:
            self._values.append(value)
            if len(self._values) >= HELD:
                self._values, self._step = self._values[::2], 2 * self._step
        self._count += 1

    def __call__(self) -> float:
        """The median so far, NaN of nothing."""
        ordered = sorted(self._values)
        if not ordered:
            return math.nan
        half = len(ordered) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


class FileSummary:
    """Takes the frames of one file, and the events that `EventFinder` found in it."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._frames = self._without = self._faces = self._doubtful = 0
        self._confidence, self._size = Median(), Median()
        self._persons: dict[int, _Person] = {}
        self._events: Counter[str] = Counter()
        self._gap, self._longest = math.nan, 0.0

    def add(self, frame: FrameFaces) -> None:
        """One frame more."""
        self._frames += 1
        self._without += not frame.faces
        if math.isfinite(self._gap):
            self._longest = max(self._longest, frame.seconds - self._gap)
        if frame.faces:
            self._gap = math.nan
        elif not math.isfinite(self._gap):
            self._gap = frame.seconds
        for face in frame.faces:
            self._add_face(frame, face)

    def _add_face(self, frame: FrameFaces, face: Face) -> None:
        doubtful = is_doubtful(face)
        self._faces += 1
        self._doubtful += doubtful
        self._confidence.add(face.confidence)
        self._size.add(math.sqrt(face.box.area))
        person = self._persons.get(face.track)
        if person is None:
            person = self._persons[face.track] = _Person(frame.seconds, frame.index)
        person.add(frame, face, doubtful=doubtful)

    def add_event(self, event: Event) -> None:
        """Count an event of the file's."""
        self._events[event.event] += 1
        if event.face_id in self._persons:
            self._persons[event.face_id].events[event.event] += 1

    def row(self) -> Row:
        """The file's row of summary.csv."""
        frames, faces = max(self._frames, 1), max(self._faces, 1)
        without, doubtful = self._without / frames, self._doubtful / faces
        values = (
            self._file, verdict(without, doubtful, found=bool(self._faces)), self._frames,
            self._without, without, self._longest, len(self._persons), self._faces, doubtful,
            self._confidence(), self._size(), self._events[LOST],
        )  # fmt: skip
        return dict(zip(SUMMARY, values, strict=True))

    def persons(self) -> list[Row]:
        """The rows of persons.csv, by face_id."""
        return [
            dict(zip(PERSONS, (self._file, face_id, *person.values()), strict=True))
            for face_id, person in sorted(self._persons.items())
        ]


class _Person:
    """One face_id of a file."""

    def __init__(self, seconds: float, frame: int) -> None:
        self.events: Counter[str] = Counter()
        self._first = self._last = (seconds, frame)
        self._frames = self._doubtful = 0
        self._confidence = Median()
        self._measures = tuple(Median() for _ in Measures._fields)

    def add(self, frame: FrameFaces, face: Face, *, doubtful: bool) -> None:
        self._last = (frame.seconds, frame.index)
        self._frames += 1
        self._doubtful += doubtful
        self._confidence.add(face.confidence)
        for median, value in zip(self._measures, face.measures or (), strict=False):
            median.add(value)

    def values(self) -> tuple[int | float, ...]:
        return (
            self._first[0], self._last[0], self._first[1], self._last[1], self._frames,
            self._doubtful / self._frames, self._confidence(), *(m() for m in self._measures),
            *(self.events[name] for name in _COUNTED),
        )  # fmt: skip


def is_doubtful(face: Face) -> bool:
    """Whether a face, or too many of its points, are doubtful."""
    doubtful = float((face.point_confidences < DOUBT).mean()) if len(face.points) else 0.0
    return face.confidence < DOUBT or doubtful > DOUBTFUL_POINTS


def verdict(without: float, doubtful: float, *, found: bool) -> str:
    """One word for a file: a clip that lacks a face half of the time is not ``good``."""
    if not found:
        return NO_FACE
    if without > WITHOUT:
        return GAPS
    return DOUBTFUL if doubtful > UNSURE else GOOD


def event_row(event: Event) -> Row:
    """The event's row of events.csv."""
    return {name: getattr(event, name) for name in EVENTS}


def printed_row(row: Row) -> list[str]:
    """Its values as a CSV has them: numbers of four digits after the point, NaN empty."""
    return [_printed(value) for value in row.values()]


def _printed(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if math.isfinite(value) else ""
    return str(value)
