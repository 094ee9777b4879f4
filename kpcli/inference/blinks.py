"""When eyes close: blinks as short dips of the eye aspect ratio, and longer closures.

A fixed threshold serves nobody: open eyes have a ratio of 0.2 to 0.4, by person, gaze and turn. A
blink is a dip between two shoulders, so it is looked for as such: the series is *closed* (grey
scale morphology: the lowest of the maxima of all windows of `LONGEST_BLINK` that hold the moment),
which fills every shorter dip up to its lower shoulder; what then lies well below is a blink. A
longer closure is told against the open eyes of the last seconds; it needs open eyes to compare.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

BLINK, CLOSED = "blink", "eyes_closed"

LONGEST_BLINK = 0.5
"""Longest duration of a blink in seconds; blinks take 0.1 to 0.4 s (Schiffman, "Sensation and
Perception", 2001).
"""
DEEP, DEPTH = 0.75, 0.08
"""Share of its shoulders that a blink's lowest ratio lies below, and least difference to them."""
BEGUN = 0.85
"""Share of the shoulders' ratio below which a blink is under way."""
OPEN_SHARE, MEMORY = 0.7, 10.0
"""Quantile of the ratios of the last so many seconds that is taken for the open eyes' ratio."""
CLOSING, OPENING = 0.65, 0.75
"""Shares of the open eyes' ratio at which a closure begins and ends."""
NEVER_OPEN = 0.21
"""Ratio that the eyes must once have passed to be known as open; before, no blink is told. Lowered
eyes reach 0.20 (portrait_long.mp4, frame 135)."""


class Moment(NamedTuple):
    """A value of one face at one time."""

    frame: int
    seconds: float
    value: float


class Spell(NamedTuple):
    """Moments of one state; ``end`` is the time of the first moment that is otherwise."""

    event: str
    first: Moment
    last: Moment
    end: float
    value: float


class Eyes:
    """Blinks and closures of one face; a moment is decided `LONGEST_BLINK` seconds later."""

    def __init__(self) -> None:
        self._held: deque[Moment] = deque()
        self._next = 0
        """Place of the first that is not decided."""
        self._blink: list[Moment] = []
        self._deep = False
        self._shut: list[Moment] = []
        self._open = math.nan

    def add(self, moment: Moment) -> list[Spell]:
        """What has ended, as far as can be told by now."""
        self._held.append(moment)
        return self._decide(moment.seconds - LONGEST_BLINK)

    def end(self) -> list[Spell]:
        """No moment follows."""
        ended = self._decide(math.inf)
        if self._held:
            last = self._held[-1]
            ended += self._end_blink(last.seconds) + self._end_shut(last.seconds)
        return ended

    def _decide(self, until: float) -> list[Spell]:
        ended: list[Spell] = []
        while self._next < len(self._held) and self._held[self._next].seconds <= until:
            here = self._held[self._next]
            ended += self._look_for_blink(here) + self._look_for_closure(here)
            self._next += 1
            while self._held[0].seconds < here.seconds - MEMORY:
                self._held.popleft()
                self._next -= 1
        return ended

    def _look_for_blink(self, here: Moment) -> list[Spell]:
        around = [m for m in self._held if abs(m.seconds - here.seconds) <= LONGEST_BLINK]
        shoulder = filled(around, around.index(here))
        if shoulder < NEVER_OPEN or here.value > BEGUN * shoulder:
            return self._end_blink(here.seconds)
        self._blink.append(here)
        self._deep |= here.value < DEEP * shoulder and here.value < shoulder - DEPTH
        return []

    def _end_blink(self, seconds: float) -> list[Spell]:
        blink, deep = self._blink, self._deep
        self._blink, self._deep = [], False
        return [_spell(BLINK, blink, seconds)] if deep and seconds > blink[0].seconds else []

    def _look_for_closure(self, here: Moment) -> list[Spell]:
        if not self._shut:  # else closed eyes would come to count as open
            ordered = sorted(m.value for m in self._held)
            self._open = ordered[int(OPEN_SHARE * (len(ordered) - 1))]
        limit = (OPENING if self._shut else CLOSING) * self._open
        if self._open >= NEVER_OPEN and here.value < limit:
            lowest = min([*self._shut[-1:], here], key=lambda m: m.value)
            self._shut = [*self._shut[:1], here, lowest] if self._shut else [here, here, here]
            return []
        return self._end_shut(here.seconds)

    def _end_shut(self, seconds: float) -> list[Spell]:
        shut, self._shut = self._shut, []
        long = bool(shut) and seconds - shut[0].seconds > LONGEST_BLINK
        if not long:
            return []
        first, last, lowest = shut
        return [Spell(CLOSED, first, last, seconds, lowest.value)]


def filled(moments: Sequence[Moment], place: int) -> float:
    """The lowest of the maxima of all windows of `LONGEST_BLINK` seconds that hold one moment.

    ``moments`` are those of no more than that distance; at their ends windows are cut short.
    """
    here = moments[place].seconds
    left = list(accumulate((m.value for m in reversed(moments[: place + 1])), max))
    right = list(accumulate((m.value for m in moments[place:]), max))
    before = [here - m.seconds for m in reversed(moments[:place])]
    after = [m.seconds - here for m in moments[place:]]
    lowest = left[-1]  # a window that ends here
    for reached, beyond in enumerate(before):  # one that begins after the moment at ``beyond``
        count = bisect_right(after, LONGEST_BLINK - beyond)
        lowest = min(lowest, max(left[reached], right[count - 1]))
    return lowest


def _spell(event: str, moments: Sequence[Moment], end: float) -> Spell:
    return Spell(event, moments[0], moments[-1], end, min(m.value for m in moments))
