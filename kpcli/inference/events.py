"""Events of the faces of a file: blinks, mouth open, head turned, face lost and found.

Frames go in as they come, events come out as they end; what is held is a few seconds of each face.
How eyes are judged stands in `kpcli.inference.blinks`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from kpcli.inference.blinks import Eyes, Moment, Spell
from kpcli.types import HeadPose, Measures

MOUTH, TURNED, FOUND, LOST = "mouth_open", "head_turned", "face_found", "face_lost"

MOUTH_OPEN, MOUTH_SHUT = 0.25, 0.18
"""Gap over width of the inner lips from which on, and down to which, the mouth counts as open."""
TURN, TURN_BACK = 30.0, 27.0
"""Degrees of yaw to either side from which on, and down to which, a head counts as turned."""
LEAST_EYES = 30.0
"""Least pixels between the eyes for blinks to be told: on smaller faces the ratio trembles as much
as a blink changes it.
"""
GAP = 0.5
"""Seconds without a face after which it is lost; shorter gaps are the detector's."""


SHORTEST = 0.1
"""Least seconds that an open mouth or a turned head must last to be an event."""


class Event(NamedTuple):
    """Something that a face did, from ``start`` until (not including) ``end``, in seconds.

    ``end`` is the time of the first frame that is otherwise, or of the last frame of the face.
    ``face_found`` has no length; ``face_lost`` lasts from the last frame of the face to its
    return, or to the end of the file. ``value`` is the lowest eye aspect ratio, the widest mouth,
    the largest yaw; NaN of others.
    """

    file: str
    face_id: int
    event: str
    start: float
    end: float
    first_frame: int
    last_frame: int
    value: float

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start


class Seen(NamedTuple):
    """A face in one frame."""

    face_id: int
    measures: Measures
    pose: HeadPose | None = None


class EventFinder:
    """Finds the events of one file.

    Examples
    --------
    >>> finder = EventFinder("clip.mp4")
    >>> finder.add(1, 0.0, [])
    []
    >>> finder.end()
    []
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._faces: dict[int, _FaceEvents] = {}
        self._gone: dict[int, Moment] = {}
        self._seconds = 0.0

    def add(self, frame: int, seconds: float, faces: Iterable[Seen]) -> list[Event]:
        """The events that end with this frame (those of the eyes half a second later)."""
        self._seconds = seconds
        found: list[Event] = []
        for seen in faces:
            here = Moment(frame, seconds, math.nan)
            events = self._faces.get(seen.face_id)
            if events is not None and seconds - events.last.seconds > GAP:
                found += self._lose(seen.face_id)
                events = None
            if events is None:
                if gone := self._gone.pop(seen.face_id, None):
                    found.append(self._event(seen.face_id, LOST, gone, gone, seconds))
                found.append(self._event(seen.face_id, FOUND, here, here, seconds))
                events = self._faces[seen.face_id] = _FaceEvents(here)
            found += self._named(seen.face_id, events.add(here, seen))
        for face_id in [i for i, e in self._faces.items() if seconds - e.last.seconds > GAP]:
            found += self._lose(face_id)
        return found

    def end(self) -> list[Event]:
        """The file is over: what is under way ends with it."""
        found: list[Event] = []
        for face_id, events in self._faces.items():
            found += self._named(face_id, events.end())
        for face_id, gone in self._gone.items():
            found.append(self._event(face_id, LOST, gone, gone, self._seconds))
        self._faces, self._gone = {}, {}
        return found

    def _lose(self, face_id: int) -> list[Event]:
        events = self._faces.pop(face_id)
        self._gone[face_id] = events.last
        return self._named(face_id, events.end())

    def _named(self, face_id: int, spells: Iterable[Spell]) -> list[Event]:
        return [self._event(face_id, s.event, s.first, s.last, s.end, s.value) for s in spells]

    def _event(
        self,
        face_id: int,
        event: str,
        first: Moment,
        last: Moment,
        end: float,
        value: float = math.nan,
    ) -> Event:
        return Event(self._file, face_id, event, first.seconds, end, first.frame, last.frame, value)


class _FaceEvents:
    """The events of one face while it is there."""

    def __init__(self, first: Moment) -> None:
        self.last = first
        self._mouth, self._turned, self._eyes = _State(MOUTH), _State(TURNED), Eyes()

    def add(self, here: Moment, seen: Seen) -> list[Spell]:
        """What has ended with this frame."""
        self.last = here
        mouth, yaw = seen.measures.mouth_open, seen.pose.yaw if seen.pose else math.nan
        ended = self._mouth.add(
            here._replace(value=mouth), begins=mouth > MOUTH_OPEN, goes_on=mouth > MOUTH_SHUT
        )
        ended += self._turned.add(
            here._replace(value=yaw), begins=abs(yaw) > TURN, goes_on=abs(yaw) > TURN_BACK
        )
        ratio = seen.measures.ear
        if math.isfinite(ratio) and seen.measures.eye_distance >= LEAST_EYES:
            ended += self._eyes.add(here._replace(value=ratio))
        return ended

    def end(self) -> list[Spell]:
        """What ends because the face is gone."""
        seconds = self.last.seconds
        return self._eyes.end() + self._mouth.end(seconds) + self._turned.end(seconds)


@dataclass(slots=True)
class _State:
    """Begins at one threshold and ends at another, so that a trembling value is one spell."""

    event: str
    first: Moment | None = None
    last: Moment | None = None
    extreme: float = math.nan

    def add(self, here: Moment, *, begins: bool, goes_on: bool) -> list[Spell]:
        """The spell that this moment ends, if it does."""
        if self.first is None:
            if begins:
                self.first, self.last, self.extreme = here, here, here.value
            return []
        if not goes_on:
            return self.end(here.seconds)
        self.last = here
        self.extreme = max(self.extreme, here.value, key=abs)
        return []

    def end(self, seconds: float) -> list[Spell]:
        """The spell that is under way, if it is long enough to count."""
        first, last = self.first, self.last
        self.first = self.last = None
        if first is None or last is None or seconds - first.seconds < SHORTEST:
            return []
        return [Spell(self.event, first, last, seconds, self.extreme)]
