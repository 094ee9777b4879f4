"""Which face of a video is which: ids that stay with a face from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.inference.appearance import Thumbnail, likeness
from kpcli.types import FaceBox, Pixels

MEMORY = 1.0
"""Seconds for which a face that is gone keeps its id."""

STEPS = 1.5
"""Steps between two looked-at frames for which a face that is gone keeps its id, where these last
longer than `MEMORY`.
"""

_REACH = 0.6
"""Face sides by which a face may have moved away from where it is expected and still be the
same.
"""
_REACH_A_SECOND = 2.0
"""Further face sides for every second that it was not seen, up to `MEMORY`."""
_FAR = 2.5
"""Face sides by which a face that looks the same may have moved and still be the same."""
_GROWTH = 1.8
"""Largest ratio of two boxes' sides that can be of one face."""
_EASE = 0.6
"""Weight of the newest motion in the running mean of a face's motion."""
_OVERLAP_ACROSS_A_CUT = 0.4
"""In another scene only a face that overlaps so much is the same, and only if it looks the same."""
_SAME_LOOK = 0.6
"""Least likeness (`kpcli.inference.appearance.likeness`) of one face in two frames."""
_THERE, _LIKE_ENOUGH = 0.6, 0.45
"""In a pan, a face that overlaps the expected one so much need be no more alike than this: its look
changes while it enters the picture (0.58 to 0.63 in sample_images/clip.mp4). Of 1,770 pairs of
different portraits 4 % are more alike, 0.5 % are more so than `_SAME_LOOK`
(``tests/benchmarks/likeness.py ../shared/data/300w/helen/trainset 2``)."""
_SHORT = 0.25
"""Seconds within which a face neither turns nor flies far, nor does a shot change much."""
_STIR = 12.0
"""Gray levels by which frames so near differ on average only where something happens: a cut, or
a fast pan. Then, too, a face must look the same."""

Scene = NDArray[np.float32]
"""A frame as a gray thumbnail, to tell one shot from the next."""


def scene_of(pixels: Pixels) -> Scene:
    """The thumbnail of a frame (H, W, 3)."""
    step = max(1, min(pixels.shape[0] // 72, pixels.shape[1] // 128))  # 16 samples tell a cell
    small = cv2.resize(pixels[::step, ::step], (32, 18), interpolation=cv2.INTER_AREA)
    return np.asarray(small.mean(axis=2), np.float32)


def same_scene(one: Scene, other: Scene) -> bool:
    """Whether two frames may be of one shot: alike in pattern, or nearly so in brightness."""
    if np.abs(one - other).mean() < 15:
        return True
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum()) > 0.4 * math.sqrt(float((a * a).sum() * (b * b).sum()))


@dataclass(slots=True)
class _Track:
    number: int
    box: FaceBox
    seen: float
    scene: Scene | None
    look: Thumbnail | None = None
    vx: float = 0.0
    vy: float = 0.0

    def expected(self, seconds: float) -> FaceBox:
        """Where the face would be if it went on; motion is trusted for a quarter second."""
        gap = min(seconds - self.seen, 0.25)
        dx, dy = self.vx * gap, self.vy * gap
        b = self.box
        return FaceBox(b.left + dx, b.top + dy, b.right + dx, b.bottom + dy)

    def move_to(
        self, box: FaceBox, seconds: float, scene: Scene | None, look: Thumbnail | None
    ) -> None:
        gap = seconds - self.seen
        if gap > 0:
            (x, y), (old_x, old_y) = box.centre, self.box.centre
            # A face found again has not flown there in a straight line.
            ease = _EASE if gap < 0.25 else 0.0
            self.vx += ease * ((x - old_x) / gap - self.vx)
            self.vy += ease * ((y - old_y) / gap - self.vy)
        self.box, self.seen, self.scene, self.look = box, seconds, scene, look


class Tracker:
    """Gives ids 0, 1, 2 ... to the faces of one video, frame by frame in order of time.

    A face belongs to the track that expects it nearest by overlap, else by distance; the reach
    grows with the time the face was not seen, and ends after `MEMORY` seconds, or after the next
    frame that is looked at. Where the picture changes, the face must also look the same.
    """

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next = 0
        self._last = -math.inf

    def update(
        self,
        boxes: Sequence[FaceBox],
        seconds: float,
        scene: Scene | None = None,
        looks: Sequence[Thumbnail | None] = (),
        cut: Sequence[bool] = (),
    ) -> list[int]:
        """Ids of the boxes of the next frame, all different.

        Without a scene there are no cuts; ``looks`` has a thumbnail a box, or nothing;
        ``cut`` says which boxes the picture's edge cuts: their look is a guess.
        """
        memory = max(MEMORY, STEPS * (seconds - self._last)) if self._tracks else MEMORY
        self._tracks = [t for t in self._tracks if seconds - t.seen <= memory + 1e-6]
        self._last = seconds
        looks = looks or [None] * len(boxes)
        cut = cut or [False] * len(boxes)
        pairs = []
        for t, track in enumerate(self._tracks):
            for b, (box, look) in enumerate(zip(boxes, looks, strict=True)):
                fit = _fit(track, box, seconds, likeness(track.look, look))
                if fit is not None and _may_be(track, fit, seconds, scene, look, cut[b]):
                    pairs.append((fit, t, b))
        ids: dict[int, int] = {}
        taken: set[int] = set()
        for _, t, b in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if t not in taken and b not in ids:
                taken.add(t)
                ids[b] = self._tracks[t].number
                self._tracks[t].move_to(boxes[b], seconds, scene, looks[b])
        for b, box in enumerate(boxes):
            if b not in ids:
                ids[b] = self._next
                self._tracks.append(_Track(self._next, box, seconds, scene, looks[b]))
                self._next += 1
        return [ids[b] for b in range(len(boxes))]


def _may_be(
    track: _Track,
    fit: float,
    seconds: float,
    scene: Scene | None,
    look: Thumbnail | None,
    cut: bool,
) -> bool:
    """Whether a face that fits the track's place may be its face, for all that has changed."""
    if scene is None or track.scene is None:
        return True
    alike = likeness(track.look, look)
    same_look = alike is not None and alike >= _SAME_LOOK
    if not same_scene(scene, track.scene):
        return same_look and fit >= 1 + _OVERLAP_ACROSS_A_CUT
    stirred = float(np.abs(scene - track.scene).mean()) >= _STIR
    if alike is None or not (stirred and seconds - track.seen <= _SHORT):
        return True
    if cut and fit >= 1 + _OVERLAP_ACROSS_A_CUT:
        return True
    return same_look or (fit >= 1 + _THERE and alike >= _LIKE_ENOUGH)


def _fit(track: _Track, box: FaceBox, seconds: float, alike: float | None) -> float | None:
    """How well the box continues the track: above 1 where they overlap; None: not at all."""
    expected = track.expected(seconds)
    ratio = max(box.side, expected.side) / max(min(box.side, expected.side), 1e-9)
    if ratio > _GROWTH:
        return None
    overlap = expected.iou(box)
    if overlap > 0.2:
        return 1 + overlap
    distance = math.dist(expected.centre, box.centre) / ((box.side + expected.side) / 2)
    reach = _REACH + _REACH_A_SECOND * min(seconds - track.seen, MEMORY)
    if distance < reach:
        return 1 - distance / reach
    return -distance if distance < _FAR and (alike or 0.0) >= _SAME_LOOK else None
