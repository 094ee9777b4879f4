"""The other formats of a finished run, made from its landmarks.csv."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from kpcli.batch.ledger import Ledger
from kpcli.batch.outcome import PARTIAL, FileResult
from kpcli.catalogue import WRITERS
from kpcli.errors import InputError, KpcliError, ModelError, told
from kpcli.files import remove
from kpcli.plug_ins import Writer, WriterModule
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces
from kpcli.workflows.annotate import measures as measure_tables
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS
from kpcli.writers.landmark_csv import Extra, extras_of, printed, read_frames

CSV = "csv"
"""Name of the format that is always written: all others, --resume and merge are made from it."""

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
"""Error numbers that are the disk's fault, not that of one file's name."""


@dataclass(frozen=True)
class Written:
    """The formats that were written, why others were not, and how many files of earlier went."""

    paths: Sequence[Path] = ()
    failed: Mapping[Path, str] = field(default_factory=dict)
    stale: int = 0


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
    names: Sequence[str], ledger: Ledger, scheme: LandmarkScheme, results: Sequence[FileResult]
) -> Written:
    """Write the formats ``names``; what goes wrong with one file, or one format, is told.

    A file that a format cannot hold becomes partial in ``results``.

    Raises
    ------
    UsageError
        If there is no such format.
    InputError
        If landmarks.csv cannot be read.
    """
    extras = extras_of(ledger.out / LANDMARKS)
    modules = _modules(names, measures=Extra.MEASURES in extras)
    if not modules:
        return Written()
    known = {printed(r.file): r for r in results}

    def describe(file: str, frame: int) -> tuple[int, int, bool]:
        if file not in known:
            raise InputError(f"{ledger.out / LANDMARKS}: rows of {file!r}, which the run has not")
        return *known[file].size_at(frame), known[file].moving

    formats = [_Format(module, ledger, scheme, extras) for module in modules]
    try:
        # Once for all formats: reading takes longer than most of them.
        for frame in read_frames(ledger.out / LANDMARKS, describe):
            result = known[frame.file]
            for format_ in formats:
                format_.write(replace(frame, output=result.output), result)
    except BaseException as e:
        for format_ in formats:
            format_.stop(e)
        raise
    stale = sum(format_.finish() for format_ in formats)
    paths = [path for format_ in formats for path in format_.paths if not format_.error]
    failed = {f.paths[0]: told(f.error) for f in formats if f.error}
    return Written(paths, failed, stale)


class _Format:
    """One of the formats that are written together; what is wrong with it stays its own."""

    def __init__(
        self, module: WriterModule, ledger: Ledger, scheme: LandmarkScheme, extras: Collection[str]
    ) -> None:
        self.names = _outputs(module)
        self.paths = [ledger.out / name for name in self.names]
        self.error: Exception | None = None
        self._module = module
        self._ledger = ledger
        self._left_out: set[str] = set()
        self._open = ExitStack()
        self._writer: Writer | None = None
        try:
            self._writer = self._open.enter_context(module.create(ledger.staging, scheme, extras))
        except Exception as e:
            self.error = e

    def write(self, frame: FrameFaces, result: FileResult) -> None:
        """Add one frame, unless something went wrong with the format, or its file, before."""
        if self._writer is None or frame.file in self._left_out:
            return
        try:
            self._writer.write(frame)
        except Exception as e:  # a name that is too long; or a bug that one file brings to light
            cause = e.__cause__ if isinstance(e, KpcliError) else e
            if isinstance(cause, OSError) and cause.errno in DISK:
                self.error = e
                self.stop(e)
                return
            self._left_out.add(frame.file)
            result.status = PARTIAL
            reason = f"not in {self.names[0]}: {told(cause or e)}"
            result.reason = "; ".join(p for p in (result.reason, reason) if p)

    def stop(self, error: BaseException) -> None:
        """Leave nothing of it."""
        self._writer = None
        with suppress(Exception):  # what could not be written may not be closed either
            self._open.__exit__(type(error), error, error.__traceback__)
        for name in self.names:
            remove(self._ledger.staging / name)

    def finish(self) -> int:
        """Put it in its place, unless something went wrong; how many files of earlier went."""
        if self._writer is None:
            return 0
        try:
            self._open.close()
            stale = sum(_publish(self._ledger, name) for name in self.names)
            for name in getattr(self._module, "BESIDE", ()):
                if not os.path.lexists(self._ledger.out / name):
                    (self._ledger.out / name).mkdir()
            return stale
        except Exception as e:
            self.error = e
            self.stop(e)
            return 0


def _publish(ledger: Ledger, output: str) -> int:
    """Put a file or a folder into place; how many files of it, from earlier, went."""
    made = ledger.staging / output
    if made.is_dir():
        stale = len(ledger.outputs.publish_all(made, output))
        remove(made)
        return stale
    for problem in ledger.outputs.publish([(made, output)]).values():
        raise InputError(f"{ledger.out / output}: cannot be written", actual=str(problem))
    return 0


def _modules(names: Sequence[str], *, measures: bool) -> list[WriterModule]:
    modules = [WRITERS.load(name) for name in dict.fromkeys(names) if name != CSV]
    return [*modules, measure_tables] if measures else modules


def _outputs(module: WriterModule) -> list[str]:
    return [module.OUTPUT, *getattr(module, "MORE", ())]


def outputs(names: Sequence[str], *, measures: bool) -> list[str]:
    """What these formats write, relative to the output folder."""
    return [name for module in _modules(names, measures=measures) for name in _outputs(module)]


def unasked(names: Sequence[str], *, measures: bool) -> list[str]:
    """What the other formats would write."""
    asked = outputs(names, measures=measures)
    return [name for name in outputs(list(WRITERS), measures=True) if name not in asked]
