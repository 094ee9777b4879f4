"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Processor, system and Python, as they name themselves."""
    names = [platform.processor()]
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")] or names
    cores = os.cpu_count()
    return {
        "cpu": f"{names[0] or platform.machine()}, {cores} cores",
        "system": platform.platform(),
        "python": platform.python_version(),
    }
