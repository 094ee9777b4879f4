"""OpenCV's Haar cascades (Viola and Jones): old, everywhere, frontal faces only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kpcli.errors import InputError, ModelError
from kpcli.options import DETECT_SIZE
from kpcli.types import FaceBox, Frame, Pixels

GIVEN = False

FRONTAL = "haarcascade_frontalface_default.xml"

# The cascade's square and the landmark box are two ideas of a face. Median over the training
# faces of 300-W: the landmark box's centre lies lower by DOWN cascade sides, its side is SIDE
# times the cascade's.  Command: tests/benchmarks/haar_box.py
DOWN = 0.152
SIDE = 0.868


class Haar:
    """Boxes of a cascade, brought to the landmark box that kpcli's models expect."""

    def __init__(self, cascade: cv2.CascadeClassifier, size: int, *, calibrated: bool) -> None:
        self._cascade = cascade
        self._size = size
        self._calibrated = calibrated

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """Largest count of agreeing windows first; see `kpcli.plug_ins.Detector`."""
        return [self._one(frame.pixels) for frame in frames]

    def _one(self, image: Pixels) -> list[FaceBox]:
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        scale = min(1.0, self._size / max(gray.shape))
        if scale < 1:
            gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        gray = cv2.equalizeHist(gray)
        found, _, weights = self._cascade.detectMultiScale3(
            gray, scaleFactor=1.1, minNeighbors=5, minSize=(24, 24), outputRejectLevels=True
        )
        if not len(found):
            return []
        # Fractions of the picture's true size, for a side may have been rounded.
        fx, fy = image.shape[1] / gray.shape[1], image.shape[0] / gray.shape[0]
        order = np.argsort(-np.asarray(weights, np.float64).ravel(), kind="stable")
        return [self._box(found[i], float(np.ravel(weights)[i]), fx, fy) for i in order]

    def _box(self, square: Sequence[int], weight: float, fx: float, fy: float) -> FaceBox:
        x, y, w, h = (float(v) for v in square)
        cx, cy = (x + w / 2) * fx - 0.5, (y + h / 2) * fy - 0.5
        width, height = w * fx, h * fy
        if self._calibrated:
            cy += DOWN * height
            width, height = SIDE * width, SIDE * height
        score = 1 / (1 + np.exp(-weight / 4))
        return FaceBox(
            cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2, float(score)
        )


def create(argument: str | None, size: int = DETECT_SIZE, device: str = "") -> Haar:
    """The frontal cascade, or the one in the file ``argument`` (its boxes stay as they are).

    Pictures are scaled down to the long side ``size`` before the search.

    Raises
    ------
    ModelError
        If this OpenCV has no cascades.
    InputError
        If the file is missing or not a cascade.
    """
    if not hasattr(cv2, "CascadeClassifier"):
        raise ModelError(
            "this OpenCV has no Haar cascades",
            expected="opencv-python 4.x",
            actual=f"OpenCV {cv2.__version__}",
            next_step='pip install "opencv-python<5", or choose another --detector',
        )
    if argument is not None:
        return Haar(_load(Path(argument)), size, calibrated=False)
    file = Path(cv2.__file__).parent / "data" / FRONTAL
    if not file.is_file():
        raise ModelError(
            f"this OpenCV comes without {FRONTAL}",
            next_step='pip install "opencv-python<5", or pass a file: --detector haar:FILE',
        )
    return Haar(_load(file), size, calibrated=True)


def _load(file: Path) -> cv2.CascadeClassifier:
    if not file.is_file():
        raise InputError(f"{file}: there is no such cascade file")
    cascade = cv2.CascadeClassifier()
    try:
        loaded = cascade.load(str(file))
    except cv2.error as e:  # raised for a file that is no XML at all
        raise InputError(f"{file}: not a Haar cascade", actual=str(e).strip()) from e
    if not loaded or cascade.empty():
        raise InputError(f"{file}: not a Haar cascade", expected="an OpenCV cascade file (.xml)")
    return cascade
