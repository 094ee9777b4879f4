"""Where a command makes its files before they are put in place."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kpcli.errors import InputError

_COUNT = itertools.count()
_IN_USE: set[str] = set()
"""Staging folders of this process."""


@contextmanager
def staging(state: Path, command: str) -> Iterator[Path]:
    """A new folder in ``state/tmp``; it goes at the end, and so does what killed runs left there.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    above = state / "tmp"
    mine = above / f"{command}@{socket.gethostname()}@{os.getpid()}@{next(_COUNT)}"
    try:
        _drop_orphans(above, command)
        mine.mkdir(parents=True)
    except OSError as e:
        raise InputError(
            f"{state.parent}: cannot be written", actual=str(e), next_step="choose another --out"
        ) from e
    _IN_USE.add(mine.name)
    try:
        yield mine
    finally:
        _IN_USE.discard(mine.name)
        shutil.rmtree(mine, ignore_errors=True)
        with suppress(OSError):  # unless others are at work, or there is something to remember
            above.rmdir()
            state.rmdir()


def _drop_orphans(folder: Path, command: str) -> None:
    """Remove what runs of the command left that were killed on this machine."""
    for path in folder.glob(f"{command}@*"):
        _, host, pid, _ = f"{path.name}@@@".split("@")[:4]
        mine = host == socket.gethostname() and pid.isdecimal() and path.name not in _IN_USE
        if mine and (int(pid) == os.getpid() or not _alive(int(pid))):
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
