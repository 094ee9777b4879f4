"""OpenVINO: runs openvino/model.xml on the CPU."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import ModelError
from kpcli.options import AUTO
from kpcli.runtimes.processor import only_by_onnx

FILE = "openvino"
PACKAGE = "openvino"
INSTALL = "openvino"
GRAPH = "model.xml"
OUTPUTS = "kpcli_outputs"
"""Where the graph's own notes list the names of its outputs."""


def no_telemetry() -> None:
    """Have OpenVINO, before it is imported, do without the package that reports to Intel."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


class OpenvinoRuntime:
    """Runs an OpenVINO graph with one input in NHWC order.

    Parameters
    ----------
    path : Path
        The folder that holds `GRAPH` and its weights.
    threads : int
        CPU threads of one run; 0: one a core.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        no_telemetry()
        import openvino

        # Else it rounds to bfloat16 on CPUs that can: other numbers on other machines.
        config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            config["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            core = openvino.Core()
            graph = core.read_model(path / GRAPH)
            self._names = graph.get_rt_info(OUTPUTS).astype(str).split()
            self._model = core.compile_model(graph, "CPU", config)
            self._type = self._model.input(0).element_type.to_dtype()
        except RuntimeError as e:
            raise ModelError(f"{path}: cannot be loaded", actual=f"{type(e).__name__}: {e}") from e
        self.line = f"OpenVINO {openvino.__version__.split('-')[0]} on CPU"

    def run(self, pictures: NDArray[np.generic]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name of pictures (B, H, W, C) in 0..255, uint8 or float32."""
        values = self._model(pictures.astype(self._type, copy=False))
        return {
            name: np.array(values[i], np.float32)  # a copy: the next run reuses its memory
            for i, name in enumerate(self._names)
        }


def create(path: Path, threads: int = 0, device: str = AUTO) -> OpenvinoRuntime:
    """See `kpcli.plug_ins.RuntimeModule`."""
    only_by_onnx(device)
    return OpenvinoRuntime(path, threads)
