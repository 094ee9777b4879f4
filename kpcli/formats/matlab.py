"""Read arrays of numbers from MATLAB's .mat files, version 5 (what AFLW2000 and 300W-LP hold).

SciPy's reader knows more of the format, and ends the process on some damaged files.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.formats.reading import open_binary

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_NUMBERS = range(6, 16)
"""Classes of arrays of numbers: double, single, and integers of 8 to 64 bits."""
_MOST = 2**26
"""Most bytes of one variable that is read."""
_LARGEST = 2**28
"""Most bytes of one file that is read."""


def read_arrays(path: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """The variables of these names that the file holds and that are arrays of real numbers.

    Raises
    ------
    ValueError
        If the file is damaged, or of another version.
    OSError
        If it cannot be read.
    """
    with open_binary(path) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"more than {_LARGEST} bytes")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise ValueError("expected a MATLAB file of version 5")
    found = {}
    try:
        for kind, element in _elements(data[_HEADER:], order):
            inner = [(kind, element)]
            if kind == _COMPRESSED:
                inner = list(_elements(_inflated(element), order))
            for inner_kind, matrix in inner:
                if inner_kind == _MATRIX:
                    name, values = _matrix(matrix, order, names)
                    if values is not None:
                        found[name] = values
    except (struct.error, zlib.error, StopIteration, UnicodeDecodeError) as e:
        raise ValueError(f"a damaged MATLAB file: {e!r}") from e
    return found


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    inflated = stream.decompress(data, _MOST)
    if not stream.eof:
        raise ValueError("a variable that ends early, or without end")
    return inflated


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(type, content) of each element; short ones have type and size in one word."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start, end = at + 8, at + 8 + size
        if kind >> 16:
            kind, size = kind & 0xFFFF, kind >> 16
            start, end = at + 4, at + 4 + size
            at += 8
        else:
            at = end if kind == _COMPRESSED else end + -end % 8
        if end > len(data):
            raise ValueError(f"{size} bytes promised, {len(data) - start} are there")
        yield kind, data[start:end]


def _matrix(data: bytes, order: str, names: Collection[str]) -> tuple[str, NDArray[Any] | None]:
    """Name and values of a variable; None where it is not wanted, or of no real numbers."""
    parts = _elements(data, order)
    _, flags = next(parts)
    _, sizes = next(parts)
    _, raw_name = next(parts)
    (flag,) = struct.unpack_from(f"{order}I", flags)
    name = raw_name.decode("ascii")
    is_complex = bool(flag & 0x800)
    if name not in names or flag & 0xFF not in _NUMBERS or is_complex:
        return name, None
    shape = np.frombuffer(sizes, f"{order}i4").tolist()
    kind, raw = next(parts)
    if kind not in _TYPES:
        raise ValueError(f"{name} holds values of an unknown type {kind}")
    values = np.frombuffer(raw, order + _TYPES[kind])
    if any(n < 0 for n in shape) or math.prod(shape) != len(values):
        raise ValueError(f"{name} is said to be {shape}, {len(values)} values are there")
    return name, values.reshape(shape, order="F").astype(values.dtype.newbyteorder("="))
