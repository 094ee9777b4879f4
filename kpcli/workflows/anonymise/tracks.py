"""Faces of a video over time, so that none flickers free: forwards, backwards, through gaps.

Boxes of low scores count where they continue a face. A face that is no longer found is followed by
the motion of the picture, and so is one that is found late, back in time; a cut ends both.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kpcli.inference.identity import Scene, same_scene, scene_of
from kpcli.types import FaceBox, Frame
from kpcli.workflows.anonymise.motion import Gray, moved, small_gray

HOLD = 1.0
"""Seconds for which a face is covered before it is first found, and after it was last found."""
HELD_FRAMES = 120
"""Frames at most that are kept to look back at, small and gray."""
WEAK_GAP = 0.2
"""Seconds that a face without a sure box may be away."""
MEET, NEAR, GROWTH = 0.25, 0.7, 1.8
"""A box continues a face by this IoU; or its centre lies within so many sides, its size is near."""
LEAST_DOUBT = 0.4
"""Of a face that is followed; it grows to 1 within `HOLD`."""

Kind = Literal["seen", "followed", "before", "between", "given"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a face is in a frame, how that is known, and how doubtful it is (0..1)."""

    frame: int
    seconds: float
    box: FaceBox
    kind: Kind
    doubt: float
    gap: float = 0.0
    """Seconds from the frame in which the face was found."""


_NOWHERE = FaceBox(0, 0, 0, 0)


@dataclass
class Track:
    """One face over time; ``best`` is its highest score."""

    places: list[Place] = field(default_factory=list)
    best: float = 0.0
    box: FaceBox = _NOWHERE
    found: float = -math.inf
    """Seconds at which it was last found."""
    reached_back: bool = False

    @property
    def first(self) -> tuple[int, int, float]:
        """What tracks are sorted by."""
        start = min(self.places, key=lambda p: p.frame)
        return start.frame, -round(1000 * self.best), start.box.left

    def see(self, frame: Frame, box: FaceBox) -> None:
        """The face is found."""
        gap = [p for p in self.places if p.kind == "followed" and p.seconds > self.found]
        begin, end = self.found, frame.seconds
        for place in gap:  # followed, and on the straight way: it was at one of the two
            share = (place.seconds - begin) / max(end - begin, 1e-9)
            straight = _between(self._last_seen(), box, share)
            near = min(place.seconds - begin, end - place.seconds)
            doubt = _doubt(near)
            self.places.append(Place(place.frame, place.seconds, straight, "between", doubt, near))
        self.places.append(Place(frame.index, frame.seconds, box, "seen", 1 - box.score))
        self.box, self.found, self.best = box, frame.seconds, max(self.best, box.score)

    def _last_seen(self) -> FaceBox:
        return next(p.box for p in reversed(self.places) if p.kind == "seen")

    def follow(self, frame: Frame, box: FaceBox) -> None:
        """The face is not found; it is taken to be here."""
        gap = frame.seconds - self.found
        place = Place(frame.index, frame.seconds, box, "followed", _doubt(gap), gap)
        self.places.append(place)
        self.box = box


def _doubt(gap: float) -> float:
    return min(1.0, LEAST_DOUBT + (1 - LEAST_DOUBT) * gap / HOLD)


def _between(one: FaceBox, other: FaceBox, share: float) -> FaceBox:
    pairs = zip(one.corners, other.corners, strict=True)
    left, top, right, bottom = (a + share * (b - a) for a, b in pairs)
    return FaceBox(left, top, right, bottom, min(one.score, other.score))


def still(frame: Frame, boxes: Sequence[FaceBox]) -> list[Track]:
    """The faces of a picture: a track each, best first."""
    tracks = [Track() for _ in boxes]
    for track, box in zip(tracks, boxes, strict=True):
        track.see(frame, box)
    return tracks


class Tracker:
    """Joins the boxes of a video's frames, which come in order of time, to faces.

    Parameters
    ----------
    sure : float
        Score from which on a box is a face; lower ones only continue one.
    """

    def __init__(self, sure: float) -> None:
        self._sure = sure
        self._live: list[Track] = []
        self._all: list[Track] = []
        self._past: deque[tuple[int, float, Gray]] = deque(maxlen=HELD_FRAMES)
        self._scene: Scene | None = None

    def add(self, frame: Frame, boxes: Sequence[FaceBox]) -> None:
        """The next frame and what was found in it."""
        gray, scene = small_gray(frame.pixels), scene_of(frame.pixels)
        size = frame.pixels.shape[1], frame.pixels.shape[0]
        scale = gray.shape[1] / size[0]
        if self._scene is not None and not same_scene(self._scene, scene):
            self._live = []
            self._past.clear()
        self._scene = scene
        self._live = [t for t in self._live if frame.seconds - t.found <= self._memory(t)]
        expected = [self._expected(track, gray, scale) for track in self._live]
        partner = _partners(expected, boxes)
        for i, track in enumerate(self._live):
            if i in partner:
                track.see(frame, boxes[partner[i]])
            elif self._is_sure(track) and _inside(expected[i], size):
                track.follow(frame, expected[i])
        for k in sorted({*range(len(boxes))} - {*partner.values()}):
            track = Track()
            track.see(frame, boxes[k])
            self._live.append(track)
            self._all.append(track)
        for track in self._live:
            if self._is_sure(track) and not track.reached_back:
                self._reach_back(track, gray, scale, size)
        self._past.append((frame.index, frame.seconds, gray))
        while self._past[0][1] < frame.seconds - 2 * HOLD:
            self._past.popleft()

    def tracks(self) -> list[Track]:
        """All faces, and boxes that may be some, in the order in which they appear."""
        return sorted(self._all, key=lambda track: track.first)

    def _is_sure(self, track: Track) -> bool:
        return track.best >= self._sure

    def _memory(self, track: Track) -> float:
        return HOLD if self._is_sure(track) else WEAK_GAP

    def _expected(self, track: Track, gray: Gray, scale: float) -> FaceBox:
        if not self._is_sure(track) or not self._past:
            return track.box
        return moved(track.box, self._past[-1][2], gray, scale) or track.box

    def _reach_back(self, track: Track, gray: Gray, scale: float, size: tuple[int, int]) -> None:
        """Places of a face before its first box, as far as the picture's motion tells."""
        track.reached_back = True
        first = track.places[0]
        box, later = first.box, gray
        for index, seconds, earlier in reversed(self._past):
            gap = first.seconds - seconds
            if index < first.frame:
                if gap > HOLD or not _inside(box, size):
                    return
                box = moved(box, later, earlier, scale) or box
                place = Place(index, seconds, box, "before", _doubt(gap), gap)
                track.places.append(place)
            later = earlier


def _inside(box: FaceBox, size: tuple[int, int]) -> bool:
    """Whether some of the box is in the frame."""
    return box.right > 0 and box.bottom > 0 and box.left < size[0] and box.top < size[1]


def _partners(expected: Sequence[FaceBox], boxes: Sequence[FaceBox]) -> dict[int, int]:
    """For places in ``expected`` the place in ``boxes`` of the box that continues it."""
    pairs = [(fit, i, k) for i, k, fit in _fits(expected, boxes)]
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, k in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if i not in partner and k not in taken:
            partner[i] = k
            taken.add(k)
    return partner


def _fits(
    expected: Sequence[FaceBox], boxes: Sequence[FaceBox]
) -> Iterator[tuple[int, int, float]]:
    for i, one in enumerate(expected):
        for k, box in enumerate(boxes):
            overlap = one.iou(box)
            ratio = max(one.side, box.side) / max(min(one.side, box.side), 1e-9)
            away = math.dist(one.centre, box.centre) / max(one.side, box.side)
            if overlap >= MEET:
                yield i, k, 1 + overlap
            elif away <= NEAR and ratio <= GROWTH:
                yield i, k, 1 - away
