"""One run in front of the camera: what is shown, what keys do, what is written."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from kpcli.drawing import Style
from kpcli.drawing.stickers import sticker_names
from kpcli.errors import KpcliError, UsageError
from kpcli.types import FrameFaces, Pixels
from kpcli.workflows.live.feed import Feed
from kpcli.workflows.live.finding import Finding, Seen
from kpcli.workflows.live.records import Records
from kpcli.workflows.live.view import Shown, Status, draw, sticker_style, tell
from kpcli.workflows.live.window import Window

MESSAGE = 2.5
"""Seconds that a message stays."""
_RATE_OVER = 30
"""Frames whose mean rate and median delay are shown."""
_WAIT = 0.015
"""Seconds that keys wait for a frame."""


class Session:
    """Shows, writes and counts what was seen; does what the keys say.

    Parameters
    ----------
    feed, finding
    records : Records
    window : Window or None
        None: nothing is shown.
    models : str
        Names that the key m goes through, from the one in use on.
    name : str
        Of the source, for the table.
    """

    def __init__(
        self,
        feed: Feed,
        finding: Finding,
        records: Records,
        window: Window | None,
        *,
        models: Sequence[str],
        name: str,
        style: Style,
    ) -> None:
        self._feed, self._finding = feed, finding
        self._records, self._window = records, window
        self._models, self._name = list(models), name
        self._shown, self._status = Shown(style), Status(model=models[0])
        self._stickers = ["", *sticker_names()]
        self._message_until = 0.0
        self._shown_at: deque[float] = deque(maxlen=_RATE_OVER)
        self._last: Seen | None = None
        self._picture: Pixels | None = None
        self.delays: list[float] = []
        self.frames = 0
        self.tracks: set[int] = set()
        self.closed = False
        self._keys: dict[str, Callable[[], None]] = {
            "q": self._quit,
            "s": self._save,
            "r": self._record,
            "p": self._pause,
            "m": self._next_model,
            "f": self._next_sticker,
            "l": self._landmarks,
            "h": self._help,
        }

    @property
    def seconds(self) -> float:
        """Of the source, how far it was seen."""
        return self._last.frame.seconds if self._last is not None else 0.0

    def step(self) -> None:
        """Take what came, show it, do what a key says; waits no longer than `_WAIT`."""
        seen = self._finding.next(_WAIT)
        if seen is not None:
            self._take(seen)
        if self._window is None:
            return
        if seen is None and self._message_until and time.perf_counter() > self._message_until:
            self._say("")
            self._redraw()
        key = self._window.key(1)
        if seen is not None:
            self._note_delay(seen)
        if key in self._keys:
            self._keys[key]()
            if not self.closed:
                self._redraw()
        self.closed = self.closed or not self._window.is_open()

    def _take(self, seen: Seen) -> None:
        frame = seen.frame
        self.frames += 1
        self.tracks.update(face.track for face in seen.faces)
        self._records.add(FrameFaces.of(frame, seen.faces, self._name))
        self._last = seen
        if seen.refused:
            self._say(seen.refused)
        self._status = replace(self._status, model=seen.model, dropped=self._feed.dropped)
        if self._window is not None or self._records.recording:
            self._picture = self._drawn(seen)
            self._show()
            self._records.film(self._picture, frame.seconds)
        if self._window is None:
            self._note_delay(seen)

    def _drawn(self, seen: Seen) -> Pixels:
        """The frame with its faces; the frame itself stays as it is."""
        pixels = seen.frame.pixels.copy()
        draw(pixels, seen.faces, seen.scheme, self._shown)
        return pixels

    def _show(self) -> None:
        if self._window is not None and self._picture is not None:
            if time.perf_counter() > self._message_until:
                self._say("")
            pixels = self._picture.copy()
            tell(pixels, replace(self._status, recording=self._records.recording))
            self._window.show(pixels)

    def _redraw(self) -> None:
        """Show the last frame by what holds now."""
        if self._last is not None:
            self._picture = self._drawn(self._last)
            self._show()

    def _note_delay(self, seen: Seen) -> None:
        now = time.perf_counter()
        self._shown_at.append(now)
        self.delays.append(now - seen.at)
        between = self._shown_at[-1] - self._shown_at[0]
        rate = (len(self._shown_at) - 1) / between if between else 0.0
        delay = statistics.median(self.delays[-_RATE_OVER:]) * 1000
        self._status = replace(self._status, rate=rate, delay_ms=delay)

    def _say(self, message: str) -> None:
        self._status = replace(self._status, message=message)
        self._message_until = time.perf_counter() + MESSAGE if message else 0.0

    def _quit(self) -> None:
        self.closed = True

    def _save(self) -> None:
        if self._picture is not None:
            try:
                self._say(f"picture: {self._records.picture(self._picture)}")
            except KpcliError as e:  # no reason to end what is seen
                self._say(e.what)

    def _record(self) -> None:
        try:
            if self._records.recording:
                path = self._records.end_video()
                self._say(f"recorded: {path}" if path else "nothing was recorded")
            else:
                self._say(f"recording: {self._records.begin_video()}")
        except KpcliError as e:
            self._say(e.what)

    def _pause(self) -> None:
        paused = not self._status.paused
        self._feed.pause(paused)
        self._shown_at.clear()
        self._status = replace(self._status, paused=paused)

    def _next_model(self) -> None:
        self._models.append(self._models.pop(0))
        self._finding.use(self._models[0])
        other = len(self._models) > 1
        self._say(f"model: {self._models[0]}" if other else "there is no other model of its points")

    def _next_sticker(self) -> None:
        """The next embedded sticker that fits the points; after the last, none."""
        while True:
            self._stickers.append(self._stickers.pop(0))
            name = self._stickers[0]
            try:
                if name and self._last is not None:
                    sticker_style(name).check(self._last.scheme)
            except UsageError:
                continue
            self._shown = replace(self._shown, sticker=name)
            self._say(f"sticker: {name}" if name else "no sticker")
            return

    def _landmarks(self) -> None:
        self._shown = replace(self._shown, landmarks=not self._shown.landmarks)

    def _help(self) -> None:
        self._status = replace(self._status, help=not self._status.help)
