"""The chunk of work: some pictures, or one video; its rows into a file, its overlays in place."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from kpcli.errors import InputError
from kpcli.inference.finder import FaceFinder
from kpcli.options import AnnotateOptions
from kpcli.sources import read_frames
from kpcli.sources.room import shared_room
from kpcli.types import Face, Frame, FrameFaces
from kpcli.workflows.annotate.ledger import (
    DONE,
    FAILED,
    NO_FACE,
    OVERLAYS,
    PARTIAL,
    SKIPPED,
    FileResult,
)
from kpcli.workflows.annotate.overlays import Overlays
from kpcli.writers.frame_pictures import OUTPUT as IMAGES
from kpcli.writers.frame_pictures import FramePictures
from kpcli.writers.landmark_csv import RowWriter, optional

Beat = Callable[[str], None]
"""Told the file at every sign of life: a file begun, a frame read."""


@dataclass(frozen=True)
class Job:
    """What all chunks of a run share."""

    options: AnnotateOptions
    root: Path
    staging: Path


@dataclass(frozen=True)
class Chunk:
    """Files that are read together; ``given_up`` are those not to try, with the reason."""

    number: int
    files: tuple[str, ...]
    given_up: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChunkResult:
    """A chunk's rows (without a header), the outcome of each file, and what ran the model."""

    number: int
    rows: Path
    files: tuple[FileResult, ...]
    runtime: str


@dataclass
class _Note:
    """What is learnt of a file on the way."""

    result: FileResult
    problem: str = ""
    no_overlay: str = ""
    no_picture: str = ""
    reading: float = 0.0
    tracks: set[int] = field(default_factory=set)

    def settle(self, other_seconds: float) -> FileResult:
        """The outcome, once all frames are through."""
        r = self.result
        r.faces = len(self.tracks)
        r.reason = "; ".join(p for p in (self.problem, self.no_picture, self.no_overlay) if p)
        r.seconds = round(self.reading + other_seconds, 3)
        if r.reason:
            r.status = PARTIAL if r.frames else FAILED
        elif not r.frames:
            r.status, r.reason = SKIPPED, "no frame is selected"
        else:
            r.status = DONE if r.faces else NO_FACE
        return r


def run_chunk(chunk: Chunk, job: Job, finder: FaceFinder, beat: Beat) -> ChunkResult:
    """Annotate the files of a chunk; what is wrong with one of them ends up in its outcome."""
    begun = time.perf_counter()
    notes = {job.root / f: _Note(FileResult(f, FAILED)) for f in chunk.files}
    for name, reason in chunk.given_up.items():
        notes[job.root / name].problem = reason
    rows = job.staging / f"rows-{os.getpid()}-{chunk.number}.csv"
    try:
        with rows.open("wb") as file, _Recorder(job, finder, notes, file) as recorder:
            for frame, faces in finder.find(_frames(notes, job, beat)):
                recorder.record(frame, faces)
    except OSError as e:  # those of the files that are read are in their notes
        raise InputError(
            f"{job.options.out}: the results cannot be written",
            actual=str(e),
            next_step="make room, then run the same command with --resume",
        ) from e
    other = time.perf_counter() - begun - sum(note.reading for note in notes.values())
    frames = max(1, sum(note.result.frames for note in notes.values()))
    results = tuple(n.settle(other * n.result.frames / frames) for n in notes.values())
    return ChunkResult(chunk.number, rows, results, finder.runtime_line)


def _frames(notes: Mapping[Path, _Note], job: Job, beat: Beat) -> Iterator[Frame]:
    """The frames of all files, one after the other; a file's problem goes into its note."""
    for path, note in notes.items():
        if note.problem:
            continue
        beat(note.result.file)
        clock = time.perf_counter()
        limit = round(job.options.max_megapixels * 1e6)
        try:
            status = path.stat()
            note.result.size, note.result.mtime_ns = status.st_size, status.st_mtime_ns
            alive = partial(beat, note.result.file)
            room = shared_room(job.staging, alive)
            for frame in read_frames(path, job.options.frames, limit, alive, room):
                note.reading += time.perf_counter() - clock
                yield frame
                clock = time.perf_counter()
                alive()
                del frame  # the next, which may be large too, is read before this name is free
            if not note.result.unchanged(path):
                note.problem = "the file changed while it was read"
        except InputError as e:
            note.problem = _one_line(e)
        except FileNotFoundError:
            note.problem = "there is no such file"
        except Exception as e:  # a decoder's bug must not end a batch of thousands
            logging.getLogger(__name__).debug("%s", path, exc_info=True)
            note.problem = f"cannot be read: {e!r}"
        note.reading += time.perf_counter() - clock


def _one_line(error: InputError) -> str:
    """The message without the file's name, which stands beside it."""
    what = error.what.rpartition(": ")[2]
    return "; ".join(p for p in (what, error.actual and f"actual: {error.actual}") if p)


class _Recorder:
    """Writes rows and overlays of frames that come file by file."""

    def __init__(
        self, job: Job, finder: FaceFinder, notes: Mapping[Path, _Note], file: BinaryIO
    ) -> None:
        scheme = finder.scheme
        self._notes = notes
        self._file = file
        self._rows = RowWriter(file, scheme.n_points, optional(job.options, scheme))
        self._current: _Note | None = None
        self._overlays: Overlays | None = None
        if job.options.overlays:
            folder = job.options.out / OVERLAYS
            self._overlays = Overlays(folder, job.root, job.staging, scheme, job.options)
        self._pictures: FramePictures | None = None
        if job.options.frames_out:
            self._pictures = FramePictures(job.options.out / IMAGES, job.staging)

    def record(self, frame: Frame, faces: tuple[Face, ...]) -> None:
        """Add one frame's rows, and draw it."""
        note = self._notes[frame.source]
        result = note.result
        height, width = frame.pixels.shape[:2]
        if note is not self._current:
            self._end_file()
            self._current = note
            result.start, result.moving = self._file.tell(), frame.moving
            result.width, result.height = width, height
        result.note_size(frame.index, width, height)
        self._rows.write(FrameFaces.of(frame, faces, result.file))
        result.end = self._file.tell()
        result.frames += 1
        note.tracks.update(face.track for face in faces)
        if self._pictures is not None and not note.no_picture:
            try:
                self._pictures.add(result.file, frame)
            except InputError as e:
                note.no_picture = f"no picture of a frame: {_one_line(e)}"
        if self._overlays is not None and not note.no_overlay:  # which draws on the pixels
            with self._noting(note, self._overlays):
                self._overlays.add(result.file, frame, faces)

    def _end_file(self) -> None:
        if self._overlays is not None and self._current is not None:
            with self._noting(self._current, self._overlays):
                self._current.result.silent = self._overlays.end()

    @contextmanager
    def _noting(self, note: _Note, overlays: Overlays) -> Iterator[None]:
        """The rows may be good where the drawing is not: note it, draw no more of the file."""
        try:
            yield
        except InputError as e:
            overlays.abandon(e)
            note.no_overlay = f"no overlay: {_one_line(e)}"

    def __enter__(self) -> _Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._end_file()
        elif self._overlays is not None:
            self._overlays.abandon(error)


def give_up(chunk: Chunk, file: str, reason: str) -> Chunk:
    """The same chunk, which will not try this file."""
    return replace(chunk, given_up={**chunk.given_up, file: reason})


def overtime(timeout: float) -> str:
    """Why a file was given up."""
    return f"given up: no progress in {timeout:g} s (--timeout)"
