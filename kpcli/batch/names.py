"""Names of outputs, where two files' would be the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath

_ADDED = re.compile(r"((_\d+){1,2}(\.pts|\.csv)?|\.(jpg|mp4|csv|zip))")
"""Pattern of what outputs add to the name of their file."""


def output_names(files: Collection[str]) -> dict[str, str]:
    """What the outputs' names of some files begin with instead of the file's own name.

    Two names collide if they differ only in case or in how Unicode writes them (no disk of Windows
    or macOS holds both), or if one is the other with what an output adds to it: the overlay of
    ``a.gif`` is ``a.gif.jpg``. Of names that are alike, the later in sorted order gives way, else
    the shorter: its outputs are those of a file ``a~2.gif``, and manifest.csv says so.

    Parameters
    ----------
    files : str
        Relative to one folder, with ``/``.
    """
    alike: dict[str, list[str]] = {}
    folders = set()
    for file in sorted(files):
        alike.setdefault(_key(file), []).append(file)
        folders |= {_key(str(parent)) for parent in list(PurePosixPath(file).parents)[:-1]}
    longer = {base for key in (*alike, *folders) for base in _bases(key)}
    names: dict[str, str] = {}
    taken = {*alike, *folders}
    for key, group in alike.items():
        first = 0 if key in folders or key in longer else 1
        for file in group[first:]:
            names[file] = _free(PurePosixPath(file), taken)
            taken.add(_key(names[file]))
    return names


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _bases(key: str) -> list[str]:
    """Names that an output might have got this name from."""
    ends = (i for i, c in enumerate(key) if c in "_." and _ADDED.fullmatch(key, i))
    return [key[:i] for i in ends]


def _free(file: PurePosixPath, taken: set[str]) -> str:
    number = 2
    while _key(name := str(file.with_name(f"{file.stem}~{number}{file.suffix}"))) in taken:
        number += 1
    return name
