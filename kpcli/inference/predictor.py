"""Bundle in; crops to unit points, per-point scores and a confidence a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import ModelError, UsageError
from kpcli.geometry import flip_points
from kpcli.images import to_gray
from kpcli.model_bundle import ModelBundle
from kpcli.options import AUTO, FLIP, NO_TTA, TTAS
from kpcli.runtimes import open_runtime
from kpcli.schemes import LandmarkScheme
from kpcli.types import Pixels

Floats = NDArray[np.float32]

NEAR = 0.05
"""Share of the face box's side within which a point counts as right."""
NEAR_EYES, NEAREST = 0.08, 0.035
"""For the face's confidence it counts so within this share of the outer eye corners' distance, if
that is less, though never within less than that share of the side: a face that looks away is sooner
a failure by its eyes' distance (`kpcli.metrics`). Of 4,531 looks at 300-W's 197 val faces, turned,
covered, small, dark ..., this tells those that are off by more than 8 % from the others with an
area under the curve of 0.962 (tests/benchmarks/robustness.py 300w.csv --split val); the side alone
did with 0.909, with earlier weights and WFLW's val faces too."""


@dataclass(frozen=True)
class PredictedFaces:
    """What a model says of B crops.

    ``unit`` (B, N, 2) float32 in unit coordinates of the crop, ``point_confidences`` (B, N) and
    ``confidence`` (B,) float32 in 0..1.
    """

    unit: Floats
    point_confidences: Floats
    confidence: Floats


class Predictor:
    """Runs a bundle's model.

    Parameters
    ----------
    bundle : ModelBundle
    runtime : str
        A name of `kpcli.catalogue.RUNTIMES`, or ``auto``: the fastest that can run here.
    threads : int
        CPU threads of one call; 0: as many as the library likes.
    tta : str
        One of `kpcli.options.TTAS`: what besides the crop itself is looked at, and averaged.

    Attributes
    ----------
    runtime_line : str
        Which library runs the model, and on what device.

    Raises
    ------
    UsageError
        If there is no such runtime, or the model's scheme cannot be mirrored.
    ModelError
        If the bundle is no landmark model or cannot be loaded.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        runtime: str = AUTO,
        threads: int = 0,
        tta: str = NO_TTA,
        device: str = AUTO,
    ) -> None:
        self.card = bundle.card
        if self.card.task != "landmarks":
            raise ModelError(
                f"{bundle.path}: the model's task is {self.card.task!r}", expected="landmarks"
            )
        if tta not in TTAS:
            raise UsageError(f"unknown --tta {tta!r}", expected=", ".join(TTAS))
        self._flip = tta == FLIP
        if self._flip and not self.card.landmark_scheme.flip_order:
            raise UsageError(
                f"--tta {tta}: scheme {self.card.landmark_scheme.name} has no left/right order",
                next_step="leave --tta out",
            )
        self._runtime = open_runtime(bundle, runtime, threads, device)
        self.runtime_line = self._runtime.line

    def predict(self, crops: Pixels) -> PredictedFaces:
        """Landmarks of crops (B, S, S, 3) uint8 RGB."""
        size = self.card.input_size
        if crops.shape[1:] != (size, size, 3):
            raise ValueError(f"crops of shape {crops.shape}, expected (B, {size}, {size}, 3)")
        if self.card.colour == "gray":
            crops = to_gray(crops)
        faces = self._look(crops)
        if not self._flip:
            return faces
        other = self._look(np.ascontiguousarray(crops[:, :, ::-1]))
        order = list(self.card.landmark_scheme.flip_order)
        back = flip_points(other.unit * np.array([-1, 1], np.float32), self.card.landmark_scheme)
        means = (
            (faces.unit + back) / 2,
            (faces.point_confidences + other.point_confidences[:, order]) / 2,
            (faces.confidence + other.confidence) / 2,
        )
        return PredictedFaces(*(mean.astype(np.float32) for mean in means))

    def _look(self, crops: Pixels) -> PredictedFaces:
        card = self.card
        outputs = self._runtime.run(crops)
        return interpret(outputs, card.crop_scale, card.calibration, card.landmark_scheme)


def interpret(
    outputs: Mapping[str, Any],
    crop_scale: float,
    calibration: Mapping[str, float],
    scheme: LandmarkScheme,
) -> PredictedFaces:
    """Scores and confidence from a model's raw outputs.

    ``log_scale`` is the logarithm of b of the density exp(-d / b) / b^2 of a point's distance d
    from the truth; the point's score is the probability that d is below `NEAR` of the face box's
    side: 1 - (1 + t / b) exp(-t / b). The face's confidence is the probability that the crop
    shows a face times the mean probability that d is below that, or `NEAR_EYES` of the eyes'
    distance if it is less. Models without these outputs give 1. ``calibration`` holds
    what is added to ``log_scale`` (``log_scale_shift``, fitted on validation faces) and to the
    logit of the face (``face_logit_shift``: tests/benchmarks/calibrate_gate.py).
    """
    unit = np.asarray(outputs["points"], np.float32)
    batch, n = unit.shape[:2]
    scores = np.ones((batch, n), np.float32)
    confidence = None
    if "log_scale" in outputs:
        shift = calibration.get("log_scale_shift", 0.0)
        scale = np.exp(np.asarray(outputs["log_scale"], np.float64) + shift)
        side = 2 / crop_scale
        scores = _within(NEAR * side, scale)
        ends = scheme.normalisers.get("ocular")
        if ends is not None:
            gap = np.subtract(*(unit[:, list(group)].mean(axis=1) for group in ends))
            near = NEAR_EYES * np.linalg.norm(gap, axis=1)
            near = near.clip(NEAREST * side, NEAR * side)[:, None]
            confidence = _within(near, scale).mean(axis=1)
    if confidence is None:
        confidence = scores.mean(axis=1)
    if "face_logit" in outputs:
        logit = np.asarray(outputs["face_logit"], np.float64).reshape(batch)
        logit = logit + calibration.get("face_logit_shift", 0.0)
        confidence = (confidence / (1 + np.exp(-logit))).astype(np.float32)
    return PredictedFaces(unit, scores, confidence)


def _within(distance: Any, scale: NDArray[np.float64]) -> Floats:
    """The probability that a point is no farther off, for the density of `interpret`."""
    ratio = distance / scale
    return np.asarray(1 - (1 + ratio) * np.exp(-ratio), np.float32)
