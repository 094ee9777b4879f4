"""The chunk of work, and the job that says what is done with it."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from kpcli.batch.outcome import FileResult
from kpcli.errors import InputError, KpcliError, told
from kpcli.inference.upright import FacePredictor
from kpcli.options import ALL_FRAMES, BatchOptions, FrameSelection
from kpcli.sources import read_frames
from kpcli.sources.room import shared_room
from kpcli.sources.selection import Shrink, not_at_all
from kpcli.types import Frame

Heartbeat = Callable[[str], None]
"""Told the file at every heartbeat: a file begun, a frame read."""


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


@dataclass(frozen=True)
class Job(ABC):
    """What all chunks of a run share, and what is done with one.

    ``names`` has what names of outputs begin with, where it is not the file's; see `Plan.names`.
    """

    options: BatchOptions
    root: Path
    staging: Path
    names: Mapping[str, str] = field(default_factory=dict)

    @abstractmethod
    def open(self, predictor: FacePredictor | None) -> Any:
        """What works on the chunks in one process: models that are loaded once."""

    @abstractmethod
    def work(self, chunk: Chunk, tool: Any, beat: Heartbeat) -> ChunkResult:
        """Do a chunk; what is wrong with a file that can be foreseen ends up in its outcome."""

    @abstractmethod
    def bare(self) -> Job:
        """The same, without what it draws: quick, to find the file that makes a library raise."""

    @abstractmethod
    def heavy(self, predictor: FacePredictor | None) -> bool:
        """Whether `open` takes seconds, and what it opens every core."""


@dataclass
class Note:
    """What is learnt of a file on the way; ``reading`` is in seconds."""

    result: FileResult
    problem: str = ""
    reading: float = 0.0
    tracks: set[int] = field(default_factory=set)


def run_chunk(chunk: Chunk, job: Job, tool: Any, beat: Heartbeat) -> ChunkResult:
    """Do the files of a chunk; what is wrong with one of them ends up in its outcome.

    Whatever a file makes a library raise is that file's: it is found, given up, and the others
    are done without it, as they will be at every later run.

    Raises
    ------
    KpcliError
        What is about no single file: a detector's own CSV, a full disk.
    """
    try:
        return job.work(chunk, tool, beat)
    except KpcliError:
        raise
    except Exception as e:
        logging.getLogger(__name__).debug("%s", chunk.files, exc_info=True)
        blamed = _blamed(chunk, job, tool, beat, e)
    try:
        return job.work(blamed, tool, beat)
    except KpcliError:
        raise
    except Exception as e:
        for file in blamed.files:
            blamed = give_up(blamed, file, blamed.given_up.get(file, _unforeseen(e)))
        return job.work(blamed, tool, beat)


def _blamed(chunk: Chunk, job: Job, tool: Any, beat: Heartbeat, error: Exception) -> Chunk:
    """The chunk, with those files given up that raise when they are alone."""
    tried = [file for file in chunk.files if file not in chunk.given_up]
    if len(tried) == 1:
        return give_up(chunk, tried[0], _unforeseen(error))
    bare = job.bare()
    for file in tried:
        try:
            bare.work(Chunk(chunk.number, (file,)), tool, beat)
        except KpcliError:
            raise
        except Exception as e:
            chunk = give_up(chunk, file, _unforeseen(e))
    return chunk


def _unforeseen(error: Exception) -> str:
    return f"cannot be annotated: {error!r}"


@contextmanager
def rows_file(path: Path, job: Job) -> Iterator[BinaryIO]:
    """The file for a chunk's rows; a disk that it does not fit on ends the run."""
    with full_disk(job):
        file = path.open("wb")
    try:
        yield file
    finally:
        with full_disk(job):
            file.close()


@contextmanager
def full_disk(job: Job) -> Iterator[None]:
    """What the disk refuses ends the run, with an error that says so."""
    try:
        yield
    except OSError as e:
        raise InputError(
            f"{job.options.out}: the results cannot be written",
            actual=str(e),
            next_step="make room, then run the same command with --resume",
        ) from e


def noted_frames(
    path: Path,
    note: Note,
    job: Job,
    beat: Heartbeat,
    selection: FrameSelection = ALL_FRAMES,
    shrink: Shrink = not_at_all,
) -> Iterator[Frame]:
    """The frames of a file, as far as they can be read; its problem goes into its note."""
    beat(note.result.file)
    clock = time.perf_counter()
    limit = round(job.options.max_megapixels * 1e6)
    try:
        status = path.stat()
        note.result.size, note.result.mtime_ns = status.st_size, status.st_mtime_ns
        alive = partial(beat, note.result.file)
        room = shared_room(job.staging, alive)
        for frame in read_frames(path, selection, limit, alive, room, shrink):
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


def give_up(chunk: Chunk, file: str, reason: str) -> Chunk:
    """The same chunk, which will not try this file."""
    return replace(chunk, given_up={**chunk.given_up, file: reason})


def overtime(timeout: float) -> str:
    """Why a file was given up."""
    return f"given up: no progress in {timeout:g} s (--timeout)"
