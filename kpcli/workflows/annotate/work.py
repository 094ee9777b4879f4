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

from kpcli.errors import InputError, KpcliError, told
from kpcli.inference.finder import FaceFinder
from kpcli.options import AnnotateOptions
from kpcli.outputs import Outputs
from kpcli.sources import read_frames
from kpcli.sources.room import shared_room
from kpcli.types import Face, Frame, FrameFaces
from kpcli.workflows.annotate.crops import Crops
from kpcli.workflows.annotate.ledger import COMMAND
from kpcli.workflows.annotate.outcome import DONE, FAILED, NO_FACE, PARTIAL, SKIPPED, FileResult
from kpcli.workflows.annotate.overlays import Overlays, writer
from kpcli.writers.frame_pictures import FramePictures
from kpcli.writers.landmark_csv import RowWriter, optional

Heartbeat = Callable[[str], None]
"""Told the file at every heartbeat: a file begun, a frame read."""


@dataclass(frozen=True)
class Job:
    """What all chunks of a run share."""

    options: AnnotateOptions
    root: Path
    staging: Path
    names: Mapping[str, str] = field(default_factory=dict)
    """What names of outputs begin with, where it is not the file's; see `Plan.names`."""


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
    no_crop: str = ""
    reading: float = 0.0
    tracks: set[int] = field(default_factory=set)

    def settle(self, other_seconds: float) -> FileResult:
        """The outcome, once all frames are through."""
        r = self.result
        r.faces = len(self.tracks)
        r.reason = "; ".join(
            p for p in (self.problem, self.no_picture, self.no_crop, self.no_overlay) if p
        )
        r.seconds = round(self.reading + other_seconds, 3)
        if r.reason:
            r.status = PARTIAL if r.frames else FAILED
        elif not r.frames:
            r.status, r.reason = SKIPPED, "no frame is selected"
        else:
            r.status = DONE if r.faces else NO_FACE
        return r


def run_chunk(chunk: Chunk, job: Job, finder: FaceFinder, beat: Heartbeat) -> ChunkResult:
    """Annotate the files of a chunk; what is wrong with one of them ends up in its outcome.

    Whatever a file makes a library raise is that file's: it is found, given up, and the others
    are annotated without it, as they will be at every later run.

    Raises
    ------
    KpcliError
        What is about no single file: a detector's own CSV, a full disk.
    """
    try:
        return _run_chunk(chunk, job, finder, beat)
    except KpcliError:
        raise
    except Exception as e:
        logging.getLogger(__name__).debug("%s", chunk.files, exc_info=True)
        blamed = _blamed(chunk, job, finder, beat, e)
    try:
        return _run_chunk(blamed, job, finder, beat)
    except KpcliError:
        raise
    except Exception as e:
        for file in blamed.files:
            blamed = give_up(blamed, file, blamed.given_up.get(file, _unforeseen(e)))
        return _run_chunk(blamed, job, finder, beat)


def _blamed(chunk: Chunk, job: Job, finder: FaceFinder, beat: Heartbeat, error: Exception) -> Chunk:
    """The chunk, with those files given up that raise when they are alone."""
    tried = [file for file in chunk.files if file not in chunk.given_up]
    if len(tried) == 1:
        return give_up(chunk, tried[0], _unforeseen(error))
    undrawn = replace(
        job, options=replace(job.options, overlays=False, frames_out=False, crops=False)
    )
    for file in tried:
        try:
            _run_chunk(Chunk(chunk.number, (file,)), undrawn, finder, beat)
        except KpcliError:
            raise
        except Exception as e:
            chunk = give_up(chunk, file, _unforeseen(e))
    return chunk


def _unforeseen(error: Exception) -> str:
    return f"cannot be annotated: {error!r}"


def _run_chunk(chunk: Chunk, job: Job, finder: FaceFinder, beat: Heartbeat) -> ChunkResult:
    begun = time.perf_counter()
    notes = {
        job.root / f: _Note(FileResult(f, FAILED, output=job.names.get(f, ""))) for f in chunk.files
    }
    for name, reason in chunk.given_up.items():
        notes[job.root / name].problem = reason
    rows = job.staging / f"rows-{os.getpid()}-{chunk.number}.csv"
    with _rows_file(rows, job) as file, _Recorder(job, finder, notes, file) as recorder:
        for frame, faces in finder.find(_frames(notes, job, beat)):
            recorder.record(frame, faces)
    other = time.perf_counter() - begun - sum(note.reading for note in notes.values())
    frames = max(1, sum(note.result.frames for note in notes.values()))
    results = tuple(n.settle(other * n.result.frames / frames) for n in notes.values())
    return ChunkResult(chunk.number, rows, results, finder.runtime_line)


@contextmanager
def _rows_file(path: Path, job: Job) -> Iterator[BinaryIO]:
    """The file for a chunk's rows; a disk that it does not fit on ends the run."""
    with _disk(job):
        file = path.open("wb")
    try:
        yield file
    finally:
        with _disk(job):
            file.close()


@contextmanager
def _disk(job: Job) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise InputError(
            f"{job.options.out}: the results cannot be written",
            actual=str(e),
            next_step="make room, then run the same command with --resume",
        ) from e


def _frames(notes: Mapping[Path, _Note], job: Job, beat: Heartbeat) -> Iterator[Frame]:
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
            note.problem = told(e)
        except FileNotFoundError:
            note.problem = "there is no such file"
        except Exception as e:  # a decoder's bug must not end a batch of thousands
            logging.getLogger(__name__).debug("%s", path, exc_info=True)
            note.problem = f"cannot be read: {e!r}"
        note.reading += time.perf_counter() - clock


class _Recorder:
    """Writes rows and overlays of frames that come file by file."""

    def __init__(
        self, job: Job, finder: FaceFinder, notes: Mapping[Path, _Note], file: BinaryIO
    ) -> None:
        scheme = finder.scheme
        self._job = job
        self._notes = notes
        self._file = file
        self._rows = RowWriter(file, scheme.n_points, optional(job.options, scheme))
        self._current: _Note | None = None
        self._overlays: Overlays | None = None
        if job.options.overlays:
            self._overlays = Overlays(job.options, job.staging, job.names, scheme)
        self._crops: Crops | None = None
        if job.options.crops:
            outputs = Outputs(job.options.out, COMMAND, writer())
            self._crops = Crops(outputs, job.staging, scheme, job.options)
        self._pictures: FramePictures | None = None
        if job.options.frames_out:
            self._pictures = FramePictures(Outputs(job.options.out, COMMAND, writer()), job.staging)

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
        if self._crops is not None and not note.no_crop:
            with self._noting_crops(note):
                faces = self._crops.add(result.output or result.file, frame, result.frames, faces)
        with _disk(self._job):
            self._rows.write(FrameFaces.of(frame, faces, result.file))
        result.end = self._file.tell()
        result.frames += 1
        note.tracks.update(face.track for face in faces)
        if self._pictures is not None and not note.no_picture:
            with self._noting_pictures(note, self._pictures):
                self._pictures.add(result.file, frame)
        if self._overlays is not None and not note.no_overlay:  # which draws on the pixels
            with self._noting(note, self._overlays):
                self._overlays.add(result.file, frame, faces)

    def _end_file(self) -> None:
        note = self._current
        if self._pictures is not None and note is not None and not note.no_picture:
            with self._noting_pictures(note, self._pictures):
                self._pictures.publish()
        if self._crops is not None and note is not None:  # rows name those that were written
            with self._noting_crops(note):
                self._crops.publish()
        if self._overlays is not None and note is not None and not note.no_overlay:
            with self._noting(note, self._overlays):
                note.result.silent = self._overlays.end(note.result.file)

    @contextmanager
    def _noting(self, note: _Note, overlays: Overlays) -> Iterator[None]:
        """The rows may be good where the drawing is not: note it, draw no more of the file."""
        try:
            yield
        except Exception as e:  # encoders raise ValueError, struct.error and others
            logging.getLogger(__name__).debug("%s", note.result.file, exc_info=True)
            overlays.abandon(e)
            note.no_overlay = f"no overlay: {told(e)}"

    @contextmanager
    def _noting_pictures(self, note: _Note, pictures: FramePictures) -> Iterator[None]:
        try:
            yield
        except Exception as e:
            logging.getLogger(__name__).debug("%s", note.result.file, exc_info=True)
            pictures.abandon()
            note.no_picture = f"no picture of a frame: {told(e)}"

    @contextmanager
    def _noting_crops(self, note: _Note) -> Iterator[None]:
        try:
            yield
        except Exception as e:
            logging.getLogger(__name__).debug("%s", note.result.file, exc_info=True)
            note.no_crop = f"no crops: {told(e)}"

    def _end(self, overlays: Overlays) -> None:
        """All files are through: their overlays go into place."""
        there, missing = overlays.publish()
        for note in self._notes.values():
            note.result.overlay = there.get(note.result.file, "")
            if note.result.file in missing:
                note.no_overlay = f"no overlay: {told(missing[note.result.file])}"

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
        elif self._pictures is not None:
            self._pictures.abandon()
        if self._overlays is None:
            return
        try:
            if error is None:
                self._end(self._overlays)
            else:
                self._overlays.abandon(error)
        finally:
            self._overlays.discard()


def give_up(chunk: Chunk, file: str, reason: str) -> Chunk:
    """The same chunk, which will not try this file."""
    return replace(chunk, given_up={**chunk.given_up, file: reason})


def overtime(timeout: float) -> str:
    """Why a file was given up."""
    return f"given up: no progress in {timeout:g} s (--timeout)"
