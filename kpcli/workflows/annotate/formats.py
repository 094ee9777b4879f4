"""The other formats of a finished run, made from its landmarks.csv."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from kpcli.catalogue import WRITERS, Writer, WriterModule
from kpcli.errors import InputError, ModelError
from kpcli.files import remove
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces
from kpcli.workflows.annotate.ledger import FileResult
from kpcli.writers.frame_pictures import OUTPUT as IMAGES
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS
from kpcli.writers.landmark_csv import extras_of, printed, read_frames

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
        If one cannot be written; the others are.
    """
    others = [name for name in dict.fromkeys(names) if name != CSV]
    if not others:
        return []
    known = {printed(r.file): r for r in results}

    def describe(file: str, frame: int) -> tuple[int, int, bool]:
        return *known[file].size_at(frame), known[file].moving

    extras = extras_of(out / LANDMARKS)
    formats = [_Format(WRITERS.load(name), staging, scheme, extras) for name in others]
    try:
        # Once for all formats: reading takes longer than most of them.
        for frame in read_frames(out / LANDMARKS, describe):
            for format_ in formats:
                format_.write(frame)
    except BaseException as e:
        for format_ in formats:
            format_.stop(e)
        raise
    written = [path for format_ in formats if (path := format_.finish(out))]
    for format_ in formats:
        if format_.error:
            place = out / format_.module.OUTPUT
            raise InputError(f"{place}: cannot be written", actual=str(format_.error))
    return written


class _Format:
    """One of the formats that are written together; what is wrong with it stays its own."""

    def __init__(
        self, module: WriterModule, staging: Path, scheme: LandmarkScheme, extras: Collection[str]
    ) -> None:
        self.module = module
        self.error: Exception | None = None
        self._staging = staging
        self._open = ExitStack()
        self._writer: Writer | None = None
        try:
            self._writer = self._open.enter_context(module.create(staging, scheme, extras))
        except (OSError, InputError) as e:
            self.error = e

    def write(self, frame: FrameFaces) -> None:
        """Add one frame, unless something went wrong before."""
        if self._writer is not None:
            try:
                self._writer.write(frame)
            except (OSError, InputError) as e:
                self.error = e
                self.stop(e)

    def stop(self, error: BaseException) -> None:
        """Leave nothing of it."""
        self._writer = None
        self._open.__exit__(type(error), error, error.__traceback__)

    def finish(self, out: Path) -> Path | None:
        """Put it in its place in ``out``; None where something went wrong."""
        target: Path = out / self.module.OUTPUT
        try:
            if self._writer is None:
                return None
            self._open.close()
            remove(target)
            os.replace(self._staging / self.module.OUTPUT, target)
            for name in getattr(self.module, "BESIDE", ()):
                (out / name).mkdir(exist_ok=True)
        except (OSError, InputError) as e:
            self.error = e
            return None
        return target


def outputs() -> list[str]:
    """What the formats write, relative to the output folder."""
    return [str(WRITERS.load(name).OUTPUT) for name in WRITERS] + [IMAGES]
