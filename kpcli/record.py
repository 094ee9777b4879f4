"""The record of what a command wrote into a folder: see `kpcli.outputs`, which decides by it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kpcli.files import sync_file

STATE = ".kpcli"
"""Name of the folder that holds what kpcli must remember of the folder around it."""


class Stamp(NamedTuple):
    """A file's size in bytes, its time in nanoseconds and its SHA-256."""

    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of a file as it lies there."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns, digest(path))


class Record:
    """``FOLDER/.kpcli/outputs/COMMAND*.jsonl``: stamps of files by name, of all writers.

    ``writer`` tells processes apart that write at the same time: each has a file of its own.
    """

    def __init__(self, folder: Path, command: str, writer: str) -> None:
        self._folder = folder / STATE / "outputs"
        self._command = command
        self._file = self._folder / f"{command}{'-' if writer else ''}{writer}.jsonl"
        self._known: dict[str, list[Stamp]] | None = None

    def stamps(self) -> Mapping[str, list[Stamp]]:
        """What has been recorded; several stamps where a file was replaced."""
        if self._known is None:
            self._known = {}
            for file in self._files():
                for name, stamp in _read(file):
                    self._known.setdefault(name, []).append(stamp)
        return self._known

    def reload(self) -> None:
        """Take note of what other writers have recorded."""
        self._known = None

    def add(self, stamps: Mapping[str, Stamp]) -> None:
        """Record files; when this returns, it is on the disk."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # The new line in front parts it from what a killed run may have left unfinished.
        text = "\n" + "".join(_line(name, stamp) for name, stamp in stamps.items())
        with self._file.open("ab") as file:
            file.write(text.encode())
        sync_file(self._file)
        if self._known is not None:
            for name, stamp in stamps.items():
                self._known.setdefault(name, []).append(stamp)

    def compact(self, sizes: Mapping[str, int]) -> None:
        """One file, with the stamps that may fit files of these sizes; no writer may be at work."""
        known, files = self.stamps(), list(self._files())
        kept = {
            name: list(dict.fromkeys(s for s in known[name] if s.size == size))
            for name, size in sizes.items()
        }
        if files == [self._file] and kept == known:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".new")
        lines = (_line(name, s) for name, stamps in kept.items() for s in stamps)
        temporary.write_text("".join(lines), encoding="utf-8")
        sync_file(temporary)
        os.replace(temporary, self._file)
        for file in files:
            if file != self._file:
                file.unlink()
        self._known = kept

    def _files(self) -> Iterator[Path]:
        """The command's files; links and what is no file vouch for nothing."""
        if not plain_folder(self._folder.parent) or not plain_folder(self._folder):
            return
        with suppress(FileNotFoundError):
            for path in sorted(self._folder.iterdir()):
                mine = path.stem == self._command or path.stem.startswith(f"{self._command}-")
                if mine and path.suffix == ".jsonl" and stat.S_ISREG(path.lstat().st_mode):
                    yield path


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plain_folder(path: Path) -> bool:
    """No link; a folder, or nothing yet."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _line(name: str, stamp: Stamp) -> str:
    return json.dumps([name, *stamp]) + "\n"


def _read(file: Path) -> Iterator[tuple[str, Stamp]]:
    """The lines of a record; those that a power cut has damaged vouch for nothing."""
    for line in file.read_bytes().splitlines():
        with suppress(ValueError, TypeError, RecursionError):
            name, size, mtime_ns, sha256 = json.loads(line)
            yield str(name), Stamp(int(size), int(mtime_ns), str(sha256))
