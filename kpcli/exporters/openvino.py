"""Export to OpenVINO: the folder openvino with model.xml and model.bin, by way of ONNX."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.exporters import need, onnx_graph, onnx_int8
from kpcli.runtimes import openvino_runtime

FILE = openvino_runtime.FILE
QUANTIZE = ("none", "float16", "int8")


def export(
    weights: Path,
    path: Path,
    *,
    quantize: str = "none",
    calibration: Sequence[NDArray[np.uint8]] = (),
) -> None:
    """See `kpcli.plug_ins.ExporterModule`."""
    for package in ("openvino", "onnx", "tf2onnx"):
        need(package, "openvino", "OpenVINO")
    openvino_runtime.no_telemetry()
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.onnx"
        onnx_graph.write_onnx(weights, source)
        if quantize == "int8":
            onnx_int8.quantize(source, calibration)
        model = openvino.convert_model(source)
        names = onnx_graph.output_names(source)
    # Tensors of a saved graph have several names in no order.
    model.set_rt_info(" ".join(names), openvino_runtime.OUTPUTS)
    openvino.save_model(
        model, path / openvino_runtime.GRAPH, compress_to_fp16=quantize == "float16"
    )


def open_export(path: Path) -> openvino_runtime.OpenvinoRuntime:
    """See `kpcli.plug_ins.ExporterModule`."""
    return openvino_runtime.create(path)
