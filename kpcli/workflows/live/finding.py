"""Faces as they come: a thread looks at the newest frame, so that the window never waits."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass

from kpcli.errors import KpcliError
from kpcli.inference.finder import FaceFinder
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, Frame
from kpcli.workflows.live.feed import Feed


@dataclass(frozen=True)
class Seen:
    """A frame with its faces; when it came; which model spoke, and in what points."""

    frame: Frame
    faces: tuple[Face, ...]
    at: float
    model: str
    scheme: LandmarkScheme
    refused: str = ""
    """Why the model that was asked for is not the one that spoke."""


class Finding:
    """Follows the faces of a feed, frame by frame, in its own thread.

    The next frame is looked at when the last one was taken, so that no result grows old in a
    queue, and none is lost.

    Attributes
    ----------
    ended : bool
        Nothing more will come.
    """

    def __init__(self, feed: Feed, finder: FaceFinder) -> None:
        self._feed = feed
        self._finder = finder
        self._model = finder.options.model
        self._wanted = self._model
        self._free = threading.Semaphore(1)
        self._results: queue.Queue[Seen | BaseException | None] = queue.Queue()
        self._stopped = False
        self.ended = False
        self._thread = threading.Thread(target=self._run, name="kpcli live: finding", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def use(self, model: str) -> None:
        """Another model, from the next frame on."""
        self._wanted = model

    def next(self, timeout: float) -> Seen | None:
        """The next frame with its faces; None if there is none within ``timeout`` seconds."""
        try:
            result = self._results.get(timeout=timeout)
        except queue.Empty:
            return None
        self._free.release()
        if isinstance(result, BaseException):
            raise result
        self.ended = result is None
        return result

    def close(self) -> None:
        """End the thread; the feed must be closed before."""
        self._stopped = True
        self._free.release()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                self._free.acquire()
                arrived = None if self._stopped else self._feed.take()
                if arrived is None:
                    break
                refused = self._change_model()
                faces = self._finder.follow(arrived.frame)
                scheme = self._finder.scheme
                self._results.put(
                    Seen(arrived.frame, faces, arrived.at, self._model, scheme, refused)
                )
            self._results.put(None)
        except Exception as e:  # raised anew in the thread that asks for results
            self._results.put(e)

    def _change_model(self) -> str:
        """Load the model that is wanted; why it cannot be had."""
        wanted = self._wanted
        if wanted == self._model:
            return ""
        try:
            self._finder.use_model(wanted)
        except KpcliError as e:
            self._wanted = self._model
            return e.what
        self._model = wanted
        return ""
