"""The other formats of a finished run, made from its landmarks.csv."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from kpcli.catalogue import WRITERS
from kpcli.errors import InputError, ModelError
from kpcli.files import remove
from kpcli.schemes import LandmarkScheme
from kpcli.workflows.annotate.ledger import FileResult
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS
from kpcli.writers.landmark_csv import printed, read_frames

CSV = "csv"
"""Always written: all other formats, --resume and merge are made from it."""


def check_formats(names: Sequence[str]) -> None:
    """See, before the work, whether these formats can be written.

    Raises
    ------
    UsageError
        If there is no such format.
    ModelError
        If the package that one needs is not installed.
    """
    for name in names:
        package = WRITERS.load(name).PACKAGE
        if package and find_spec(package) is None:
            raise ModelError(
                f"the format {name!r} needs {package}, which is not installed",
                next_step=f"pip install {package}",
            )


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
    known = {printed(r.file): (r.width, r.height, r.moving) for r in results}
    return [_write(name, out, staging, scheme, known.__getitem__) for name in others]


def _write(
    name: str,
    out: Path,
    staging: Path,
    scheme: LandmarkScheme,
    describe: Callable[[str], tuple[int, int, bool]],
) -> Path:
    module = WRITERS.load(name)
    try:
        with module.create(staging, scheme) as writer:
            for frame in read_frames(out / LANDMARKS, describe):
                writer.write(frame)
        remove(out / module.OUTPUT)
        os.replace(staging / module.OUTPUT, out / module.OUTPUT)
    except OSError as e:
        raise InputError(f"{out / module.OUTPUT}: cannot be written", actual=str(e)) from e
    return Path(out / module.OUTPUT)


def outputs() -> list[str]:
    """What the formats write, relative to the output folder."""
    return [str(WRITERS.load(name).OUTPUT) for name in WRITERS]
