"""A float32 ONNX file of a Keras model made int8, which takes bytes. Used by two exporters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.exporters.onnx_graph import drop_unused

COLUMNS = 4
"""Pixels that the first convolution takes as one: int8 kernels want channels in fours."""
BETWEEN = ("Relu", "Clip", "Add", "MaxPool", "Concat", "Reshape", "Transpose", "Unsqueeze")
"""Operators that stay int8 where they stand between int8 convolutions."""

NOTHING = "no such node"
"""An empty list of nodes would mean all of them."""


@dataclass(frozen=True)
class Pixels:
    """What the bytes at ``tensor`` stand for: ``(byte - zero) * scale``."""

    tensor: str
    scale: float = 1.0
    zero: int = 0


def quantize(path: Path, calibration: Sequence[NDArray[np.uint8]]) -> None:
    """Turn the network into int8, but for the last convolutions and what follows them.

    What follows them (soft-argmax, small linear maps) gives coordinates, which 256 steps across
    the crop would ruin; the last ones cost little and give the numbers for it. The input is the
    picture's bytes: see `_widen_first`.

    Parameters
    ----------
    path : Path
        A float32 ONNX file, replaced.
    calibration : sequence of (B, H, W, C) uint8
        Typical input: it sets the ranges of the activations.
    """
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    # Folds batch normalisation into the convolutions first.
    quant_pre_process(str(path), str(path), skip_symbolic_shape=True)
    model = onnx.load(path)
    name = model.graph.input[0].name
    pixels = _widen_first(model.graph)
    known = pixels or Pixels(name)
    onnx.save(model, path)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[NDArray[np.uint8]] = iter(calibration)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self._batches, None)
            if batch is None:
                return None
            return {name: (batch.astype(np.float32) - known.zero) * np.float32(known.scale)}

    scale, zero = np.array(known.scale, np.float32), np.array(known.zero, np.uint8)
    overrides = {known.tensor: [{"scale": scale, "zero_point": zero}]} if pixels else {}
    quantization.quantize_static(
        str(path),
        str(path),
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=["Conv", *BETWEEN],
        nodes_to_quantize=_chosen(model.graph, first=pixels is not None) or [NOTHING],
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        # Seven bits a weight: processors without VNNI add pairs of products in 16 bits.
        reduce_range=True,
        extra_options={"TensorQuantOverrides": overrides},
    )
    model = onnx.load(path)
    _take_bytes(model.graph, pixels)
    onnx.save(model, path)


def _chosen(graph: Any, *, first: bool) -> list[str]:
    """Names of the nodes to be int8: convolutions but the last ones, and what is between them.

    Without ``first``, neither are the convolutions that no other one comes before.
    """
    after: set[str] = set()  # values that depend on a convolution
    chosen = []
    for node in graph.node:  # in the order of computation, as ONNX demands
        depends = not after.isdisjoint(node.input)
        if depends or node.op_type == "Conv":
            after.update(node.output)
        if (node.op_type == "Conv" and first) or (node.op_type in ("Conv", *BETWEEN) and depends):
            chosen.append(node.name)
    before: set[str] = set()  # values that a convolution depends on
    for node in reversed(graph.node):
        needed = not before.isdisjoint(node.output)
        if needed or node.op_type == "Conv":
            before.update(node.input)
        if not needed and node.name in chosen:
            chosen.remove(node.name)
    return chosen


def _widen_first(graph: Any) -> Pixels | None:
    """Let the first convolution take bytes, `COLUMNS` pixels of a row as one; None if it cannot.

    Keras' start is image, times, plus, transpose, 3x3 convolution of stride 2, ReLU. Both factors
    go into what bytes stand for, what is left of a step into the bias. `COLUMNS` neighbours of a
    row lie behind one another in memory: as one pixel of so many times the channels, they give
    the results of half as many steps at once, as one pixel again, and nothing is moved. A picture
    of free width must have whole groups of columns, as all networks have that halve it twice.
    """
    import onnx

    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    start = _start(graph, constants)
    if start is None:
        return None
    times, plus, _, conv, relu = start
    factor, offset = (float(constants[node.input[1]]) for node in (times, plus))
    zero = min(max(round(-offset / factor), 0), 255)
    weights = constants[conv.input[1]]
    bias = constants[conv.input[2]] + (zero * factor + offset) * weights.sum((1, 2, 3))
    outputs, channels, _, _ = weights.shape
    arrays = {
        "columns_in": np.array([0, 0, -1, COLUMNS * channels]),
        "columns_weights": _widened(weights),
        "columns_bias": np.tile(bias, COLUMNS // 2).astype(np.float32),
        "columns_out": np.array([0, 0, -1, outputs]),
    }
    graph.initializer.extend(onnx.numpy_helper.from_array(a, n) for n, a in arrays.items())
    make, nchw, nhwc = onnx.helper.make_node, [0, 3, 1, 2], [0, 2, 3, 1]
    image, wide = graph.input[0].name, "columns_weights"
    nodes = [
        make("Reshape", [image, "columns_in"], ["columns"], "columns"),
        make("Transpose", ["columns"], ["columns_nchw"], "columns_nchw", perm=nchw),
        make("Conv", ["columns_nchw", wide, "columns_bias"], ["wide"], conv.name,
             kernel_shape=[3, 2], strides=[2, 1], pads=[0, 0, 1, 1]),
        make("Relu", ["wide"], ["wide_relu"], relu.name),
        make("Transpose", ["wide_relu"], ["wide_nhwc"], "wide_nhwc", perm=nhwc),
        make("Reshape", ["wide_nhwc", "columns_out"], ["narrow"], "narrow"),
        make("Transpose", ["narrow"], relu.output, "narrow_nchw", perm=nchw),
    ]  # fmt: skip
    rest = [node for node in graph.node if node not in start]
    del graph.node[:], graph.value_info[:]
    graph.node.extend([*nodes, *rest])
    drop_unused(graph)
    return Pixels("columns_nchw", factor, zero)


def _start(graph: Any, constants: dict[str, Any]) -> list[Any] | None:
    """The nodes that `_widen_first` knows, or None if the graph starts otherwise."""
    import onnx

    nodes = []
    value, wanted = graph.input[0].name, ["Mul", "Add", "Transpose", "Conv", "Relu"]
    for kind in wanted:
        users = [node for node in graph.node if value in node.input]
        if [node.op_type for node in users] != [kind]:
            return None
        nodes += users
        value = users[0].output[0]
    times, plus, _, conv, _ = nodes
    if any(np.size(constants.get(node.input[1], ())) != 1 for node in (times, plus)):
        return None
    settings = {a.name: onnx.helper.get_attribute_value(a) for a in conv.attribute}
    padded = settings.get("auto_pad") == b"SAME_UPPER" or settings.get("pads") == [0, 0, 1, 1]
    # Free sides are 0 here.
    height, width = (d.dim_value for d in graph.input[0].type.tensor_type.shape.dim[1:3])
    fits = (
        sum(node.op_type == "Conv" for node in graph.node) > 1
        and constants[conv.input[1]].shape[2:] == (3, 3)
        and settings["strides"] == [2, 2]
        and settings.get("group", 1) == 1
        and settings.get("dilations", [1, 1]) == [1, 1]
        and len(conv.input) == 3
        and padded
        and height % 2 == 0
        and width % COLUMNS == 0
    )
    return nodes if fits else None


def _widened(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights (N, C, 3, 3) as (N * COLUMNS / 2, COLUMNS * C, 3, 2): two groups of columns wide."""
    outputs, channels, rows, taps = weights.shape
    steps = COLUMNS // 2
    wide = np.zeros((steps, outputs, 2 * COLUMNS, channels, rows), np.float32)
    for step in range(steps):
        wide[step, :, 2 * step : 2 * step + taps] = weights.transpose(0, 3, 1, 2)
    grouped = wide.reshape(steps * outputs, 2, COLUMNS * channels, rows)
    return np.ascontiguousarray(grouped.transpose(0, 2, 3, 1))


def _take_bytes(graph: Any, pixels: Pixels | None) -> None:
    """Make the input uint8: where it is quantised already, else widened to float32 first."""
    import onnx

    image = graph.input[0]
    image.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    if pixels is None:
        for node in graph.node:
            node.input[:] = ["image_float" if n == image.name else n for n in node.input]
        to = onnx.TensorProto.FLOAT
        cast = onnx.helper.make_node("Cast", [image.name], ["image_float"], "image_float", to=to)
        graph.node.insert(0, cast)
        return
    (quantizer,) = (
        n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == pixels.tensor
    )
    for node in graph.node:
        node.input[:] = [pixels.tensor if n in quantizer.output else n for n in node.input]
    graph.node.remove(quantizer)
    del graph.value_info[:]  # the first tensors are bytes now
