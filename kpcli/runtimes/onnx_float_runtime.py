"""ONNX Runtime on model_float.onnx: float32, for processors on which int8 is slow or inexact."""

from __future__ import annotations

from pathlib import Path

from kpcli.options import AUTO
from kpcli.runtimes.onnx_runtime import OnnxRuntime

FILE = "model_float.onnx"
PACKAGE = "onnxruntime"
INSTALL = "onnxruntime"


def create(path: Path, threads: int = 0, device: str = AUTO) -> OnnxRuntime:
    """See `kpcli.plug_ins.RuntimeModule`."""
    return OnnxRuntime(path, threads, device)
