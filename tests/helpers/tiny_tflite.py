"""The smallest .tflite file that is worth a profile, written by hand (no TensorFlow)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SIDE = 32
LAYERS = ("stem", "square", "size")
MACS = SIDE * SIDE * 8 * 3 * 3 * 3


def write_tflite(path: Path, *, open_size: bool = False) -> Path:
    """A convolution and a product, which XNNPACK runs, and a shape, which it leaves to LiteRT.

    With ``open_size`` the file says nothing of the picture's height and width.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.1, (8, 3, 3, 3)).astype(np.float32)
    buffers = [_made(s.BufferT, data=data) for data in (None, _bytes(weights), bytes(32))]
    side = 1 if open_size else SIDE
    tensors = [
        _tensor(s, "image", (1, side, side, 3)),
        _tensor(s, "w", weights.shape, buffer=1),
        _tensor(s, "b", (8,), buffer=2),
        _tensor(s, "tiny_1/stem_relu_1/Relu;tiny_1/stem_1/convolution", (1, side, side, 8)),
        _tensor(s, "tiny_1/square_1/mul", (1, side, side, 8)),
        _tensor(s, "tiny_1/size_1/Shape", (4,), kind=s.TensorType.INT32),
    ]
    if open_size:
        for tensor in tensors[0], *tensors[3:5]:
            tensor.hasRank = True  # else LiteRT takes the shape for fixed
            tensor.shapeSignature = np.array([1, -1, -1, tensor.shape[3]], np.int32)
    kinds = (s.BuiltinOperator.CONV_2D, s.BuiltinOperator.MUL, s.BuiltinOperator.SHAPE)
    conv = _made(s.Conv2DOptionsT, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1,
                 fusedActivationFunction=s.ActivationFunctionType.RELU)  # fmt: skip
    options = (
        (s.BuiltinOptions.Conv2DOptions, conv),
        (s.BuiltinOptions.MulOptions, s.MulOptionsT()),
        (s.BuiltinOptions.ShapeOptions, _made(s.ShapeOptionsT, outType=s.TensorType.INT32)),
    )
    operators = [
        _made(s.OperatorT, opcodeIndex=i, inputs=inputs, outputs=[3 + i],
              builtinOptionsType=options[i][0], builtinOptions=options[i][1])
        for i, inputs in enumerate(([0, 1, 2], [3, 3], [4]))
    ]  # fmt: skip
    graph = _made(s.SubGraphT, tensors=tensors, inputs=[0], outputs=[4, 5], operators=operators)
    codes = [
        _made(s.OperatorCodeT, builtinCode=kind, deprecatedBuiltinCode=kind, version=1)
        for kind in kinds
    ]
    model = _made(s.ModelT, version=3, operatorCodes=codes, subgraphs=[graph], buffers=buffers)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(builder.Output()))
    return path


def _tensor(s: Any, name: str, shape: tuple[int, ...], buffer: int = 0, kind: int = 0) -> Any:
    return _made(s.TensorT, name=name, shape=list(shape), buffer=buffer, type=kind)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.frombuffer(values.tobytes(), np.uint8)


def _made(kind: Any, **values: Any) -> Any:
    made = kind()
    for name, value in values.items():
        setattr(made, name, np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value)
    return made
