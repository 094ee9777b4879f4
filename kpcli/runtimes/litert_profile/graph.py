"""What a .tflite file says of its operators: kinds, layers, work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from kpcli.errors import ModelError

_MARK = b"TFL3"
"""The four bytes from the fifth on of all these files."""

_BY_WEIGHTS = ("convolution", "depthwise", "MatMul")
"""Last words of the names of what has weights: the layer that a fused operator is called by."""


@dataclass(frozen=True)
class Node:
    """An operator of the graph.

    Attributes
    ----------
    kind : str
        LiteRT's name, such as ``CONV_2D``.
    layer : str
        The layer of the Keras model that it is of, or the output that it makes.
    macs : int
        Multiplications with weights or of matrices for one input.
    inputs, outputs : tuple of int
        Numbers of tensors, without constants.
    """

    kind: str
    layer: str
    macs: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """The operators of a file's first graph, in its order.

    ``sized``: whether the file fixes the size of its inputs, but for the batch; else no node's
    ``macs`` is more than a sign that there are some.
    """

    nodes: list[Node]
    sized: bool


def read_graph(path: Path) -> Graph:
    """Read the graph of a .tflite file.

    Raises
    ------
    ModelError
        If it is no such file.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    kinds = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    damaged = ModelError(
        f"{path}: not a .tflite file that can be read",
        expected="what `kpcli export --to litert` makes",
    )
    if content[4:8] != _MARK:
        raise damaged
    try:
        model = schema.Model.GetRootAs(content, 0)
        graph = model.Subgraphs(0)
        named = _outputs(model)
        inputs = [graph.Tensors(int(i)) for i in graph.InputsAsNumpy()]
        sized = not any(
            x.HasRank() and x.ShapeSignatureLength() and (x.ShapeSignatureAsNumpy()[1:] < 0).any()
            for x in inputs
        )
        nodes = [
            _node(model, graph, graph.Operators(i), kinds, named)
            for i in range(graph.OperatorsLength())
        ]
    except Exception as e:  # of a damaged file, whatever the reader stumbles over
        raise damaged from e
    return Graph(_plain(nodes), sized)


def _outputs(model: Any) -> dict[int, str]:
    """Names of the outputs by tensor."""
    if not model.SignatureDefsLength():
        return {}
    signature = model.SignatureDefs(0)
    tensors = [signature.Outputs(i) for i in range(signature.OutputsLength())]
    return {tensor.TensorIndex(): tensor.Name().decode() for tensor in tensors}


def _node(model: Any, graph: Any, operator: Any, kinds: dict[int, str], named: Any) -> Node:
    code = model.OperatorCodes(operator.OpcodeIndex())
    kind = kinds.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "CUSTOM")
    inputs = [i for i in map(int, operator.InputsAsNumpy()) if i >= 0]
    outputs = [int(i) for i in operator.OutputsAsNumpy()]
    output = graph.Tensors(outputs[0])
    return Node(
        kind=kind,
        layer=named.get(outputs[0]) or _layer(output.Name().decode()),
        macs=_macs(kind, [_shape(graph.Tensors(i)) for i in inputs], _shape(output)),
        inputs=tuple(
            i for i in inputs if not model.Buffers(graph.Tensors(i).Buffer()).DataLength()
        ),
        outputs=tuple(outputs),
    )


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(map(int, tensor.ShapeAsNumpy())) if tensor.ShapeLength() else ()


def _macs(kind: str, inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> int:
    if len(inputs) < 2:
        return 0
    first, second = inputs[:2]
    if kind == "TRANSPOSE_CONV":  # sizes, weights (out, height, width, in), picture
        return prod(inputs[2]) * prod(second[:3])
    each = {
        "CONV_2D": second[1:],  # weights (out, height, width, in)
        "DEPTHWISE_CONV_2D": second[1:3],  # weights (1, height, width, out)
        "FULLY_CONNECTED": second[1:],
        "BATCH_MATMUL": first[-1:],
    }
    return prod(output) * prod(each[kind]) if kind in each else 0


def _layer(name: str) -> str:
    """The layer of a tensor's name, ``model/layer/operation;model/layer/operation``."""
    parts = [part for part in name.split(";") if part]
    weights = [p for p in parts if p.rpartition("/")[2].startswith(_BY_WEIGHTS)]
    words = (weights or parts or [""])[0].split("/")
    return "/".join(words[:2]) if len(words) > 2 else words[-1]


def _plain(nodes: list[Node]) -> list[Node]:
    """Without the model's name, and the number that an export puts behind names.

    A layer that is called several times has others; hence it need not be all of them.
    """
    full = [node.layer.split("/") for node in nodes if "/" in node.layer]
    number = re.search(r"_\d+$", full[0][0]) if full else None
    end = number.group() if number else ""
    if 2 * sum(layer.endswith(end) for _, layer in full) < len(full):
        end = ""
    plain = []
    for node in nodes:
        layer = node.layer.rpartition("/")[2]
        layer = layer.removesuffix(end) if "/" in node.layer else layer
        plain.append(Node(node.kind, layer, node.macs, node.inputs, node.outputs))
    return plain
