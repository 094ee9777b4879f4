"""Frames as they come: a thread reads the source and holds the newest one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from kpcli.errors import InputError, UsageError
from kpcli.media import PICTURE, kind_of
from kpcli.options import LiveOptions
from kpcli.sources import read_frames
from kpcli.sources.camera import Camera
from kpcli.sources.stream import Stream, is_url
from kpcli.types import Frame

_PATIENCE = 2.0
"""Seconds that the reading thread has to end; one that waits for a camera ends with the process."""


class Source(Protocol):
    """Something that gives frames.

    ``name`` stands in the table's column ``file``; ``waits`` says that it may be read at any
    pace: a file does, a camera does not.
    """

    name: str
    waits: bool

    def frames(self) -> Iterator[Frame]: ...
    def close(self) -> None: ...


class FileSource:
    """A video on the disk."""

    waits = True

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputError(f"{path}: there is no such file")
        if kind_of(path) == PICTURE and path.suffix.lower() not in (".gif", ".webp", ".apng"):
            raise UsageError(
                f"{path}: a picture, which does not move",
                expected="a video, a URL, or --camera",
                next_step=f"kpcli annotate file {path}",
            )
        self._path = path
        self.name = path.name

    def frames(self) -> Iterator[Frame]:
        """The frames as annotate has them."""
        return read_frames(self._path)

    def close(self) -> None:
        """Nothing to do: the reader of the frames closes the file."""


def open_source(options: LiveOptions) -> Source:
    """The camera, file or stream that the options name.

    Raises
    ------
    KpcliError
        If it cannot be opened.
    """
    if not options.source:
        return Camera(str(options.camera), options.size)
    return Stream(options.source) if is_url(options.source) else FileSource(Path(options.source))


class Arrived(NamedTuple):
    """A frame, and when it came, by `time.perf_counter`."""

    frame: Frame
    at: float


class Feed:
    """Reads a source in its own thread, and gives out the newest frame.

    Parameters
    ----------
    source : Source
    every : bool
        Wait until a frame is taken, instead of dropping it for the next.

    Attributes
    ----------
    read, dropped : int
        Frames that came, and of them those in whose place a newer one was given out.
    problem : Exception or None
        Why the source ended, where it should not have.
    """

    def __init__(self, source: Source, *, every: bool) -> None:
        self._source = source
        self._every = every
        self._changed = threading.Condition()
        self._newest: Arrived | None = None
        self._ended = self._stopped = self._paused = False
        self._begun: float | None = None
        self.read = self.dropped = 0
        self.problem: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="kpcli live: reading", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def take(self) -> Arrived | None:
        """Wait for a frame that was not given out yet; None when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._ended or self._stopped)
            newest, self._newest = self._newest, None
            self._changed.notify_all()
            return None if self._stopped else newest

    def pause(self, paused: bool) -> None:
        """Give out nothing: a file stays where it is, a camera's frames are passed over."""
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread and give the source back."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(_PATIENCE)
        if not self._thread.is_alive():  # else it waits inside a driver that must not be closed
            self._source.close()

    def _run(self) -> None:
        try:
            for frame in self._source.frames():
                if not self._hold(frame):
                    return
                self._offer(Arrived(frame, time.perf_counter()))
        except Exception as e:  # whatever a decoder raises ends the source, not what was recorded
            self.problem = e
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _hold(self, frame: Frame) -> bool:
        """Wait, with a frame of a file, until it is due; whether to go on."""
        with self._changed:
            if self._source.waits:
                paused = time.perf_counter()
                self._changed.wait_for(lambda: self._stopped or not self._paused)
                if self._begun is None:
                    self._begun = time.perf_counter() - frame.seconds
                else:
                    self._begun += time.perf_counter() - paused
                left = self._begun + frame.seconds - time.perf_counter()
                if not self._every and left > 0:
                    self._changed.wait_for(lambda: self._stopped, left)
            return not self._stopped

    def _offer(self, arrived: Arrived) -> None:
        with self._changed:
            if self._paused and not self._source.waits:
                return
            if self._every:
                self._changed.wait_for(lambda: self._newest is None or self._stopped)
            self.read += 1
            self.dropped += self._newest is not None
            self._newest = arrived
            self._changed.notify_all()
