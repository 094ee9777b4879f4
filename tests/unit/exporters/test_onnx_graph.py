"""ONNX files made small, on a graph written by hand."""

from pathlib import Path

import numpy as np
import pytest
from tiny import crops, write_onnx

from kpcli.runtimes import onnx_runtime

onnx = pytest.importorskip("onnx", reason="pip install 'kpcli[onnx]'")
onnx_graph = pytest.importorskip("kpcli.exporters.onnx_graph")


def points(path: Path) -> np.ndarray:
    return onnx_runtime.create(path, 1).run(crops(4))["points"]


def test_halved_weights_are_stored_as_float16_and_computed_as_float32(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_onnx(path)
    before, size = points(path), path.stat().st_size
    onnx_graph.halve_weights(path)
    kinds = {t.name: t.data_type for t in onnx.load(path).graph.initializer}
    assert kinds["kernel_half"] == kinds["linear_half"] == onnx.TensorProto.FLOAT16
    assert kinds["middle"] == onnx.TensorProto.FLOAT  # small ones stay
    assert path.stat().st_size < 0.65 * size
    after = points(path)
    assert 0 < np.abs(after - before).max() < 1e-3


def test_only_convolutions_between_others_become_int8(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_onnx(path)
    before = points(path)
    onnx_graph.quantize_convolutions(path, [crops(8)])
    graph = onnx.load(path).graph
    made_by = {output: node.op_type for node in graph.node for output in node.output}
    kernels = [made_by.get(n.input[1], "") for n in graph.node if n.op_type == "Conv"]
    assert kernels == ["", "DequantizeLinear", ""]
    linear = next(node for node in graph.node if node.op_type in ("Gemm", "MatMul"))
    assert made_by.get(linear.input[1], "") != "DequantizeLinear"
    assert 0 < np.abs(points(path) - before).max() < 0.02


def test_outputs_bear_the_models_names(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_onnx(path)
    graph = onnx.load(path)
    onnx_graph._name_outputs(graph, ["landmarks"])
    onnx.save(graph, path)
    assert onnx_graph.output_names(path) == ["landmarks"]
    assert onnx_runtime.create(path).run(crops(2))["landmarks"].shape == (2, 5, 2)
