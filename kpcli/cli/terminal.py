"""Standard output and error that never end a run: closed, full, or strict about names."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import typer

from kpcli.errors import shown


def say(text: object) -> None:
    """Print one line; control characters, which names may hold, are escaped."""
    typer.echo(shown(text))


@contextmanager
def steady() -> Iterator[None]:
    """Standard output and error for the length of a command, whatever becomes of them.

    What cannot be written is dropped, as the work must not suffer for it: a terminal that is gone,
    a full disk, a pipe that nobody reads. Names that the encoding lacks are escaped.
    """
    for number in (0, 1, 2):  # else the next files to be opened get these numbers, and messages
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _steady(before[0], 1), _steady(before[1], 2)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Drain(io.RawIOBase):
    """Writes to a file number; what that does not take is gone."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._works = True

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def fileno(self) -> int:
        return self._number

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left and self._works:
            try:
                left = left[os.write(self._number, left) :]
            except OSError:
                self._works = False
        return size


def _steady(stream: IO[str] | None, number: int) -> Any:
    if stream is None:
        encoding = "utf-8"
    elif not isinstance(stream, io.TextIOWrapper) or os.name == "nt":
        return stream  # not the process's own; or a console, which takes no bytes
    else:
        try:
            if stream.fileno() != number:
                return stream
            stream.flush()
        except (OSError, ValueError):
            return stream
        encoding = stream.encoding
    return io.TextIOWrapper(
        _Drain(number),  # takes all at once, as a buffer does
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
