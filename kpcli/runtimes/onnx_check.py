"""Whether an ONNX file keeps all its weights in itself, told without the package ``onnx``.

ONNX Runtime reads a tensor whose ``data_location`` is EXTERNAL from the file that it names, by any
path. The numbers are those of the fields in onnx.proto3; a file is walked as far as tensors can
be, their values are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator

MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR, SPARSE, FUNCTION, TRAINING = range(8)
PARTS = {
    MODEL: {7: GRAPH, 20: TRAINING, 25: FUNCTION},
    TRAINING: {1: GRAPH, 2: GRAPH},
    GRAPH: {1: NODE, 5: TENSOR, 15: SPARSE},
    FUNCTION: {7: NODE, 11: ATTRIBUTE},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 22: SPARSE, 23: SPARSE},
    SPARSE: {1: TENSOR, 2: TENSOR},
    TENSOR: {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14
LOCATION = b"location"
"""Key of ``external_data`` that names the file."""
DEEPEST = 64
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def has_external_data(data: bytes) -> bool:
    """Whether some tensor of this ONNX model lies in another file.

    Raises
    ------
    ValueError
        If these bytes are no protocol buffer.
    """
    if LOCATION not in data:  # no tensor can say where; walking a model takes 25 ms
        return False
    waiting = [(MODEL, memoryview(data), 0)]
    while waiting:
        kind, message, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValueError("nested too deep")
        for field, value in _fields(message):
            if kind == TENSOR and (
                field == EXTERNAL_DATA or (field == DATA_LOCATION and value == 1)
            ):
                return True
            part = PARTS[kind].get(field)
            if part is not None and isinstance(value, memoryview):
                waiting.append((part, value, depth + 1))
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Numbers and values of the fields of one message."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(kind, -1)
        if kind == BYTES:
            size, place = _varint(message, place)
        if size < 0 or place + size > len(message):
            raise ValueError("no protocol buffer")
        yield tag >> 3, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("no protocol buffer")
