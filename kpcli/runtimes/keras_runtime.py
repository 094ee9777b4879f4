"""Keras as the library of every model: backend choice before import, loading, compiling."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import ModelError


def quiet() -> None:
    """Keep TensorFlow's start-up chatter off stderr (unless the user has set its level)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def load_model(path: Path) -> Any:
    """Load model.keras, our own layers known.

    Raises
    ------
    ModelError
        If the file is missing or damaged.
    """
    quiet()
    import keras

    import kpcli.architectures.layers  # noqa: F401  registers our layers

    if not path.is_file():
        raise ModelError(f"{path}: the bundle holds no weights", expected="model.keras")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as e:  # Keras raises zip, JSON, HDF5 and its own errors for damaged files
        raise ModelError(f"{path}: cannot be loaded", actual=f"{type(e).__name__}: {e}") from e


class KerasRuntime:
    """Runs model.keras as one compiled function on whatever backend Keras has."""

    def __init__(self, path: Path) -> None:
        self._model = load_model(path)
        self._call = compiled_call(self._model)

    def run(self, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name of crops (B, S, S, C) uint8."""
        import keras

        # A batch of few sizes: every new one would be traced and compiled again.
        count = len(crops)
        padded = 1 << max(0, count - 1).bit_length()
        if padded != count:
            blank = np.zeros((padded - count, *crops.shape[1:]), crops.dtype)
            crops = np.concatenate([crops, blank])
        outputs = self._call(crops.astype(np.float32))
        return {
            name: np.asarray(keras.ops.convert_to_numpy(value), np.float32)[:count]
            for name, value in outputs.items()
        }


def compiled_call(model: Any) -> Callable[[Any], Any]:
    """The model's forward pass as one graph where the backend has such a thing."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda x: model(x, training=False), reduce_retracing=False)
    return lambda x: model(x, training=False)
