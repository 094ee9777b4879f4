"""ONNX files: Keras to ONNX, weights as float16. Used by two exporters."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.runtimes.keras_runtime import load_model

SMALL = 256
"""Numbers of a weight below which it stays float32: it is too small to be worth quantizing."""


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
    _concatenate_tiles(graph)
    onnx.save(graph, path)


def _name_outputs(graph: Any, names: Sequence[str]) -> None:
    """Rename the outputs, which stand in the order of their sorted names on every backend."""
    import onnx

    for output, name in zip(graph.graph.output, names, strict=True):
        if output.name != name:
            graph.graph.node.append(onnx.helper.make_node("Identity", [output.name], [name]))
            output.name = name


def _concatenate_tiles(graph: Any) -> None:
    """A tile along one axis (Keras' upsampling) as a concatenation, which there is for int8 too."""
    import onnx

    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type != "Tile" or node.input[1] not in constants:
            continue
        repeats = constants[node.input[1]]
        (axes,) = np.nonzero(repeats != 1)
        if len(axes) == 1:
            inputs = [node.input[0]] * int(repeats[axes[0]])
            axis = int(axes[0])
            node.CopyFrom(
                onnx.helper.make_node("Concat", inputs, node.output, node.name, axis=axis)
            )
    drop_unused(graph.graph)


def drop_unused(graph: Any) -> None:
    """Leave out the constants that no node takes any more: ONNX Runtime warns of each."""
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


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


def output_names(path: Path) -> list[str]:
    """Names of an ONNX file's outputs, in its order."""
    import onnx

    return [output.name for output in onnx.load(path).graph.output]
