"""Follow faces through a video by their own landmarks, so that the detector can rest."""

from __future__ import annotations

from collections.abc import Sequence

from kpcli.geometry import landmark_box
from kpcli.schemes import LandmarkScheme
from kpcli.types import FaceBox, Prediction

LEAST_CONFIDENCE = 0.4
"""A followed face below this is lost."""
DROP = 0.75
"""So is one whose confidence falls below this part of what it was when it was detected."""
SAME = 0.6
"""Two boxes that overlap so far follow one face."""
GROWTH = 1.5
"""A face does not grow or shrink so much from frame to frame."""


class Follower:
    """Decides where to look in the next frame of one video.

    Parameters
    ----------
    every : int
        The detector looks at least at every such frame.
    scheme : LandmarkScheme
    """

    def __init__(self, every: int, scheme: LandmarkScheme) -> None:
        self._every = every
        self._scheme = scheme
        self._age = 0
        self._boxes: list[FaceBox] = []
        self._sure: list[float] = []

    def boxes(self) -> list[FaceBox]:
        """Where the faces of the last frame are expected; none where the detector must look."""
        return self._boxes if self._age < self._every else []

    def lost(self, faces: Sequence[Prediction]) -> bool:
        """Whether one of the faces predicted in `boxes` is no longer there."""
        boxes = [self._box(face) for face in faces]
        for i, (face, box, sure) in enumerate(zip(faces, self._boxes, self._sure, strict=True)):
            side = boxes[i].side
            if face.confidence < max(LEAST_CONFIDENCE, DROP * sure):
                return True
            if not box.side / GROWTH < side < box.side * GROWTH:
                return True
            if any(boxes[i].iou(other) > SAME for other in boxes[:i]):
                return True
        return False

    def saw(self, faces: Sequence[Prediction], *, detected: bool) -> None:
        """Take note of the faces of this frame, in the order of `boxes` if they were followed."""
        if detected:
            faces = [face for face in faces if face.confidence >= LEAST_CONFIDENCE]
            self._sure = [face.confidence for face in faces]
        self._boxes = [self._box(face) for face in faces]
        self._age = 1 if detected else self._age + 1

    def _box(self, face: Prediction) -> FaceBox:
        box = landmark_box(face.points, self._scheme)
        return FaceBox(box.left, box.top, box.right, box.bottom, face.face.score)
