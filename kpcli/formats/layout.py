"""What the formats share: find files by name, read text, find the picture of a label."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

from kpcli.errors import InputError

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif")


def find_files(root: Path, *patterns: str, depth: int | None = None) -> Iterator[Path]:
    """Files at or below ``root`` whose name matches a pattern (case ignored), sorted by path.

    ``depth`` is the number of folders to go down below ``root``; None is no limit.
    """

    def wanted(name: str) -> bool:
        return any(fnmatch.fnmatchcase(name.lower(), p.lower()) for p in patterns)

    if root.is_file():
        if wanted(root.name):
            yield root
        return
    for folder, folders, files in os.walk(root):
        folders.sort()
        level = len(Path(folder).relative_to(root).parts)
        if depth is not None and level >= depth:
            folders.clear()
        for name in sorted(files):
            if wanted(name):
                yield Path(folder, name)


def holds(root: Path, *patterns: str, depth: int | None = None) -> bool:
    """Whether `find_files` finds anything."""
    return next(find_files(root, *patterns, depth=depth), None) is not None


def read_text(path: Path) -> str:
    """The text of a label file, UTF-8 (a byte order mark is dropped) or else Latin-1.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise InputError(f"{path}: cannot be read", actual=str(e)) from e
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def folder_near(start: Path, *names: str, levels: int = 4) -> Path | None:
    """The first folder with one of the names in ``start`` or in up to ``levels`` folders above."""
    for folder in (start, *list(start.resolve().parents)[:levels]):
        for name in names:
            if (folder / name).is_dir():
                return folder / name
    return None


def split_of(*names: str) -> str | None:
    """The split that the last telling name says: ``train_set`` is train, ``test.xml`` is test."""
    for name in reversed(names):
        words = "".join(c if c.isalpha() else " " for c in name.lower()).split()
        for prefix, split in (("train", "train"), ("val", "val"), ("test", "test")):
            if any(word.startswith(prefix) for word in words):
                return split
    return None
