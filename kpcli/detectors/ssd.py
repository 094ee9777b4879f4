"""Single-shot detectors from files: TensorFlow and Caffe graphs by OpenCV, TFLite by its runtime.

``ssd:FILE[,CONFIG]``: ``.pb`` (frozen TensorFlow graph, with a ``.pbtxt`` as CONFIG where OpenCV
asks for one), ``.caffemodel`` (with its ``.prototxt``), ``.onnx``, or ``.tflite`` with the usual
post-processing inside. The file is the user's; its class 1 (or only class) is taken for faces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.boxes import Array, face_boxes, suppress, wider_to_landmark
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.options import DETECT_SIZE
from kpcli.types import FaceBox, Frame, Pixels

GIVEN = False

SIDE = 300
"""Pictures are squeezed to this square, for which such models are trained."""
LEAST_SCORE = 0.5
NMS_IOU = 0.45
CAFFE_MEAN = (104.0, 177.0, 123.0)
"""Mean of blue, green and red that OpenCV's res10 Caffe face model wants subtracted; TensorFlow
graphs scale their input themselves.
"""

Search = Callable[[Pixels], tuple[Array, Array]]
"""A picture to boxes (D, 4) as fractions of its width and height, and scores (D,)."""


class SingleShot:
    """Boxes of such a model, brought to the landmark box that kpcli's models expect."""

    def __init__(self, search: Search) -> None:
        self._search = search

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """Best score first; see `kpcli.plug_ins.Detector`."""
        return [self._one(frame.pixels) for frame in frames]

    def _one(self, image: Pixels) -> list[FaceBox]:
        fractions, scores = self._search(image)
        height, width = image.shape[:2]
        sure = scores >= LEAST_SCORE
        boxes = fractions[sure] * [width, height, width, height] - 0.5
        sound = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        boxes, scores = boxes[sound], scores[sure][sound]
        kept = suppress(boxes, scores, NMS_IOU)
        return face_boxes(wider_to_landmark(boxes[kept]), scores[kept])


def opencv_search(file: Path, config: Path | None) -> Search:
    """A graph that OpenCV's DNN module reads and whose output is (1, 1, D, 7)."""
    caffe = file.suffix == ".caffemodel" or file.name.startswith("opencv_face_detector")
    try:
        net = cv2.dnn.readNet(str(file), str(config) if config else "")
    except cv2.error as e:
        raise _unusable(file, str(e).strip()) from e

    def search(image: Pixels) -> tuple[Array, Array]:
        # blobFromImage gets RGB; Caffe's models and their means are in the order of BGR.
        mean = CAFFE_MEAN[::-1] if caffe else (0.0, 0.0, 0.0)
        blob = cv2.dnn.blobFromImage(image, 1.0, (SIDE, SIDE), mean, swapRB=caffe)
        try:
            net.setInput(blob)
            rows = np.asarray(net.forward())
        except cv2.error as e:
            raise _unusable(file, str(e).strip()) from e
        if rows.ndim != 4 or rows.shape[-1] != 7:
            raise _unusable(file, f"an output of shape {rows.shape}")
        rows = rows.reshape(-1, 7)
        rows = rows[rows[:, 1] == 1]
        return rows[:, 3:7], rows[:, 2]

    return search


def tflite_search(file: Path) -> Search:
    """A TFLite model with TFLite_Detection_PostProcess: boxes, classes, scores, count."""
    interpreter = _interpreter(file)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) < 3 or len(inputs[0]["shape"]) != 4:
        raise _unusable(file, f"{len(inputs)} inputs, {len(outputs)} outputs")
    _, height, width, _ = (int(n) for n in inputs[0]["shape"])
    is_float = inputs[0]["dtype"] == np.float32

    def search(image: Pixels) -> tuple[Array, Array]:
        picture: NDArray[Any] = np.asarray(
            cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        )
        if is_float:
            picture = picture.astype(np.float32) / 127.5 - 1
        interpreter.set_tensor(inputs[0]["index"], picture[None])
        interpreter.invoke()
        boxes, classes, scores = (interpreter.get_tensor(o["index"])[0] for o in outputs[:3])
        faces = classes == 0
        return boxes[faces][:, [1, 0, 3, 2]], scores[faces]

    return search


def _interpreter(file: Path) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tensorflow.lite import Interpreter
        except ImportError as e:
            raise ModelError(
                "a TFLite detector needs LiteRT, which is not installed",
                next_step="pip install ai-edge-litert",
            ) from e
    try:
        interpreter = Interpreter(str(file))
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as e:
        raise _unusable(file, str(e)) from e
    return interpreter


def _unusable(file: Path, actual: str) -> ModelError:
    return ModelError(
        f"{file}: cannot be run as a single-shot detector",
        expected="one output (1, 1, D, 7) of image, class, score, left, top, right, bottom; of "
        "TFLite, the outputs of TFLite_Detection_PostProcess",
        actual=actual,
    )


def create(argument: str | None, size: int = DETECT_SIZE, device: str = "") -> SingleShot:
    """Takes ``FILE`` or ``FILE,CONFIG``; the size is the model's own.

    Raises
    ------
    UsageError, InputError
        If no file is given, or one is not there.
    ModelError
        If this OpenCV has no DNN module, or the file cannot be run.
    """
    if not argument:
        raise UsageError("the detector 'ssd' needs a model", expected="ssd:FILE[,CONFIG]")
    name, _, config_name = argument.partition(",")
    file, config = Path(name), Path(config_name) if config_name else None
    for path in (file, config):
        if path is not None and not path.is_file():
            raise InputError(f"{path}: there is no such model file")
    if file.suffix == ".tflite":
        return SingleShot(tflite_search(file))
    if not hasattr(cv2, "dnn"):
        raise ModelError(
            "this OpenCV has no DNN module",
            actual=f"OpenCV {cv2.__version__}",
            next_step='pip install "opencv-python<5", or choose another --detector',
        )
    return SingleShot(opencv_search(file, config))
