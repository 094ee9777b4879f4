"""ONNX Runtime: runs model.onnx; no TensorFlow, no Keras, starts in a tenth of a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import ModelError, UsageError
from kpcli.options import AUTO, DEVICES
from kpcli.runtimes.onnx_check import has_external_data

FILE = "model.onnx"
PACKAGE = "onnxruntime"
INSTALL = "onnxruntime"

CPU = "CPUExecutionProvider"
PROVIDERS = {
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "coreml": ("CoreMLExecutionProvider", "onnxruntime (macOS)"),
    "directml": ("DmlExecutionProvider", "onnxruntime-directml (Windows)"),
    "openvino": ("OpenVINOExecutionProvider", "onnxruntime-openvino"),
}
"""ONNX Runtime's name of each device's provider, and the package that brings it."""


class OnnxRuntime:
    """Runs an ONNX file with one input in NHWC order.

    Parameters
    ----------
    path : Path
    threads : int
        CPU threads of one run; 0: one a core.
    device : str
        One of `kpcli.options.DEVICES`.

    Raises
    ------
    ModelError
        If the file cannot be loaded, or the device is not to be had here.
    """

    def __init__(self, path: Path, threads: int = 0, device: str = AUTO) -> None:
        import onnxruntime

        if not path.is_file():
            raise ModelError(f"{path}: there is no such file", expected=FILE)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait give their core to those that decode pictures.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        data = path.read_bytes()
        try:
            outside = has_external_data(data)
        except ValueError as e:
            raise ModelError(f"{path}: cannot be loaded", actual=f"damaged: {e}") from e
        if outside:
            raise ModelError(
                f"{path}: keeps weights in another file",
                expected="all weights within the file",
                next_step="save it anew as one file (onnx.save with save_as_external_data=False)",
            )
        providers = _providers(device, onnxruntime.get_available_providers())
        try:
            # The session takes a path as UTF-8; bytes work whatever the folder is called.
            self._session = onnxruntime.InferenceSession(data, options, providers=providers)
        except Exception as e:  # its own exceptions have no common class
            raise ModelError(f"{path}: cannot be loaded", actual=f"{type(e).__name__}: {e}") from e
        self._input = self._session.get_inputs()[0].name
        # int8 exports take the picture's bytes, others float32.
        self.takes_bytes = self._session.get_inputs()[0].type == "tensor(uint8)"
        self._type = np.uint8 if self.takes_bytes else np.float32
        self._outputs = [output.name for output in self._session.get_outputs()]
        used = self._session.get_providers()[0]
        if used != providers[0] and device != AUTO:  # it goes on with the processor, silently
            raise _not_here(device, self._session.get_providers())
        number = "int8" if self.takes_bytes else "float32"
        on = used.removesuffix("ExecutionProvider")
        self.line = f"ONNX Runtime {onnxruntime.__version__} on {on}, {number}"

    def run(self, pictures: NDArray[np.generic]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name of pictures (B, H, W, C) in 0..255, uint8 or float32."""
        given = pictures.astype(self._type, copy=False)
        values = self._session.run(self._outputs, {self._input: given})
        return {
            name: np.asarray(value, np.float32)
            for name, value in zip(self._outputs, values, strict=True)
        }


def _providers(device: str, available: Sequence[str]) -> list[str]:
    """ONNX Runtime's names of the device and, for what it cannot do, of the processor."""
    if device == "cpu":
        return [CPU]
    if device == AUTO:
        return [name for name in (PROVIDERS["cuda"][0], CPU) if name in available]
    if device not in PROVIDERS:
        raise UsageError(f"unknown device {device!r}", expected=", ".join(DEVICES))
    if PROVIDERS[device][0] not in available:
        raise _not_here(device, available)
    return [PROVIDERS[device][0], CPU]


def _not_here(device: str, available: Sequence[str]) -> ModelError:
    name, package = PROVIDERS[device]
    return ModelError(
        f"--device {device}: ONNX Runtime has no {name} here",
        actual=", ".join(available),
        next_step=f"install {package} instead of onnxruntime, or leave --device away",
    )


def create(path: Path, threads: int = 0, device: str = AUTO) -> OnnxRuntime:
    """See `kpcli.plug_ins.RuntimeModule`."""
    return OnnxRuntime(path, threads, device)
