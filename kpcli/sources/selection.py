"""Which frames of a video or animation are wanted."""

from __future__ import annotations

from kpcli.options import FrameSelection


class FrameChooser:
    """Decides frame by frame, in the order of the file."""

    def __init__(self, selection: FrameSelection) -> None:
        self._selection = selection
        self._candidates = 0

    def past(self, index: int, seconds: float) -> bool:
        """Whether neither this frame nor a later one is wanted."""
        s = self._selection
        return (s.last is not None and index > s.last) or (s.end is not None and seconds > s.end)

    def wants(self, index: int, seconds: float) -> bool:
        """Whether this frame is wanted; ask once a frame, in order."""
        s = self._selection
        if index < s.first or (s.start is not None and seconds < s.start):
            return False
        self._candidates += 1
        return (self._candidates - 1) % s.every == 0 and not self.past(index, seconds)
