"""The corrections on disk: appended, never rewritten; what `save` has returned from is safe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO

from kpcli.errors import InputError
from kpcli.files import sync_folder
from kpcli.formats.review import JOURNAL, OPEN, Entry, Header, Key, read_entries, read_header
from kpcli.types import Reject

LOCK = ".lock"
"""File that one process at a time holds; the system lets go of it when that process ends."""


class Stale(Exception):  # noqa: N818  # no fault: another tab was faster
    """The face has a newer version than the one that was changed."""

    def __init__(self, newer: Entry | None) -> None:
        super().__init__(f"version {newer.version if newer else 0} is there")
        self.newer = newer


class Journal:
    """``folder/journal.jsonl``; see `kpcli.formats.review`, which reads it.

    Raises
    ------
    InputError
        If the folder holds another journal or something else of that name, is at work in another
        process, or cannot be written.
    """

    def __init__(self, folder: Path, header: Header, who: str) -> None:
        self.folder = folder
        self.path = folder / JOURNAL
        self.header = header
        self.damaged: list[Reject] = []
        self._who = who
        self._latest: dict[Key, Entry] = {}
        self._by_frame: dict[tuple[str, int], dict[str, Entry]] = {}
        self._guard = Lock()
        self._check()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _held(folder / LOCK)
            self._file = self._open()
        except OSError as e:
            raise InputError(
                f"{folder}: cannot be written", actual=str(e), next_step="choose another --out"
            ) from e

    def _check(self) -> None:
        if not os.path.lexists(self.path):
            return
        found = read_header(self.path)
        if found is None or self.path.is_symlink():
            raise InputError(
                f"{self.path}: in the way, and no journal of `kpcli review`",
                next_step="move it away, or choose another --out",
            )
        mine, other = self.header, found
        if (found.scheme, found.kind) != (self.header.scheme, self.header.kind):
            raise InputError(
                f"{self.path}: corrections of something else",
                expected=f"{mine.kind}, {mine.scheme[:60]}",
                actual=f"{other.kind}, {other.scheme[:60]}, of {other.table}",
                next_step="choose another --out",
            )

    def _open(self) -> IO[bytes]:
        if not self.path.exists():
            begun = self.path.with_suffix(".new")
            with begun.open("wb") as file:
                self._write(file, self.header.to_json())
            os.replace(begun, self.path)  # whole, or not there
            sync_folder(self.folder)
        _drop_unfinished(self.path)
        file = self.path.open("ab")
        for item in read_entries(self.path, self.header.scheme):
            if isinstance(item, Entry):
                self._note(item)
            else:
                self.damaged.append(item)
        return file

    def _note(self, entry: Entry) -> None:
        self._latest[entry.key] = entry
        self._by_frame.setdefault((entry.file, entry.frame), {})[entry.face] = entry

    @staticmethod
    def _write(file: IO[bytes], values: dict[str, object]) -> None:
        file.write(json.dumps(values, ensure_ascii=True, allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())

    def save(self, entry: Entry, base: int) -> Entry:
        """Append an entry that changes version ``base`` of its face; it is on the disk then.

        Raises
        ------
        Stale
            If the face has another version by now.
        InputError
            If it cannot be written: nothing has changed then.
        """
        with self._guard:
            newer = self._latest.get(entry.key)
            if (newer.version if newer else 0) != base:
                raise Stale(newer)
            saved = replace(
                entry, version=base + 1, who=self._who,
                when=datetime.now(UTC).isoformat(timespec="milliseconds"),
            )  # fmt: skip
            start = self._file.seek(0, os.SEEK_END)
            try:
                self._write(self._file, saved.to_json())
            except OSError as e:
                with suppress(OSError):
                    self._file.truncate(start)
                raise InputError(f"{self.path}: cannot be written", actual=str(e)) from e
            self._note(saved)
            return saved

    def get(self, key: Key) -> Entry | None:
        """The latest save of a face."""
        return self._latest.get(key)

    def of_frame(self, file: str, frame: int) -> Iterable[Entry]:
        """The latest saves of all faces of a frame."""
        with self._guard:
            return list(self._by_frame.get((file, frame), {}).values())

    def latest(self) -> list[Entry]:
        """The latest saves of all faces, but for those that were put back as they were."""
        with self._guard:
            return [entry for entry in self._latest.values() if entry.status != OPEN]

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        with self._guard:  # a save that has begun comes to its end
            self._file.close()
            self._lock.close()


def _drop_unfinished(path: Path) -> None:
    """Cut off a last line that a kill left without its end: it was never told to be saved."""
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - (1 << 16))
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                file.truncate(start + at + 1)
                return
            end = start


def _held(path: Path) -> IO[bytes]:
    """The lock's file, held; InputError where another process holds it."""
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        file.close()
        raise InputError(
            f"{path.parent}: another `kpcli review` is at work here",
            next_step="use its page, or end it first (Ctrl-C)",
        ) from e
    return file
