"""The chunk of work: some pictures, or one video; its rows into a file, its overlays in place."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

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
from kpcli.batch.ledger import COMMAND
from kpcli.batch.outcome import DONE, FAILED, NO_FACE, PARTIAL, SKIPPED, FileResult
from kpcli.errors import told
from kpcli.inference.finder import FaceFinder
from kpcli.inference.upright import FacePredictor
from kpcli.model_bundle import ModelBundle
from kpcli.options import AUTO, AnnotateOptions
from kpcli.outputs import Outputs, writer
from kpcli.runtimes import usable
from kpcli.sources.selection import Shrink
from kpcli.types import Face, Frame, FrameFaces
from kpcli.workflows.annotate.crops import Crops
from kpcli.workflows.annotate.overlays import Overlays
from kpcli.writers.frame_pictures import FramePictures
from kpcli.writers.landmark_csv import RowWriter, optional


@dataclass(frozen=True)
class AnnotateJob(Job):
    """Rows of landmarks, and overlays, frames and crops where they are wanted."""

    options: AnnotateOptions

    def open(self, predictor: FacePredictor | None) -> FaceFinder:
        """The finder of the options."""
        return FaceFinder(self.options, predictor=predictor)

    def work(self, chunk: Chunk, tool: FaceFinder, beat: Heartbeat) -> ChunkResult:
        """See `Job.work`."""
        return _annotated(chunk, self, tool, beat)

    def bare(self) -> AnnotateJob:
        """See `Job.bare`."""
        bare = replace(self.options, overlays=False, frames_out=False, crops=False)
        return replace(self, options=bare)

    def heavy(self, predictor: FacePredictor | None) -> bool:
        """Keras takes seconds and hundreds of megabytes to start, and uses every core."""
        return predictor is not None or _runtime(self.options) == "keras"


def _runtime(options: AnnotateOptions) -> str:
    if options.runtime != AUTO:
        return options.runtime
    return next(iter(usable(ModelBundle.open(options.model))), "")


@dataclass
class _Note(Note):
    """What else may be wrong with a file."""

    no_overlay: str = ""
    no_picture: str = ""
    no_crop: str = ""

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


def _annotated(chunk: Chunk, job: AnnotateJob, finder: FaceFinder, beat: Heartbeat) -> ChunkResult:
    begun = time.perf_counter()
    notes = {
        job.root / f: _Note(FileResult(f, FAILED, output=job.names.get(f, ""))) for f in chunk.files
    }
    for name, reason in chunk.given_up.items():
        notes[job.root / name].problem = reason
    rows = job.staging / f"rows-{os.getpid()}-{chunk.number}.csv"
    with rows_file(rows, job) as file, _Recorder(job, finder, notes, file) as recorder:
        for frame, faces in finder.find(_frames(notes, job, beat, finder.shrink)):
            recorder.record(frame, faces)
    other = time.perf_counter() - begun - sum(note.reading for note in notes.values())
    frames = max(1, sum(note.result.frames for note in notes.values()))
    results = tuple(n.settle(other * n.result.frames / frames) for n in notes.values())
    return ChunkResult(chunk.number, rows, results, finder.runtime_line)


def _frames(
    notes: Mapping[Path, _Note], job: AnnotateJob, beat: Heartbeat, shrink: Shrink
) -> Iterator[Frame]:
    """The frames of all files, one after the other; a file's problem goes into its note."""
    for path, note in notes.items():
        if not note.problem:
            yield from noted_frames(path, note, job, beat, job.options.frames, shrink)


class _Recorder:
    """Writes rows and overlays of frames that come file by file."""

    def __init__(
        self, job: AnnotateJob, finder: FaceFinder, notes: Mapping[Path, _Note], file: BinaryIO
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
        width, height = frame.size
        if note is not self._current:
            self._end_file()
            self._current = note
            result.start, result.moving = self._file.tell(), frame.moving
            result.width, result.height = width, height
        result.note_size(frame.index, width, height)
        if self._crops is not None and not note.no_crop:
            with self._noting_crops(note):
                faces = self._crops.add(result.output or result.file, frame, result.frames, faces)
        with full_disk(self._job):
            self._rows.write(FrameFaces.of(frame, faces, result.file))
        result.end = self._file.tell()
        result.frames += 1
        note.tracks.update(face.track for face in faces)
        if self._pictures is not None and not note.no_picture:
            with self._noting_pictures(note, self._pictures):
                self._pictures.add(result.file, frame)
        if self._overlays is not None and not note.no_overlay:  # which draws on the pixels
            with self._noting(note, self._overlays):
                self._overlays.add(result.file, frame.whole(), faces)

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
