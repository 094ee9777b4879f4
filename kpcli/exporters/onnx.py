"""Export to ONNX: model.onnx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.exporters import need, onnx_graph, onnx_int8
from kpcli.runtimes import onnx_runtime

FILE = onnx_runtime.FILE
QUANTIZE = ("none", "float16", "int8")


def export(
    weights: Path,
    path: Path,
    *,
    quantize: str = "none",
    calibration: Sequence[NDArray[np.uint8]] = (),
) -> None:
    """See `kpcli.plug_ins.ExporterModule`."""
    for package in ("onnx", "tf2onnx"):
        need(package, "onnx", "ONNX")
    onnx_graph.write_onnx(weights, path)
    if quantize == "float16":
        onnx_graph.halve_weights(path)
    elif quantize == "int8":
        onnx_int8.quantize(path, calibration)


def open_export(path: Path) -> onnx_runtime.OnnxRuntime:
    """See `kpcli.plug_ins.ExporterModule`."""
    return onnx_runtime.create(path)
