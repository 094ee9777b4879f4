"""LiteRT's C interface, as far as its profiler needs it: the Python package leaves that out.

The structures are those of ``litert/c/*.h`` (LiteRT 2.1 to 2.3). Wrong ones would end the process
without a word, which is why `kpcli.runtimes.litert_profile.run` lets another process come here.
Nothing is given back: that process ends when it is done.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint, c_uint64, c_void_p
from pathlib import Path
from typing import Any, NamedTuple

OPERATOR, DELEGATE, DELEGATE_OPERATOR = 2, 4, 8
"""Kinds of events that are an operator's time: LiteRT's own, and two of a delegate."""

_NAMES = ("libLiteRt.so", "libLiteRt.dylib", "libLiteRt.dll")

ACCELERATORS, SEVERITY = 24, 25
"""Tags of an environment's options: what to look for (else also GPUs), what to log."""
CPU, WARNING = 1, 2
"""Their values here, both of the kind `INTEGER`."""
INTEGER = 2
FLOAT32 = 1
"""A kind of element."""
HOST, WRITE = 1, 1
"""A buffer in the main memory; a lock to write into it."""


class LiteRtError(Exception):
    """A function of LiteRT that failed, or that this version does not have."""


class Value(ctypes.Structure):
    """An option's value."""

    _fields_ = (("kind", c_int), ("value", c_int64))


class Option(ctypes.Structure):
    """An option of an environment."""

    _fields_ = (("tag", c_int), ("value", Value))


class Layout(ctypes.Structure):
    """Sizes of a tensor; the rank's bits above the seventh tell of strides."""

    _fields_ = (("rank", c_uint), ("sizes", c_int32 * 8), ("strides", c_uint * 8))


class Type(ctypes.Structure):
    """What a tensor holds."""

    _fields_ = (("element", c_int), ("layout", Layout))


class Memory(ctypes.Structure):
    """Bytes."""

    _fields_ = (("total", c_size_t), ("in_use", c_size_t), ("private", c_size_t))


class EventData(ctypes.Structure):
    """An event as the profiler hands it out."""

    _fields_ = (
        ("tag", c_char_p),
        ("kind", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory_before", Memory),
        ("memory_after", Memory),
        ("index", c_uint64),
        ("more", c_uint64),
        ("source", c_int),
    )


class Event(NamedTuple):
    """What the profiler says of one operator in one run.

    ``number`` is the node's in the graph, of a delegate's event the operator's in the delegate.
    """

    name: str
    kind: int
    number: int
    microseconds: int


class Library:
    """The functions by name; a status other than 0 raises."""

    def __init__(self) -> None:
        import ai_edge_litert

        folder = Path(ai_edge_litert.__file__).parent
        files = [folder / name for name in _NAMES if (folder / name).is_file()]
        if not files:
            raise LiteRtError(f"{folder}: no {_NAMES[0]}")
        self._functions = ctypes.CDLL(str(files[0]))

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function by its name without ``LiteRt``; arguments are ctypes' own."""
        try:
            function = getattr(self._functions, f"LiteRt{name}")
        except AttributeError as e:
            raise LiteRtError(f"no function LiteRt{name}") from e
        function.restype = c_int
        status = function(*arguments)
        if status:
            raise LiteRtError(f"LiteRt{name}: status {status}")

    def new(self, name: str, *arguments: Any) -> c_void_p:
        """What the function gives back by its last argument."""
        made = c_void_p()
        self.call(name, *arguments, ctypes.byref(made))
        return made

    def count(self, name: str, *arguments: Any, kind: Any = c_size_t) -> int:
        """What the function counts, by its last argument."""
        number = kind()
        self.call(name, *arguments, ctypes.byref(number))
        return int(number.value)
