"""int8 ONNX files, made of graphs written by hand."""

from pathlib import Path

import numpy as np
import pytest
from helpers.tiny import SIZE, crops, write_onnx

from kpcli.runtimes import onnx_runtime

onnx = pytest.importorskip("onnx", reason="pip install '.[onnx]'")
onnx_int8 = pytest.importorskip("kpcli.exporters.onnx_int8")


def write_keras_like(path: Path, width: int = SIZE, stride: int = 2) -> None:
    """Rescaling, a 3x3 convolution with ReLU, two more convolutions; the maps are the output."""
    helper, rng = onnx.helper, np.random.default_rng(1)
    constants = {
        "factor": np.array(1 / 127.5),
        "offset": np.array(-1.0),
        "w0": rng.normal(0, 0.2, (16, 3, 3, 3)),
        "b0": rng.normal(0, 0.2, 16),
        "w1": rng.normal(0, 0.1, (16, 16, 3, 3)),
        "w2": rng.normal(0, 0.1, (4, 16, 1, 1)),
    }
    make = helper.make_node
    nodes = [
        make("Mul", ["image", "factor"], ["a"], "mul"),
        make("Add", ["a", "offset"], ["b"], "add"),
        make("Transpose", ["b"], ["c"], "nchw", perm=[0, 3, 1, 2]),
        make("Conv", ["c", "w0", "b0"], ["d"], "first", strides=[stride] * 2, pads=[0, 0, 1, 1]),
        make("Relu", ["d"], ["e"], "relu"),
        make("Conv", ["e", "w1"], ["f"], "middle", pads=[1, 1, 1, 1]),
        make("Relu", ["f"], ["g"], "relu2"),
        make("Conv", ["g", "w2"], ["points"], "last"),
    ]
    tensors = [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()]
    kind = onnx.TensorProto.FLOAT
    image = helper.make_tensor_value_info("image", kind, ["b", SIZE, width, 3])
    points = helper.make_tensor_value_info("points", kind, ["b", 4, "h", "w"])
    graph = helper.make_graph(nodes, "g", [image], [points], tensors)
    opset = [helper.make_opsetid("", 15)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def points(path: Path, width: int = SIZE) -> np.ndarray:
    return onnx_runtime.create(path, 1).run(crops(4)[:, :, :width])["points"]


def kernel_makers(path: Path) -> list[str]:
    """By what node each convolution's weights are made, in order; those of int8 are dequantised."""
    graph = onnx.load(path).graph
    made_by = {output: node.op_type for node in graph.node for output in node.output}
    return [made_by.get(n.input[1], "") for n in graph.node if n.op_type == "Conv"]


def input_type(path: Path) -> int:
    return onnx.load(path).graph.input[0].type.tensor_type.elem_type


def test_all_convolutions_but_the_last_become_int8(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_keras_like(path)
    before = points(path)
    onnx_int8.quantize(path, [crops(8)])
    assert input_type(path) == onnx.TensorProto.UINT8
    assert kernel_makers(path) == ["DequantizeLinear", "DequantizeLinear", ""]
    off = np.abs(points(path) - before)
    assert 0 < off.mean() < 0.02 * np.abs(before).mean()


@pytest.mark.parametrize(("width", "stride"), [(SIZE - 2, 2), (SIZE, 1)])
def test_a_first_convolution_of_another_kind_stays_float32(
    width: int, stride: int, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    write_keras_like(path, width, stride)
    before = points(path, width)
    onnx_int8.quantize(path, [crops(8)[:, :, :width]])
    assert input_type(path) == onnx.TensorProto.UINT8
    assert kernel_makers(path) == ["", "DequantizeLinear", ""]
    off = np.abs(points(path, width) - before)
    assert 0 < off.mean() < 0.02 * np.abs(before).mean()


def test_four_columns_at_once_give_what_they_gave_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_keras_like(path)
    before = points(path)
    model = onnx.load(path)
    pixels = onnx_int8._widen_first(model.graph)
    assert pixels.scale == pytest.approx(1 / 127.5)
    assert pixels.zero in (127, 128)
    onnx.save(model, path)
    centred = (crops(4).astype(np.float32) - pixels.zero) * np.float32(pixels.scale)
    after = onnx_runtime.create(path, 1).run(centred)["points"]
    np.testing.assert_allclose(after[..., :-2, :-2], before[..., :-2, :-2], atol=1e-5)
    np.testing.assert_allclose(after, before, atol=0.01)  # the border is half a step off


def test_a_graph_without_rescaling_takes_bytes_too(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_onnx(path)
    before = points(path)
    onnx_int8.quantize(path, [crops(8)])
    assert input_type(path) == onnx.TensorProto.UINT8
    assert kernel_makers(path) == ["", "DequantizeLinear", ""]
    graph = onnx.load(path).graph
    made_by = {output: node.op_type for node in graph.node for output in node.output}
    linear = next(node for node in graph.node if node.op_type in ("Gemm", "MatMul"))
    assert made_by.get(linear.input[1], "") != "DequantizeLinear"
    assert 0 < np.abs(points(path) - before).max() < 0.02


def test_a_single_convolution_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_keras_like(path)
    model = onnx.load(path)
    del model.graph.node[5:]
    model.graph.node[-1].output[0] = "points"
    onnx.save(model, path)
    before = points(path)
    onnx_int8.quantize(path, [crops(8)])
    assert kernel_makers(path) == [""]
    np.testing.assert_allclose(points(path), before, atol=1e-5)
