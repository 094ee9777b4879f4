"""YuNet models through OpenCV's FaceDetectorYN; the file is the user's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.boxes import face_boxes, wider_to_landmark
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.letterbox import Letterbox
from kpcli.options import DETECT_SIZE
from kpcli.types import FaceBox, Frame, Pixels

GIVEN = False

MULTIPLE = 32
LEAST_SCORE = 0.5
NMS_IOU = 0.45


class YuNet:
    """Boxes of a YuNet model, brought to the landmark box that kpcli's models expect."""

    def __init__(self, file: Path, size: int) -> None:
        self._file = file
        self._size = size
        try:
            self._detector = cv2.FaceDetectorYN.create(
                str(file), "", (MULTIPLE, MULTIPLE), LEAST_SCORE, NMS_IOU
            )
        except cv2.error as e:
            raise _unusable(file, e) from e

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """Best score first; see `kpcli.plug_ins.Detector`."""
        return [self._one(frame.pixels) for frame in frames]

    def _one(self, image: Pixels) -> list[FaceBox]:
        letterbox = Letterbox.fit(image, min(self._size, max(image.shape[:2])), MULTIPLE)
        height, width = letterbox.pixels.shape[:2]
        self._detector.setInputSize((width, height))
        try:
            _, found = self._detector.detect(cv2.cvtColor(letterbox.pixels, cv2.COLOR_RGB2BGR))
        except cv2.error as e:
            raise _unusable(self._file, e) from e
        if found is None:
            return []
        rows: NDArray[np.float32] = np.asarray(found, np.float32)
        corners = rows[:, :4].copy()
        corners[:, 2:] += corners[:, :2]
        boxes = letterbox.to_picture(corners - 0.5)
        return face_boxes(wider_to_landmark(boxes), rows[:, 14])


def _unusable(file: Path, error: cv2.error) -> ModelError:
    return ModelError(
        f"{file}: OpenCV cannot run it as a YuNet model",
        expected="face_detection_yunet_2023mar.onnx or a model of its inputs and outputs",
        actual=str(error).strip(),
    )


def create(argument: str | None, size: int = DETECT_SIZE, device: str = "") -> YuNet:
    """Takes the model's file.

    Raises
    ------
    UsageError, InputError
        If no file is given, or it is not there.
    ModelError
        If this OpenCV has no FaceDetectorYN, or cannot run the file.
    """
    if not argument:
        raise UsageError("the detector 'yunet' needs a model", expected="yunet:FILE.onnx")
    if not hasattr(cv2, "FaceDetectorYN"):
        raise ModelError(
            "this OpenCV has no FaceDetectorYN",
            expected="opencv-python 4.5.4 or later",
            actual=f"OpenCV {cv2.__version__}",
            next_step="choose another --detector",
        )
    file = Path(argument)
    if not file.is_file():
        raise InputError(f"{file}: there is no such model file")
    return YuNet(file, size)
