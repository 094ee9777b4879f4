"""LiteRT: runs model.tflite on the CPU by XNNPACK."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import ModelError
from kpcli.options import AUTO
from kpcli.runtimes.processor import only_by_onnx

FILE = "model.tflite"
PACKAGE = "ai_edge_litert"
INSTALL = "ai-edge-litert"


class LitertRuntime:
    """Runs a .tflite file with one input in NHWC order.

    Parameters
    ----------
    path : Path
    threads : int
        CPU threads of one run; 0: one a core.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        import ai_edge_litert
        from ai_edge_litert.interpreter import Interpreter

        if not path.is_file():
            raise ModelError(f"{path}: there is no such file", expected=FILE)
        try:
            self._interpreter = Interpreter(
                model_content=path.read_bytes(), num_threads=threads or os.cpu_count()
            )
            runner = self._interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as e:
            raise ModelError(f"{path}: cannot be loaded", actual=f"{type(e).__name__}: {e}") from e
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = {k: v["index"] for k, v in runner.get_output_details().items()}
        self._shape: tuple[int, ...] = ()
        self.line = f"LiteRT {ai_edge_litert.__version__} on CPU"

    def run(self, pictures: NDArray[np.generic]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name of pictures (B, H, W, C) in 0..255, uint8 or float32."""
        if pictures.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, pictures.shape)
            self._interpreter.allocate_tensors()
            self._shape = pictures.shape
        self._interpreter.set_tensor(self._input, pictures.astype(np.float32))
        self._interpreter.invoke()
        return {
            name: np.asarray(self._interpreter.get_tensor(index), np.float32)
            for name, index in self._outputs.items()
        }


def create(path: Path, threads: int = 0, device: str = AUTO) -> LitertRuntime:
    """See `kpcli.plug_ins.RuntimeModule`."""
    only_by_onnx(device)
    return LitertRuntime(path, threads)
