"""Follow the faces of a video by their own landmarks.

A face's landmarks tell where to look for it in the next frame, more steadily than a detector does;
the detector finds new faces and confirms the old ones, and may rest between. It looks at every Nth
frame, or, which is the default, where something changes: a cheap look every `GLANCE_EVERY` seconds
(at every frame without a face), the full one when that sees a new face or none where one is
followed, when a face is lost, at a cut, and every `LOOK_EVERY` seconds for faces that are too small
for the cheap look.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from kpcli.geometry import landmark_box
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FaceBox, Points

LEAST_CONFIDENCE = 0.4
"""A followed face below this is lost."""
DROP = 0.82
"""Share of its confidence when it was detected below which a followed face is lost. At 0.4 widths
a frame, landmarks from the old place keep 0.79 of it."""
GROWTH = 1.5
"""Ratio of a followed box's sides in two frames from which on it is no longer the face."""
SAME = 0.5
"""IoU from which on two boxes are one face."""
UNCONFIRMED = 0.5
"""Seconds for which a face is followed that the detector no longer sees."""
COVERED = 0.5
"""A face that the detector does not see, and of whose landmark box so much lies in that of one
that it sees, is that one: its landmarks are drawn from the place that the face has left."""
TRUST = 0.7
"""IoU with the expected box from which on a detected box confirms it; a detected box with less
replaces it.
"""
GLANCE_EVERY, LOOK_EVERY = 0.12, 0.5
"""Seconds between two cheap looks, and between two full looks, of the detector while every face is
followed well.
"""
EMPTY_LOOK_EVERY = 0.16
"""Seconds between two full looks while there is no face: one that enters may be small."""
MET = 0.3
"""IoU from which on two boxes are one face where one of them comes from a cheap look."""
NEW_SCORE = 0.5
"""Score from which on the cheap look's box of no followed face is a reason for the full look."""
UNREST = 0.04
"""Face sides that a still face's box moves from frame to frame."""
DRIFT = 0.12
"""Face sides by which landmarks may lie away from where they were expected before the detector is
asked.
"""
TRUSTED = 0.8
"""Confidence from which on a face's points tell how it leans: where the picture's edge cuts a face,
they do not."""
REFUSED, REFUSED_FOR = 0.1, 1.0
"""Confidence below which what the detector found is no face from any side, and seconds for which
only its upright side is looked at again."""


class Hint(NamedTuple):
    """What is known of a place: where the face's points should be, and whether it may be a face
    that lies on its side.
    """

    points: Points | None
    sides: bool


@dataclass(frozen=True, slots=True)
class _Followed:
    """Where a face is expected, how sure it was, when the detector last saw it, where it was."""

    box: FaceBox
    sure: float
    confirmed: float
    centre: tuple[float, float]
    glimpsed: bool = False
    """Whether the last cheap look saw it."""
    points: Points | None = None
    """Where its points should be, if they were sure."""
    refused: bool = False
    """Whether it was found to be no face a moment ago."""

    @classmethod
    def met(cls, box: FaceBox, seconds: float) -> _Followed:
        """A face that the detector has just found."""
        return cls(box, 0.0, seconds, box.centre)

    def seen(self, box: FaceBox, sure: float, points: Points | None) -> _Followed:
        """The same face a frame later, expected to go on as it went.

        Landmarks tremble with the box that they are predicted from: the box of a face that stands
        still stays where it is, so that its landmarks do.
        """
        x, y = box.centre
        dx, dy = (x - self.centre[0], y - self.centre[1]) if self.sure else (0.0, 0.0)
        # Less than the landmarks' own unrest is no motion.
        length = math.hypot(dx, dy)
        share = max(0.0, 1 - UNREST * box.side / length) if length else 0.0
        if not share and _near(box, self.box):
            return _Followed(self.box, sure, self.confirmed, (x, y), self.glimpsed, points)
        dx, dy = share * dx, share * dy
        if points is not None:
            points = points + np.array([dx, dy], points.dtype)
        ahead = FaceBox(box.left + dx, box.top + dy, box.right + dx, box.bottom + dy, box.score)
        return _Followed(ahead, sure, self.confirmed, (x, y), self.glimpsed, points)


def _near(box: FaceBox, other: FaceBox) -> bool:
    """Whether all sides differ by no more than a still face's do."""
    pairs = zip(
        (box.left, box.top, box.right, box.bottom),
        (other.left, other.top, other.right, other.bottom),
        strict=True,
    )
    return all(abs(a - b) <= UNREST * box.side for a, b in pairs)


def _partners(old: Sequence[FaceBox], new: Sequence[FaceBox]) -> dict[int, int]:
    """For places in ``new``, the place in ``old`` of the box that it overlaps most."""
    pairs = [(a.iou(b), i, k) for i, a in enumerate(old) for k, b in enumerate(new)]
    partner: dict[int, int] = {}
    for overlap, i, k in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if overlap >= SAME and i not in partner.values() and k not in partner:
            partner[k] = i
    return partner


def _alike(box: FaceBox, other: FaceBox, drift: float) -> bool:
    near = math.dist(box.centre, other.centre) <= drift * box.side
    return near and other.side / GROWTH < box.side < other.side * GROWTH


def _covered(box: FaceBox, other: FaceBox) -> bool:
    width = min(box.right, other.right) - max(box.left, other.left)
    height = min(box.bottom, other.bottom) - max(box.top, other.top)
    return min(width, height) > 0 and width * height > COVERED * min(box.area, other.area)


def _meet(box: FaceBox, other: FaceBox) -> bool:
    return box.iou(other) > MET or _covered(box, other)


def _any_same(box: FaceBox, others: Sequence[FaceBox]) -> bool:
    return any(box.iou(other) > SAME for other in others)


class Follower:
    """Decides where to look in the next frame of one video.

    Parameters
    ----------
    every : int
        The detector looks at least at every such frame; 0: where something changes.
    scheme : LandmarkScheme
    """

    def __init__(self, every: int, scheme: LandmarkScheme) -> None:
        self._every = every
        self._scheme = scheme
        self._age = every
        self._looked = self._glanced = -math.inf
        self._faces: list[_Followed] = []
        self._tried: list[_Followed] = []
        self._refused: list[tuple[FaceBox, float]] = []

    def due(self, seconds: float) -> bool:
        """Whether the detector must look at the next frame, at this time."""
        if self._every:
            return self._age >= self._every or not self._faces
        return seconds - self._looked >= (LOOK_EVERY if self._faces else EMPTY_LOOK_EVERY)

    def glance_due(self, seconds: float) -> bool:
        """Whether a cheap look at the next frame is due, where the full one is not."""
        if self._every:
            return False
        return not self._faces or seconds - self._glanced >= GLANCE_EVERY

    def glanced(self, boxes: Sequence[FaceBox], seconds: float) -> bool:
        """Whether the cheap look's boxes ask for the full one: a face is new, or gone.

        Faces of which it sees as little as before are not gone: they are too small for it.
        """
        self._glanced = seconds
        sure = [box for box in boxes if box.score >= NEW_SCORE]
        new = [box for box in sure if not any(_meet(box, face.box) for face in self._faces)]
        seen = [any(_meet(f.box, box) for box in boxes) for f in self._faces]
        gone = any(f.glimpsed and not s for f, s in zip(self._faces, seen, strict=True))
        self._faces = [
            replace(f, glimpsed=s, confirmed=seconds if s else f.confirmed)
            for f, s in zip(self._faces, seen, strict=True)
        ]
        return bool(new) or gone

    def expected(self) -> list[FaceBox]:
        """Where the faces of the last frame are looked for in this one."""
        self._tried = list(self._faces)
        return [face.box for face in self._tried]

    def joined(
        self, detected: Sequence[FaceBox], seconds: float, lost: Collection[int] = ()
    ) -> list[FaceBox]:
        """Where to look, now that the detector has spoken.

        A face that it confirms is looked for where it is expected, except those ``lost`` (places
        in `expected`), which are given up.
        """
        old = [face for i, face in enumerate(self._faces) if i not in lost]
        partner = _partners([face.box for face in old], detected)
        new = [_Followed.met(box, seconds) for box in detected]
        for k, i in partner.items():
            box = old[i].box if old[i].box.iou(detected[k]) >= TRUST else detected[k]
            new[k] = replace(old[i], box=box, confirmed=seconds)
        unseen = [
            face
            for i, face in enumerate(old)
            if i not in partner.values() and seconds - face.confirmed <= UNCONFIRMED
        ]
        self._refused = [r for r in self._refused if seconds - r[1] <= REFUSED_FOR]
        no_faces = [box for box, _ in self._refused]
        new = [
            replace(face, refused=True)
            if k not in partner and _any_same(face.box, no_faces)
            else face
            for k, face in enumerate(new)
        ]
        self._tried = new + unseen
        self._age = 0
        self._looked = self._glanced = seconds
        return [face.box for face in self._tried]

    def hints(self) -> list[Hint]:
        """What is known of each place that `expected` or `joined` gave last."""
        return [Hint(t.points, not t.sure and not t.refused) for t in self._tried]

    def lost(self, faces: Sequence[Face], drift: float = DRIFT) -> set[int]:
        """Places of the faces, predicted where they were expected, that are not there."""
        lost = set()
        boxes: list[FaceBox] = []
        for i, (face, tried) in enumerate(zip(faces, self._tried, strict=True)):
            box = self._box(face)
            sure = face.confidence >= max(LEAST_CONFIDENCE, DROP * tried.sure)
            if (
                box is not None
                and sure
                and _alike(box, tried.box, drift)
                and not _any_same(box, boxes)
            ):
                boxes.append(box)
            else:
                lost.add(i)
        return lost

    def saw(self, faces: Sequence[Face], seconds: float) -> list[Face]:
        """The faces of this frame, less those that were only expected and are not there."""
        gone = self.lost(faces, drift=math.inf) | self._left_behind(faces, seconds)
        kept: list[Face] = []
        self._faces = []
        for i, (face, tried) in enumerate(zip(faces, self._tried, strict=True)):
            confirmed = tried.confirmed == seconds
            if i not in gone:
                sure = face.confidence if confirmed else tried.sure
                box = self._box(face)
                assert box is not None, "a face without a box is lost"
                trusted = face.points if face.confidence >= TRUSTED else None
                self._faces.append(tried.seen(box, sure, trusted))
            elif confirmed and not tried.refused and face.confidence < REFUSED:
                self._refused.append((tried.box, seconds))
            if confirmed or i not in gone:
                kept.append(face)
        self._age += 1
        return kept

    def _left_behind(self, faces: Sequence[Face], seconds: float) -> set[int]:
        """Places of the faces that are looked for where others, that are detected, came from."""
        boxes = [self._box(face) for face in faces]
        there = [b for b, t in zip(boxes, self._tried, strict=True) if b and t.confirmed == seconds]
        return {
            i
            for i, (box, tried) in enumerate(zip(boxes, self._tried, strict=True))
            if box and tried.confirmed != seconds and any(_covered(box, b) for b in there)
        }

    def _box(self, face: Face) -> FaceBox | None:
        try:
            box = landmark_box(face.points, self._scheme)
        except ValueError:
            return None
        usable = math.isfinite(box.side) and box.side > 0
        return FaceBox(box.left, box.top, box.right, box.bottom, face.box.score) if usable else None
