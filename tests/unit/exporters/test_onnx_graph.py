"""ONNX files made small, on a graph written by hand."""

from pathlib import Path

import numpy as np
import pytest
from helpers.tiny import crops, write_onnx

from kpcli.runtimes import onnx_runtime

onnx = pytest.importorskip("onnx", reason="pip install '.[onnx]'")
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


def test_outputs_bear_the_models_names(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_onnx(path)
    graph = onnx.load(path)
    onnx_graph._name_outputs(graph, ["landmarks"])
    onnx.save(graph, path)
    assert onnx_graph.output_names(path) == ["landmarks"]
    assert onnx_runtime.create(path).run(crops(2))["landmarks"].shape == (2, 5, 2)


def graph_of(nodes: list, output: list[int | str], **constants: np.ndarray):
    helper = onnx.helper
    tensors = [onnx.numpy_helper.from_array(v, k) for k, v in constants.items()]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["b", 6, 4])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, output)
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def answer(model) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    return session.run(None, {"x": x})[0]


def test_a_tile_along_one_axis_is_a_concatenation() -> None:
    make = onnx.helper.make_node
    repeats = {"one": np.array([1, 1, 3]), "two": np.array([1, 2, 2])}
    model = graph_of(
        [make("Tile", ["x", "one"], ["z"]), make("Tile", ["z", "two"], ["y"])],
        ["b", 12, 24],
        **repeats,
    )
    before = answer(model)
    onnx_graph._concatenate_tiles(model)
    assert [n.op_type for n in model.graph.node] == ["Concat", "Tile"]
    assert [t.name for t in model.graph.initializer] == ["two"]
    np.testing.assert_array_equal(answer(model), before)
