"""The outcome of one file, and outcomes on disk under a seal that vouches for them."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kpcli.record import digest

DONE, NO_FACE, PARTIAL, FAILED, SKIPPED = "done", "no_face", "partial", "failed", "skipped"
IGNORED = "ignored"
"""Status, in manifest.csv only, of a file that looks like media and is none that kpcli reads."""


@dataclass(slots=True)
class FileResult:
    """The outcome of one file.

    ``sizes`` has [frame, width, height] of every frame whose size differs from the one before.
    ``silent`` is the codec of the sound that its overlay lacks; ``output`` is what names of its
    outputs begin with, where that is not ``file``; ``overlay`` is the overlay's name in the output
    folder; ``start`` and ``end`` are the bytes of its rows in its part.
    """

    file: str
    status: str
    faces: int = 0
    frames: int = 0
    reason: str = ""
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    moving: bool = False
    sizes: list[list[int]] = field(default_factory=list)
    silent: str = ""
    output: str = ""
    overlay: str = ""
    size: int = -1
    mtime_ns: int = 0
    start: int = 0
    end: int = 0

    @property
    def finished(self) -> bool:
        """Whether --resume may take the outcome as it is; what went wrong is tried again."""
        return self.status in (DONE, NO_FACE, SKIPPED)

    def note_size(self, frame: int, width: int, height: int) -> None:
        """Frame by frame: its number and its size."""
        if self.size_at(frame) != (width, height):
            self.sizes.append([frame, width, height])

    def size_at(self, frame: int) -> tuple[int, int]:
        """Width and height of the frame of this number."""
        later = [(w, h) for first, w, h in self.sizes if first <= frame]
        return later[-1] if later else (self.width, self.height)

    def unchanged(self, path: Path) -> bool:
        """Whether the file is still the one that was read."""
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)


def seal(rows: Path, results: Sequence[FileResult]) -> str:
    """The results as lines, below one that vouches for them and for their rows."""
    lines = "".join(json.dumps(asdict(r)) + "\n" for r in results)
    own = hashlib.sha256(lines.encode()).hexdigest()
    return json.dumps([own, rows.stat().st_size, digest(rows)]) + "\n" + lines


def sealed(path: Path, rows: Path) -> list[FileResult]:
    """What `seal` wrote, provided that it is whole, and so are the rows; else nothing."""
    try:
        first, _, lines = path.read_bytes().partition(b"\n")
        own, size, content = json.loads(first)
        if hashlib.sha256(lines).hexdigest() != own:
            return []
        if rows.stat().st_size != size or digest(rows) != content:
            return []
        return [_parse(json.loads(line)) for line in lines.splitlines()]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []


def _parse(values: dict[str, Any]) -> FileResult:
    values["status"] = sys.intern(values["status"])  # thousands of results share few words
    return FileResult(**values)
