"""What this machine's processor is good at, and who may use another device."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

from kpcli.errors import UsageError
from kpcli.options import AUTO

INT8_FLAGS = {"avx2", "asimddp"}
"""Linux' names of instructions with which int8 networks are faster than float32 ones: on x86 AVX2,
even without VNNI, on ARM the dot product.
"""


def int8_is_fast(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether int8 networks are faster here than float32 ones; see `int8_verdict`."""
    return int8_verdict(cpuinfo)[0]


@cache
def int8_verdict(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[bool, str]:
    """Whether int8 networks are faster here than float32 ones, and what says so.

    On an AMD EPYC (Zen 4) `default` takes 1.8 to 2 ms a face in int8, 3 to 3.8 where ONNX Runtime
    may not use AVX-512 and VNNI, and 4.9 to 6.2 in float32 with or without them
    (``tests/benchmarks/runtimes.py kpcli/assets/default``, as it is and behind
    ``without_avx512.py``; one thread, four faces and more); the detector's ratios are alike. The
    results are the same: kpcli's exports have weights of seven bits, so that AVX2's sums of 16
    bits do not saturate. Processors of which Linux says nothing are those of Apple and of Windows'
    machines, which have the instructions.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        machine = platform.machine()
        known = machine.lower() in ("arm64", "aarch64", "x86_64", "amd64")
        return known, f"of a processor {machine}"
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
