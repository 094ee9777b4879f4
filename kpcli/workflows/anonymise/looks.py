"""Find faces so that few are missed: lower scores, finer looks, pictures on their side.

Boxes are those of WIDER FACE, hair line to chin.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from kpcli.boxes import Array, face_boxes, suppress, turned_back
from kpcli.detectors.builtin import BUNDLE, NMS_IOU, TURNS, FaceDetector, open_detector
from kpcli.options import DETECT_SIZE, AnonymiseOptions
from kpcli.types import FaceBox, Pixels

WEAKEST = 0.013
"""Score of what is told as a suspect in leaks.csv, and joins a face of other frames."""
LYING = 0.5
"""Score of a face that only shows where the picture is turned."""
FINE_BELOW = 1600
"""Pictures of a longer side than this are looked at whole, and by the detector's tiles only."""


class Seeker:
    """Looks at frames with kpcli's own detector, at low scores."""

    def __init__(self, options: AnonymiseOptions) -> None:
        fine = max(options.detect_size, DETECT_SIZE)
        self._fine = self._open(fine, options)
        self._usual = self._fine if fine == DETECT_SIZE else self._open(DETECT_SIZE, options)

    def _open(self, size: int, options: AnonymiseOptions) -> FaceDetector:
        return open_detector(BUNDLE, size, WEAKEST, device=options.device)

    def picture(self, pixels: Pixels) -> list[FaceBox]:
        """Faces of a picture by all looks, best first."""
        fine = max(pixels.shape[:2]) <= FINE_BELOW
        detectors = [self._usual] + [self._fine] * (fine and self._fine is not self._usual)
        found = [detector.arrays([pixels], "box")[0] for detector in detectors]
        return _joined([*found, *self._lying(pixels)])

    def frame(self, pixels: Pixels, *, turned: bool) -> list[FaceBox]:
        """Faces of a video's frame by the usual look, and by turned ones, best first."""
        found = self._usual.arrays([pixels], "box")
        return _joined([*found, *(self._lying(pixels) if turned else ())])

    def _lying(self, pixels: Pixels) -> list[tuple[Array, Array]]:
        """Faces on either side and upside down, of which only sure ones are told."""
        height, width = pixels.shape[:2]
        found = []
        for quarters, code in TURNS.items():
            turned = np.asarray(cv2.rotate(pixels, code), np.uint8)
            ((boxes, scores),) = self._usual.arrays([turned], "box", 0.5)
            sure = scores >= LYING
            found.append((turned_back(boxes[sure], quarters, width, height), scores[sure]))
        return found


def _joined(found: Sequence[tuple[Array, Array]]) -> list[FaceBox]:
    boxes = np.concatenate([b for b, _ in found])
    scores = np.concatenate([s for _, s in found])
    kept = suppress(boxes, scores, NMS_IOU)
    return face_boxes(boxes[kept], scores[kept])
