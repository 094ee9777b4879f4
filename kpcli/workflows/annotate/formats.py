"""The other formats of a finished run, made from its landmarks.csv."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from kpcli.catalogue import WRITERS, load
from kpcli.errors import InputError, KpcliError, ModelError, told
from kpcli.files import remove
from kpcli.schemes import LandmarkScheme
from kpcli.workflows.annotate.ledger import Ledger
from kpcli.workflows.annotate.outcome import PARTIAL, FileResult
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS
from kpcli.writers.landmark_csv import printed, read_frames

CSV = "csv"
"""Always written: all other formats, --resume and merge are made from it."""

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
"""What is wrong with the disk, and not with one file's name."""


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
        package = getattr(load("writer", name), "PACKAGE", "")
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
    """
    by_name = {printed(r.file): r for r in results}
    paths: list[Path] = []
    failed: dict[Path, str] = {}
    stale = 0
    for name in others(names):
        module = load("writer", name)
        path = ledger.out / module.OUTPUT
        try:
            _make(name, ledger, scheme, by_name)
            stale += _publish(ledger, module.OUTPUT)
            paths.append(path)
        except (OSError, KpcliError) as e:
            failed[path] = told(e)
        finally:
            remove(ledger.staging / module.OUTPUT)
    return Written(paths, failed, stale)


def others(names: Sequence[str]) -> list[str]:
    """The formats besides the one that is always written, each once."""
    return [name for name in dict.fromkeys(names) if name != CSV]


def _make(
    name: str, ledger: Ledger, scheme: LandmarkScheme, results: Mapping[str, FileResult]
) -> None:
    """Write a format into the staging folder, without the files that it cannot hold."""

    def describe(file: str) -> tuple[int, int, bool]:
        if file not in results:
            raise InputError(f"{ledger.out / LANDMARKS}: rows of {file!r}, which the run has not")
        r = results[file]
        return r.width, r.height, r.moving

    left_out: set[str] = set()
    with load("writer", name).create(ledger.staging, scheme) as writer:
        for frame in read_frames(ledger.out / LANDMARKS, describe):
            result = results[frame.file]
            if result.file in left_out:
                continue
            try:
                writer.write(replace(frame, output=result.output))
            except Exception as e:
                cause = e.__cause__ if isinstance(e, KpcliError) else e
                if isinstance(cause, OSError) and cause.errno in DISK:
                    raise
                left_out.add(result.file)
                result.status = PARTIAL
                reason = f"not in {name}: {told(cause or e)}"
                result.reason = "; ".join(p for p in (result.reason, reason) if p)


def _publish(ledger: Ledger, output: str) -> int:
    """Put a format into place; how many files of it, from earlier, went."""
    made = ledger.staging / output
    if made.is_dir():
        return len(ledger.outputs.publish_all(made, output))
    for problem in ledger.outputs.publish([(made, output)]).values():
        raise InputError(f"{ledger.out / output}: cannot be written", actual=str(problem))
    return 0


def outputs(names: Sequence[str]) -> list[str]:
    """What these formats write, relative to the output folder."""
    return [str(load("writer", name).OUTPUT) for name in others(names)]


def unasked(names: Sequence[str]) -> list[str]:
    """What the other formats would write."""
    left = [str(load("writer", name).OUTPUT) for name in others(list(WRITERS))]
    return [output for output in left if output not in outputs(names)]
