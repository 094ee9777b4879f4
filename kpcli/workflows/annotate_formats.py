"""The other formats of a finished run, made from its landmarks.csv."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from kpcli.atomic import remove
from kpcli.catalogue import WRITERS, load
from kpcli.errors import InputError
from kpcli.schemes import LandmarkScheme
from kpcli.workflows.annotate_ledger import FileResult
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS
from kpcli.writers.landmark_csv import read_frames

CSV = "csv"
"""Always written: all other formats, --resume and merge are made from it."""


def write_formats(
    names: Sequence[str],
    out: Path,
    staging: Path,
    scheme: LandmarkScheme,
    results: Iterable[FileResult],
) -> list[Path]:
    """Write the formats ``names``; gives back what was written.

    Raises
    ------
    UsageError
        If there is no such format.
    InputError
        If one cannot be written.
    """
    others = [name for name in dict.fromkeys(names) if name != CSV]
    if not others:
        return []
    sizes = {r.file: (r.width, r.height) for r in results}
    return [_write(name, out, staging, scheme, sizes) for name in others]


def _write(
    name: str, out: Path, staging: Path, scheme: LandmarkScheme, sizes: dict[str, tuple[int, int]]
) -> Path:
    module = load("writer", name)
    try:
        with module.create(staging, scheme) as writer:
            for frame in read_frames(out / LANDMARKS, sizes.__getitem__):
                writer.write(frame)
        remove(out / module.OUTPUT)
        os.replace(staging / module.OUTPUT, out / module.OUTPUT)
    except OSError as e:
        raise InputError(f"{out / module.OUTPUT}: cannot be written", actual=str(e)) from e
    return Path(out / module.OUTPUT)


def outputs() -> list[str]:
    """What the formats write, relative to the output folder."""
    return [str(load("writer", name).OUTPUT) for name in WRITERS]
