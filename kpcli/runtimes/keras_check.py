"""Whether a .keras file of a stranger is fit to be opened: no bomb, no path to another file.

Keras' own safe mode keeps code out (it is on wherever kpcli loads a model); this keeps out what
takes memory without end or reads other files: HDF5 can name them (external storage, external
links, virtual datasets; CVE-2026-1669).
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = {"metadata.json": 2**20, CONFIG: 2**24, WEIGHTS: 2**31}
"""Files within a .keras file and the most bytes that each may have unpacked."""
WIDTHS = ("units", "filters", "input_dim", "output_dim", "num_heads", "key_dim", "value_dim",
          "batch_shape", "shape", "target_shape", "n", "size", "dim")  # fmt: skip
LARGEST_WIDTH = 65536
"""Most units, filters or the like (`WIDTHS`) of one layer: a layer makes its weights before the
file's are read.
"""


def check_keras_file(path: Path) -> None:
    """Raise ValueError if the file holds more, or other things, than a model needs.

    Raises
    ------
    ValueError, OSError, zipfile.BadZipFile
        Also where it is damaged.
    """
    with zipfile.ZipFile(path) as file:
        for member in file.infolist():
            most = MEMBERS.get(member.filename)
            if most is None:
                raise ValueError(f"holds {member.filename!r}, which is no part of a model")
            if member.file_size > most:
                raise ValueError(
                    f"{member.filename} takes {member.file_size} bytes, more than {most}"
                )
        _check_widths(json.loads(file.read(CONFIG)), "")
        _check_weights(file.read(WEIGHTS))


def _check_widths(value: Any, name: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_widths(item, key)
    elif isinstance(value, list):
        for item in value:
            _check_widths(item, name)
    elif isinstance(value, int) and name in WIDTHS and value > LARGEST_WIDTH:
        raise ValueError(f"{CONFIG}: {name} {value}, more than {LARGEST_WIDTH}")


def _check_weights(data: bytes) -> None:
    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        seen: set[int] = set()
        total = 0
        waiting = [file]
        while waiting:
            group = waiting.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise ValueError(f"{WEIGHTS}: {name} is a link to something else")
                item = group[name]
                address = h5py.h5o.get_info(item.id).addr
                if address in seen:
                    continue
                seen.add(address)
                if isinstance(item, h5py.Group):
                    waiting.append(item)
                    continue
                if item.external or item.is_virtual:
                    raise ValueError(f"{WEIGHTS}: {name} lies in another file")
                total += item.nbytes
                if total > MEMBERS[WEIGHTS]:
                    raise ValueError(f"{WEIGHTS} promises {total} bytes")
