"""Export to ONNX in float32 beside the int8 one: model_float.onnx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.exporters import onnx
from kpcli.runtimes import onnx_float_runtime, onnx_runtime

FILE = onnx_float_runtime.FILE
QUANTIZE = ("none", "float16")


def export(
    weights: Path,
    path: Path,
    *,
    quantize: str = "none",
    calibration: Sequence[NDArray[np.uint8]] = (),
) -> None:
    """See `kpcli.plug_ins.ExporterModule`."""
    onnx.export(weights, path, quantize=quantize)


def open_export(path: Path) -> onnx_runtime.OnnxRuntime:
    """See `kpcli.plug_ins.ExporterModule`."""
    return onnx_float_runtime.create(path)
