"""How good a network in training is on faces that it does not train on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.inference.predictor import interpret
from kpcli.metrics import face_nme, failure_rate, protocol_for
from kpcli.schemes import LandmarkScheme
from kpcli.types import Points

BATCH = 64


class Validation:
    """Scores a network's forward pass on crops (B, S, S, C) with unit points (B, N, 2)."""

    def __init__(
        self,
        predict: Callable[[Any], Any],
        crops: NDArray[np.uint8],
        truth: Points,
        scheme: LandmarkScheme,
        crop_scale: float,
    ) -> None:
        self.predict = predict
        self.crops = crops
        self.truth = truth
        self.scheme = scheme
        self.crop_scale = crop_scale

    def __call__(self, network: Any = None) -> dict[str, float]:
        """NME and failure rate in percent by the scheme's default protocol, mean confidence.

        ``val_log_scale_shift`` is what to add to the model's ``log_scale`` so that its density
        fits the errors best (maximum likelihood: mean of d / 2b).
        """
        outputs = self._outputs()
        faces = interpret(outputs, self.crop_scale, {}, self.scheme)
        errors = face_nme(faces.unit, self.truth, self.scheme)
        known = errors[np.isfinite(errors)]
        cut = protocol_for(self.scheme).cut
        row = {
            "val_nme": float(known.mean()) if len(known) else math.inf,
            "val_failure_rate": failure_rate(known, cut) if len(known) else 100.0,
            "val_confidence": float(faces.confidence.mean()),
        }
        if "log_scale" in outputs:
            distance = np.linalg.norm(faces.unit - self.truth, axis=-1)
            ratio = distance / (2 * np.exp(outputs["log_scale"].astype(np.float64)))
            row["val_log_scale_shift"] = float(np.log(max(float(np.nanmean(ratio)), 1e-6)))
        return row

    def _outputs(self) -> Mapping[str, NDArray[np.float32]]:
        import keras

        parts: dict[str, list[NDArray[np.float32]]] = {}
        for first in range(0, len(self.crops), BATCH):
            for name, value in self.predict(self.crops[first : first + BATCH]).items():
                array = np.asarray(keras.ops.convert_to_numpy(value), np.float32)
                parts.setdefault(name, []).append(array)
        return {name: np.concatenate(arrays) for name, arrays in parts.items()}
