"""LiteRT's C interface, as far as its profiler needs it: the Python package leaves that out.

The structures are those of ``litert/c/*.h`` (LiteRT 2.1 to 2.3). Wrong ones would end the process
without a word, which is why `kpcli.runtimes.litert_profiler` lets another process come here.
Nothing is given back: that process ends when it is done.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_bool, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint, c_uint64, c_void_p
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

OPERATOR, DELEGATE, DELEGATE_OPERATOR = 2, 4, 8
"""Kinds of events that are an operator's time: LiteRT's own, and two of a delegate."""

_NAMES = ("libLiteRt.so", "libLiteRt.dylib", "libLiteRt.dll")
_CPU = 1
_FLOAT32 = 1
_WRITE = 1
_INTEGER = 2
_ACCELERATORS, _SEVERITY = 24, 25
"""Tags of an environment's options: what to look for (else also GPUs), what to log."""
_WARNING = 2
_HOST = 1
_AMPLE = 1 << 20
"""Length of an output's axis that the file leaves open: more than a detector has cells."""


class LiteRtError(Exception):
    """A function of LiteRT that failed, or that this version does not have."""


class _Value(ctypes.Structure):
    _fields_ = (("kind", c_int), ("value", c_int64))


class _Option(ctypes.Structure):
    _fields_ = (("tag", c_int), ("value", _Value))


class _Layout(ctypes.Structure):
    _fields_ = (("rank", c_uint), ("sizes", c_int32 * 8), ("strides", c_uint * 8))


class _Type(ctypes.Structure):
    _fields_ = (("element", c_int), ("layout", _Layout))


class _Memory(ctypes.Structure):
    _fields_ = (("total", c_size_t), ("in_use", c_size_t), ("private", c_size_t))


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", c_char_p),
        ("kind", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory_before", _Memory),
        ("memory_after", _Memory),
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


class _Library:
    """The functions by name; a status other than 0 raises."""

    def __init__(self) -> None:
        import ai_edge_litert

        folder = Path(ai_edge_litert.__file__).parent
        files = [folder / name for name in _NAMES if (folder / name).is_file()]
        if not files:
            raise LiteRtError(f"{folder}: no {_NAMES[0]}")
        self._functions = ctypes.CDLL(str(files[0]))

    def call(self, name: str, *arguments: Any) -> None:
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
        number = kind()
        self.call(name, *arguments, ctypes.byref(number))
        return int(number.value)


class CompiledModel:
    """A .tflite file on the CPU as phones have it, its inputs filled with noise; batch 1.

    Parameters
    ----------
    path : Path
    threads : int
        0: one a core.
    profiling : bool
        Without it nothing is timed within a run, and `start` and `stop` do not work.
    size : int
        Height and width of pictures where the file leaves them open.
    """

    def __init__(self, path: Path, threads: int, profiling: bool, size: int = 0) -> None:
        self._lib = lib = _Library()
        options = (_Option * 2)(
            _Option(_ACCELERATORS, _Value(_INTEGER, _CPU)),
            _Option(_SEVERITY, _Value(_INTEGER, _WARNING)),
        )
        self._environment = lib.new("CreateEnvironment", c_int(len(options)), options)
        self._content = path.read_bytes()  # LiteRT goes on reading it
        model = lib.new(
            "CreateModelFromBuffer",
            self._environment, c_char_p(self._content), c_size_t(len(self._content)),
        )  # fmt: skip
        self._model = lib.new(
            "CreateCompiledModel", self._environment, model, self._options(threads, profiling)
        )
        self._profiler = lib.new("CompiledModelGetProfiler", self._model) if profiling else None
        signature = lib.new("GetModelSignature", model, c_size_t(0))
        self._inputs = self._input_buffers(signature, size)
        self._outputs = self._output_buffers(signature)

    def run(self) -> None:
        """Run the model once."""
        self._lib.call(
            "RunCompiledModel", self._model, c_size_t(0),
            c_size_t(len(self._inputs)), self._inputs, c_size_t(len(self._outputs)), self._outputs,
        )  # fmt: skip

    def start(self) -> None:
        """Begin to profile, and forget what was before."""
        self._lib.call("StartProfiler", self._profiler)

    def stop(self) -> list[Event]:
        """End it; the operators in the order of their work."""
        self._lib.call("StopProfiler", self._profiler)
        count = self._lib.count("GetNumProfilerEvents", self._profiler, kind=c_int)
        events = (_Event * count)()
        self._lib.call("GetProfilerEvents", self._profiler, c_int(count), events)
        return [
            Event(e.tag.decode("utf-8", "replace"), e.kind, e.index, e.elapsed_us)
            for e in events
            if e.kind in (OPERATOR, DELEGATE, DELEGATE_OPERATOR)
        ]

    def _options(self, threads: int, profiling: bool) -> c_void_p:
        options = self._lib.new("CreateOptions")
        self._lib.call("SetOptionsHardwareAccelerators", options, c_int(_CPU))
        self._kept: list[Any] = [ctypes.CFUNCTYPE(None, c_void_p)(lambda _: None)]
        texts = {
            b"xnnpack": f"num_threads = {threads or os.cpu_count()}\n",
            b"runtime_options_string": f"enable_profiling = {str(profiling).lower()}\n",
        }
        for name, text in texts.items():
            self._kept.append(ctypes.create_string_buffer(text.encode()))
            given = ctypes.cast(self._kept[-1], c_void_p)
            made = self._lib.new("CreateOpaqueOptions", c_char_p(name), given, self._kept[0])
            self._lib.call("AddOpaqueOptions", options, made)
        return options

    def _input_buffers(self, signature: c_void_p, size: int) -> Any:
        count = self._lib.count("GetNumSignatureInputs", signature)
        buffers = []
        for i in range(count):
            kind = self._type("Input", signature, i)
            rank = kind.layout.rank & 127  # the bit above says whether there are strides
            for axis in range(rank):
                if kind.layout.sizes[axis] < 0:
                    kind.layout.sizes[axis] = size if axis else 1
                if not kind.layout.sizes[axis]:
                    raise LiteRtError("its input is of no fixed size, and no card.json tells one")
            self._lib.call(
                "CompiledModelResizeInputTensor", self._model, c_size_t(0), c_size_t(i),
                (c_int * rank)(*kind.layout.sizes[:rank]), c_size_t(rank),
            )  # fmt: skip
            buffers.append(self._buffer("Input", i, kind))
            self._fill(buffers[-1], kind.element == _FLOAT32)
        return (c_void_p * count)(*buffers)

    def _output_buffers(self, signature: c_void_p) -> Any:
        count = self._lib.count("GetNumSignatureOutputs", signature)
        layouts = (_Layout * count)()
        self._lib.call(
            "GetCompiledModelOutputTensorLayouts", self._model, c_size_t(0), c_size_t(count),
            layouts, c_bool(True),
        )  # fmt: skip
        buffers = []
        for i in range(count):
            kind = self._type("Output", signature, i)
            known, kind.layout = list(kind.layout.sizes), layouts[i]
            open_axes = [axis for axis in range(1, kind.layout.rank & 127) if known[axis] < 0]
            if open_axes:  # known when the model has run, into a buffer that must be there before
                kind.layout.sizes[open_axes[0]] = _AMPLE
                size = c_size_t(4 * prod(kind.layout.sizes[: kind.layout.rank & 127]))
                create, given = (
                    "CreateManagedTensorBuffer",
                    (c_int(_HOST), ctypes.byref(kind), size),
                )
                buffers.append(self._lib.new(create, self._environment, *given))
            else:
                buffers.append(self._buffer("Output", i, kind))
        return (c_void_p * count)(*buffers)

    def _type(self, side: str, signature: c_void_p, index: int) -> _Type:
        tensor = self._lib.new(f"GetSignature{side}TensorByIndex", signature, c_size_t(index))
        kind = _Type()
        self._lib.call("GetRankedTensorType", tensor, ctypes.byref(kind))
        return kind

    def _buffer(self, side: str, index: int, kind: _Type) -> c_void_p:
        name = f"GetCompiledModel{side}BufferRequirements"
        needs = self._lib.new(name, self._model, c_size_t(0), c_size_t(index))
        create = "CreateManagedTensorBufferFromRequirements"
        return self._lib.new(create, self._environment, ctypes.byref(kind), needs)

    def _fill(self, buffer: c_void_p, floats: bool) -> None:
        """Write noise of 0..255; other numbers than floats may be anything, and are 0."""
        size = self._lib.count("GetTensorBufferSize", buffer)
        address = c_void_p()
        self._lib.call("LockTensorBuffer", buffer, ctypes.byref(address), c_int(_WRITE))
        values = np.zeros(size, np.uint8)
        if floats:
            noise = np.random.default_rng(0).integers(0, 256, size // 4)
            values[: size // 4 * 4] = noise.astype(np.float32).view(np.uint8)
        ctypes.memmove(address, values.ctypes.data, size)
        self._lib.call("UnlockTensorBuffer", buffer)
