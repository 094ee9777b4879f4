"""The chunk of work: faces found in all frames of a file first, its covered copy written then."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpcli.batch.chunks import (
    Chunk,
    ChunkResult,
    Heartbeat,
    Job,
    Note,
    full_disk,
    noted_frames,
    rows_file,
)
from kpcli.batch.outcome import DONE, FAILED, NO_FACE, PARTIAL, FileResult
from kpcli.errors import InputError, told
from kpcli.inference.upright import FacePredictor
from kpcli.options import AnonymiseOptions
from kpcli.outputs import Outputs, writer
from kpcli.types import Frame
from kpcli.workflows.anonymise.copies import copy_name, draw, temporary, write_still
from kpcli.workflows.anonymise.looks import Seeker
from kpcli.workflows.anonymise.rows import row
from kpcli.workflows.anonymise.selection import Cover, Selector
from kpcli.workflows.anonymise.tracks import Track, Tracker, still
from kpcli.writers.overlay import VideoOverlay

COMMAND = "anonymise"
TURNED_EVERY = 0.5
"""Seconds of a video between two looks at it lying on either side and upside down."""
UNLIKE = "the file's frames were others when it was read again"


@dataclass
class Tool:
    """What works on the files in one process."""

    seeker: Seeker
    selector: Selector


@dataclass(frozen=True)
class AnonymiseJob(Job):
    """A covered copy of every file, and a row for every cover."""

    options: AnonymiseOptions

    def open(self, predictor: FacePredictor | None) -> Tool:
        """The detector, and what the user's CSVs say."""
        return Tool(Seeker(self.options), Selector(self.options))

    def work(self, chunk: Chunk, tool: Tool, beat: Heartbeat) -> ChunkResult:
        """See `Job.work`."""
        rows = self.staging / f"rows-{writer()}-{chunk.number}.csv"
        results = []
        with rows_file(rows, self) as file:
            for name in chunk.files:
                one = _File(self, name, tool, beat, chunk.given_up.get(name, ""))
                result = one.done()
                result.start = file.tell()
                with full_disk(self):
                    for frame in sorted(one.covers if result.overlay else ()):
                        for cover in one.covers[frame]:
                            file.write(row(name, cover))
                result.end = file.tell()
                results.append(result)
        return ChunkResult(chunk.number, rows, tuple(results), "")

    def bare(self) -> AnonymiseJob:
        """See `Job.bare`; nothing is drawn that could be left out."""
        return self

    def heavy(self, predictor: FacePredictor | None) -> bool:
        """See `Job.heavy`."""
        return False


class _File:
    """One file on its way to its copy. What goes wrong leaves none: never one with bare faces."""

    def __init__(
        self, job: AnonymiseJob, file: str, tool: Tool, beat: Heartbeat, problem: str
    ) -> None:
        self._job = job
        self._tool = tool
        self._beat = beat
        self._path = job.root / file
        self._note = Note(FileResult(file, FAILED, output=job.names.get(file, "")), problem)
        self._name = job.names.get(file, file)
        self.covers: dict[int, list[Cover]] = {}

    def done(self) -> FileResult:
        """The outcome."""
        result, note, begun = self._note.result, self._note, time.perf_counter()
        if not note.problem:
            try:
                self._make()
            except InputError as e:
                note.problem, result.overlay = told(e), ""
        ids = {c.face_id for mine in self.covers.values() for c in mine if c.area is not None}
        result.faces, result.reason = len(ids), note.problem
        result.seconds = round(time.perf_counter() - begun, 3)
        if note.problem:
            result.status = PARTIAL if result.overlay else FAILED
        else:
            result.status = DONE if ids else NO_FACE
        return result

    def _make(self) -> None:
        staged: Path | None = None
        result = self._note.result
        try:
            frames = self._frames()
            first = next(frames, None)
            if first is None:
                self._note.problem = self._note.problem or "no frame can be read"
                return
            result.moving = first.moving
            result.height, result.width = first.pixels.shape[:2]
            name = copy_name(self._name, moving=first.moving)
            staged = temporary(self._job.staging, name)
            if first.moving:
                self._video(first, frames, staged)
            else:
                self._still(first, staged)
                for _ in frames:  # what is wrong with its end comes after it
                    pass
            outputs = Outputs(self._job.options.out, COMMAND, writer())
            for problem in outputs.publish([(staged, name)]).values():
                raise InputError(f"{name}: cannot be written", actual=str(problem))
            result.overlay = name
        finally:
            if staged is not None:
                staged.unlink(missing_ok=True)

    def _frames(self) -> Iterator[Frame]:
        return noted_frames(self._path, self._note, self._job, self._beat)

    def _still(self, frame: Frame, staged: Path) -> None:
        self._note.result.frames = 1
        tracks = still(frame, self._tool.seeker.picture(frame.pixels))
        self._select(tracks, {1: 0.0}, self._job.options.least_score)
        draw(frame.pixels, self.covers.get(1, ()), self._job.options.how)
        write_still(staged, frame)

    def _video(self, first: Frame, frames: Iterator[Frame], staged: Path) -> None:
        times = self._find(first, frames)
        problem = self._note.problem
        written = 0
        sound = self._job.options.sound
        with VideoOverlay(staged, self._path, sound=sound) as copy:
            for frame in self._frames():
                if times.get(frame.index) != frame.seconds:
                    raise InputError(f"{self._path}: {UNLIKE}", actual=f"frame {frame.index}")
                draw(frame.pixels, self.covers.get(frame.index, ()), self._job.options.how)
                copy.write(frame.pixels, frame.seconds)
                written += 1
        if written != len(times):
            raise InputError(
                f"{self._path}: {UNLIKE}", expected=f"{len(times)} frames", actual=str(written)
            )
        self._note.problem = self._note.problem or problem
        self._note.result.silent = copy.silent if sound else ""

    def _find(self, first: Frame, frames: Iterator[Frame]) -> dict[int, float]:
        """The first pass: all faces of all frames; the frames' times."""
        least = self._job.options.least_score_video
        tracker = Tracker(least)
        times: dict[int, float] = {}
        due = first.seconds
        for frame in _chained(first, frames):
            turned = frame.seconds >= due
            due = frame.seconds + TURNED_EVERY if turned else due
            tracker.add(frame, self._tool.seeker.frame(frame.pixels, turned=turned))
            times[frame.index] = frame.seconds
        self._note.result.frames = len(times)
        self._select(tracker.tracks(), times, least)
        return times

    def _select(self, tracks: Sequence[Track], times: dict[int, float], least: float) -> None:
        file = self._note.result.file
        self.covers = self._tool.selector.covers(file, tracks, times, least)


def _chained(first: Frame, frames: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    del first
    yield from frames
