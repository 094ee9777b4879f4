"""Keras as the library of every model: backend choice before import, loading, compiling."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import ModelError
from kpcli.options import AUTO
from kpcli.runtimes.hush import hushed
from kpcli.runtimes.keras_check import check_keras_file
from kpcli.runtimes.processor import only_by_onnx

FILE = "model.keras"
PACKAGE = "keras"
INSTALL = "keras"
BACKENDS = ("tensorflow", "jax", "torch")
"""Backends of Keras that can train."""


def quiet() -> None:
    """Keep TensorFlow's start-up chatter off stderr (unless the user has set its level)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def start_keras(*, training: bool = False) -> Any:
    """Import Keras with the backend that the user wants; TensorFlow where nothing is said.

    Raises
    ------
    ModelError
        If there is no such backend, it is not installed, or it cannot train where it is to.
    """
    quiet()
    plain = "keras" in sys.modules or os.environ["TF_CPP_MIN_LOG_LEVEL"] != "3"
    wanted = os.environ.get("KERAS_BACKEND") or "of Keras' own settings"
    try:
        with contextlib.nullcontext() if plain else hushed():
            import keras
    except (ImportError, ValueError) as e:
        raise ModelError(
            f"Keras cannot start with the backend {wanted}",
            expected=f"one of {', '.join(BACKENDS)}, installed",
            actual=str(e).partition("\n")[0],
            next_step="unset KERAS_BACKEND, or set it to tensorflow",
        ) from e
    if training and keras.backend.backend() not in BACKENDS:
        raise ModelError(
            f"the Keras backend {keras.backend.backend()} cannot train",
            expected=f"one of {', '.join(BACKENDS)}",
            next_step="unset KERAS_BACKEND, or set it to tensorflow",
        )
    return keras


def load_model(path: Path) -> Any:
    """Load model.keras, our own layers known.

    Raises
    ------
    ModelError
        If the file is missing or damaged.
    """
    keras = start_keras()
    import kpcli.architectures.layers  # noqa: F401  registers our layers

    if not path.is_file():
        raise ModelError(f"{path}: the bundle holds no weights", expected="model.keras")
    try:
        check_keras_file(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as e:  # Keras raises zip, JSON, HDF5 and its own errors for damaged files
        raise ModelError(
            f"{path}: cannot be loaded",
            actual=f"{type(e).__name__}: {e}",
            next_step="get the whole bundle once more from where it came from, or train it anew",
        ) from e


class KerasRuntime:
    """Runs model.keras as one compiled function on whatever backend Keras has."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        keras = start_keras()
        if threads:
            _limit_threads(threads)
        self._call = compiled_call(load_model(path))
        self.line = f"Keras {keras.__version__} with {device_line()}"

    def run(self, crops: NDArray[np.generic]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name of crops (B, S, S, C) in 0..255, uint8 or float32."""
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


def create(path: Path, threads: int = 0, device: str = AUTO) -> KerasRuntime:
    """See `kpcli.plug_ins.RuntimeModule`."""
    only_by_onnx(device)
    return KerasRuntime(path, threads)


def device_line() -> str:
    """The backend and the devices it runs on."""
    import keras

    backend = keras.backend.backend()
    if backend == "torch":  # Keras has no device list for it
        import torch

        return f"torch on {'cuda' if torch.cuda.is_available() else 'cpu'}"
    return f"{backend} on {', '.join(keras.distribution.list_devices())}"


def _limit_threads(threads: int) -> None:
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # once TensorFlow runs, its pools are fixed
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)
