"""ONNX files: Keras to ONNX, weights as float16, convolutions as int8. Used by two exporters."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.runtimes.keras_runtime import load_model

SMALL = 256
"""Weights of fewer numbers stay float32: they cost nothing."""


def write_onnx(weights: Path, path: Path) -> None:
    """Write model.keras as float32 ONNX whose outputs bear the model's own names."""
    import onnx

    model = load_model(weights)
    size = [64 if side is None else side for side in model.input.shape[1:]]
    model(np.zeros((1, *size), np.float32))  # Keras exports only models that were called
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx touches numpy names that are no more
        model.export(path, format="onnx", verbose=False)
    graph = onnx.load(path)
    _name_outputs(graph, sorted(model.output))
    onnx.save(graph, path)


def _name_outputs(graph: Any, names: Sequence[str]) -> None:
    """Rename the outputs, which stand in the order of their sorted names on every backend."""
    import onnx

    for output, name in zip(graph.graph.output, names, strict=True):
        if output.name != name:
            graph.graph.node.append(onnx.helper.make_node("Identity", [output.name], [name]))
            output.name = name


def halve_weights(path: Path) -> None:
    """Store large weights as float16; they are widened at load, so the speed stays float32's."""
    import onnx

    graph = onnx.load(path)
    casts = []
    for tensor in graph.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < SMALL:
            continue
        wide = tensor.name
        half = onnx.numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(onnx.numpy_helper.from_array(half, f"{wide}_half"))
        to = onnx.TensorProto.FLOAT
        casts.append(onnx.helper.make_node("Cast", [tensor.name], [wide], to=to))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    onnx.save(graph, path)


def quantize_convolutions(path: Path, calibration: Sequence[NDArray[np.uint8]]) -> None:
    """Turn the convolutions into int8, but for the first and the last ones.

    What follows them (soft-argmax, small linear maps) gives coordinates, which 256 steps across
    the crop would ruin; the last ones cost little and give the numbers for it. The first one, of
    three channels, is faster in float32 (ONNX Runtime's int8 kernels want many channels).

    Parameters
    ----------
    path : Path
        A float32 ONNX file, replaced.
    calibration : sequence of (B, H, W, C) uint8
        Typical input: it sets the ranges of the activations.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[NDArray[np.uint8]] = iter(calibration)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {name: batch.astype(np.float32)}

    name = _input_name(path)
    # Folds batch normalisation into the convolutions first.
    quant_pre_process(str(path), str(path), skip_symbolic_shape=True)
    quantization.quantize_static(
        str(path),
        str(path),
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=_first_and_last(path),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        # Seven bits a weight: processors without VNNI add pairs of products in 16 bits.
        reduce_range=True,
    )


def _first_and_last(path: Path) -> list[str]:
    """Names of the convolutions that no other one comes before, or none comes after."""
    import onnx

    graph = onnx.load(path).graph
    after: set[str] = set()  # values that depend on a convolution
    first = []
    for node in graph.node:  # in the order of computation, as ONNX demands
        depends = not after.isdisjoint(node.input)
        if node.op_type == "Conv" and not depends:
            first.append(node.name)
        if depends or node.op_type == "Conv":
            after.update(node.output)
    before: set[str] = set()  # values that a convolution depends on
    last = []
    for node in reversed(graph.node):
        needed = not before.isdisjoint(node.output)
        if node.op_type == "Conv" and not needed:
            last.append(node.name)
        if needed or node.op_type == "Conv":
            before.update(node.input)
    return [*first, *last]


def output_names(path: Path) -> list[str]:
    """Names of an ONNX file's outputs, in its order."""
    import onnx

    return [output.name for output in onnx.load(path).graph.output]


def _input_name(path: Path) -> str:
    import onnx

    return str(onnx.load(path).graph.input[0].name)
