"""Export to a TensorFlow SavedModel: the folder saved_model, for TensorFlow Serving and others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.runtimes.keras_runtime import load_model, quiet

FILE = "saved_model"
QUANTIZE = ("none",)


def export(
    weights: Path,
    path: Path,
    *,
    quantize: str = "none",
    calibration: Sequence[NDArray[np.uint8]] = (),
) -> None:
    """See `kpcli.plug_ins.ExporterModule`."""
    load_model(weights).export(path, format="tf_saved_model", verbose=False)


class SavedModel:
    """Runs a SavedModel's ``serve`` endpoint, to check it."""

    def __init__(self, path: Path) -> None:
        quiet()
        import tensorflow as tf

        self._model = tf.saved_model.load(path)
        self.line = f"TensorFlow {tf.__version__}"

    def run(self, pictures: NDArray[np.generic]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name of pictures (B, H, W, C) in 0..255, uint8 or float32."""
        outputs = self._model.serve(pictures.astype(np.float32))
        return {name: np.asarray(value, np.float32) for name, value in outputs.items()}


def open_export(path: Path) -> SavedModel:
    """See `kpcli.plug_ins.ExporterModule`."""
    return SavedModel(path)
