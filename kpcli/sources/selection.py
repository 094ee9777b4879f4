"""Which frames of a video or animation are wanted, and how large a picture."""

from __future__ import annotations

from collections.abc import Callable

from kpcli.options import FrameSelection

Shrink = Callable[[int, int], int]
"""Given a picture's width and height, at which part of its size it is read: 1; 2 for a half ..."""


def not_at_all(width: int, height: int) -> int:
    """Pictures at their full size."""
    return 1


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
