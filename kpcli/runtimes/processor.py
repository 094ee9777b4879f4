"""What this machine's processor is good at, and who may use another device."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

from kpcli.errors import UsageError
from kpcli.options import AUTO

INT8_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"}
"""Linux' names of the instructions that multiply and add int8 at once."""


def int8_is_fast(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether int8 networks are faster here than float32 ones, and exact; see `int8_verdict`."""
    return int8_verdict(cpuinfo)[0]


@cache
def int8_verdict(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[bool, str]:
    """Whether int8 networks are faster here than float32 ones, and exact; and what says so.

    Without such instructions ONNX Runtime's int8 kernels take longer than float32's, and on x86
    their 16-bit sums may saturate (onnxruntime.ai, "Quantize ONNX models"). 64-bit ARM processors
    of Apple, and all that Windows runs on, have them; of an x86 that Linux does not describe
    nothing is known, and float32 is taken.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        machine = platform.machine()
        return machine.lower() in ("arm64", "aarch64"), f"of a processor {machine}"
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = sorted(INT8_FLAGS & set(found[1].split())) if found else []
    if flags:
        return True, f"the processor has {', '.join(flags)}"
    return False, f"the processor has none of {', '.join(sorted(INT8_FLAGS))}"


def only_by_onnx(device: str) -> None:
    """Refuse a device that this runtime does not know: it would go on slowly without a word.

    Raises
    ------
    UsageError
        Unless the device is ``auto`` or ``cpu``.
    """
    if device not in (AUTO, "cpu"):
        raise UsageError(f"--device {device} needs ONNX Runtime", next_step="leave --runtime away")
