"""A .tflite model that LiteRT runs and profiles."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_bool, c_char_p, c_int, c_size_t, c_void_p
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.runtimes.litert_profile import c_api
from kpcli.runtimes.litert_profile.c_api import (
    DELEGATE,
    DELEGATE_OPERATOR,
    OPERATOR,
    Event,
    EventData,
    Layout,
    Library,
    LiteRtError,
    Option,
    Type,
    Value,
)

_AMPLE = 1 << 20
"""Length of an output's axis that the file leaves open: more than a detector has cells."""


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
        self._lib = lib = Library()
        options = (Option * 2)(
            Option(c_api.ACCELERATORS, Value(c_api.INTEGER, c_api.CPU)),
            Option(c_api.SEVERITY, Value(c_api.INTEGER, c_api.WARNING)),
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
        events = (EventData * count)()
        self._lib.call("GetProfilerEvents", self._profiler, c_int(count), events)
        return [
            Event(e.tag.decode("utf-8", "replace"), e.kind, e.index, e.elapsed_us)
            for e in events
            if e.kind in (OPERATOR, DELEGATE, DELEGATE_OPERATOR)
        ]

    def _options(self, threads: int, profiling: bool) -> c_void_p:
        options = self._lib.new("CreateOptions")
        self._lib.call("SetOptionsHardwareAccelerators", options, c_int(c_api.CPU))
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
            self._fill(buffers[-1], kind.element == c_api.FLOAT32)
        return (c_void_p * count)(*buffers)

    def _output_buffers(self, signature: c_void_p) -> Any:
        count = self._lib.count("GetNumSignatureOutputs", signature)
        layouts = (Layout * count)()
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
                    (c_int(c_api.HOST), ctypes.byref(kind), size),
                )
                buffers.append(self._lib.new(create, self._environment, *given))
            else:
                buffers.append(self._buffer("Output", i, kind))
        return (c_void_p * count)(*buffers)

    def _type(self, side: str, signature: c_void_p, index: int) -> Type:
        tensor = self._lib.new(f"GetSignature{side}TensorByIndex", signature, c_size_t(index))
        kind = Type()
        self._lib.call("GetRankedTensorType", tensor, ctypes.byref(kind))
        return kind

    def _buffer(self, side: str, index: int, kind: Type) -> c_void_p:
        name = f"GetCompiledModel{side}BufferRequirements"
        needs = self._lib.new(name, self._model, c_size_t(0), c_size_t(index))
        create = "CreateManagedTensorBufferFromRequirements"
        return self._lib.new(create, self._environment, ctypes.byref(kind), needs)

    def _fill(self, buffer: c_void_p, floats: bool) -> None:
        """Write noise of 0..255; other numbers than floats may be anything, and are 0."""
        size = self._lib.count("GetTensorBufferSize", buffer)
        address = c_void_p()
        self._lib.call("LockTensorBuffer", buffer, ctypes.byref(address), c_int(c_api.WRITE))
        values = np.zeros(size, np.uint8)
        if floats:
            noise = np.random.default_rng(0).integers(0, 256, size // 4)
            values[: size // 4 * 4] = noise.astype(np.float32).view(np.uint8)
        ctypes.memmove(address, values.ctypes.data, size)
        self._lib.call("UnlockTensorBuffer", buffer)
