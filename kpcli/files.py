"""Files that appear under their final name only when they are whole."""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from kpcli.errors import InputError

TEMPORARY = ".kpcli-"
"""What temporary files beside their final place begin with."""


def check_writable(path: Path) -> None:
    """See early whether ``path`` can be made, before the work that it is to hold.

    Raises
    ------
    InputError
        If the nearest existing folder above is none, or cannot be written.
    """
    above = next(p for p in path.absolute().parents if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(
            f"{path}: cannot be written",
            expected=f"a folder that can be written at {above}",
            next_step="choose another place (--out)",
        )


def _put(temporary: Path, path: Path) -> None:
    """Replace a file or a folder, whatever it holds; who calls has seen to that."""
    if not temporary.is_dir():
        os.replace(temporary, path)
        return
    old = path.with_name(f"{TEMPORARY}{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        os.replace(path, old)
    os.replace(temporary, path)
    shutil.rmtree(old, ignore_errors=True)


put_in_place: ContextVar[Callable[[Path, Path], None]] = ContextVar("put_in_place", default=_put)
"""What `atomic_path` and `atomic_folder` end with; see `kpcli.outputs.Outputs.recording`."""


def sync_file(path: Path) -> None:
    """Have a file's content on the disk, whatever happens to the power."""
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk, where the system can be asked for it."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def umask() -> int:
    """The permissions that the user wants new files not to have."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` (same ending) that replaces it when the block ends well.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: the file's, with more added, may be too long where the file's is not.
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as e:
        raise InputError(
            f"{path}: cannot be written", actual=str(e), next_step="choose another --out"
        ) from e
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~umask())
        put_in_place.get()(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def leftovers(path: Path) -> list[Path]:
    """Temporary files that `atomic_path` of this path left where it was killed."""
    name = re.compile(rf"{re.escape(TEMPORARY)}[a-z0-9_]{{8}}{re.escape(path.suffix)}")
    if not path.parent.is_dir():
        return []
    beside = (p for p in path.parent.iterdir() if name.fullmatch(p.name))
    return sorted(p for p in beside if p.is_file() and not p.is_symlink())


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that replaces it when the block ends well."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=path.parent))
    except OSError as e:
        raise InputError(
            f"{path}: cannot be written", actual=str(e), next_step="choose another --out"
        ) from e
    try:
        yield temporary
        temporary.chmod(0o777 & ~umask())
        put_in_place.get()(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def staged_path(path: Path, staging: Path) -> Iterator[Path]:
    """A temporary path in the folder ``staging`` that replaces ``path`` when the block ends well.

    For runs that may be killed: what they leave behind is all in one folder. ``staging`` must be
    on the same disk. What lies under ``path`` afterwards is on the disk.

    Raises
    ------
    InputError
        If the place cannot be written, or the disk is full.
    """
    temporary = staging / f"{os.getpid()}-{next(_counter)}{path.suffix}"
    try:
        yield temporary
        sync_file(temporary)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as e:
        raise InputError(f"{path}: cannot be written", actual=str(e)) from e
    finally:
        temporary.unlink(missing_ok=True)


_counter = itertools.count()


class CsvRows:
    """Writes rows of CSV that end in a line feed, to an open text file.

    As csv.writer, which before Python 3.13 leaves a carriage return without quotes: readers take
    it for the row's end.
    """

    def __init__(self, file: TextIO) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        self._quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def writerow(self, row: Sequence[object]) -> None:
        """Write one row."""
        returns = any(isinstance(value, str | os.PathLike) and "\r" in str(value) for value in row)
        (self._quoted if returns else self._plain).writerow(row)

    def writerows(self, rows: Iterable[Sequence[object]]) -> None:
        """Write some rows."""
        for row in rows:
            self.writerow(row)


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
