"""What the formats share: find files by name, read text, find the picture of a label."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kpcli.errors import InputError

_ENDINGS = ".jpg .jpeg .png .bmp .webp .tif .tiff .ppm .pgm .gif"
PICTURE_ENDINGS = tuple(_ENDINGS.split())

_SPLIT_WORDS = {
    word + more: split
    for split, word, mores in (
        ("train", "train", ("", "ing", "set")),
        ("val", "val", ("", "id", "idation", "set")),
        ("test", "test", ("", "ing", "set")),
    )
    for more in mores
}
# Folder of 300-W: (split, subset of the test set).
_LAYOUT_300W = {
    "helen/trainset": ("train", ""),
    "lfpw/trainset": ("train", ""),
    "afw": ("train", ""),
    "helen/testset": ("test", "common"),
    "lfpw/testset": ("test", "common"),
    "ibug": ("test", "challenging"),
    "01_indoor": ("test", "private"),
    "02_outdoor": ("test", "private"),
}
_COPY = re.compile(r"(_mirror)?(_\d{1,2})?(_mirror)?\Z")


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


def is_count(text: str) -> bool:
    """Whether a text is a whole number that something of a label file can be numbered with."""
    return text.isascii() and text.isdigit() and len(text) < 10


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
        for word in re.findall(r"[a-z]+", name.lower()):
            if word in _SPLIT_WORDS:
                return _SPLIT_WORDS[word]
    return None


class PicturesBeside:
    """Finds the picture beside a label file; lists each folder once."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, Path]] = {}

    def __call__(self, label: Path) -> Path:
        """The picture of the same stem, with any ending; ``.jpg`` if there is none."""
        if label.parent not in self._folders:
            self._folders[label.parent] = _pictures(label.parent)
        return self._folders[label.parent].get(label.stem, label.with_suffix(".jpg"))


def _pictures(folder: Path) -> dict[str, Path]:
    """Stem to picture of one folder; of several endings the first of `PICTURE_ENDINGS`."""
    found: dict[str, Path] = {}
    ranks = {ending: i for i, ending in enumerate(PICTURE_ENDINGS)}
    files = [p for p in folder.iterdir() if p.suffix.lower() in ranks]
    for path in sorted(files, key=lambda p: -ranks[p.suffix.lower()]):
        found[path.stem] = path
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """What the folders of a file tell about it."""

    dataset: str
    source: str
    split: str
    subset: str

    def group(self, stem: str) -> str:
        """The picture's group: faces and mirrored copies of one picture share it."""
        return "/".join(p for p in (self.dataset, self.source, _COPY.sub("", stem)) if p)

    @property
    def attributes(self) -> dict[str, str]:
        return {"source": self.source} if self.source else {}


def place(path: Path, root: Path) -> Place:
    """Dataset, source, split and subset of a file at or below ``root``.

    The folders of 300-W are known by name, also where ``root`` is one of them
    (``prepare 300w/helen/testset``). Of other datasets, ``root`` gives the name.
    """
    base = (root if root.is_dir() else root.parent).resolve()
    folder = path.parent.resolve()
    inner = folder.relative_to(base).parts if folder.is_relative_to(base) else ()
    names = (base.parent.name, base.name, *inner)
    for end in range(len(names), 1, -1):
        for key in ("/".join(names[end - 2 : end]), names[end - 1]):
            if key.lower() in _LAYOUT_300W:
                return Place("300w", key.lower(), *_LAYOUT_300W[key.lower()])
    split = split_of(*inner) or _SPLIT_WORDS.get(base.name.lower()) or "train"
    return Place(base.name, "/".join(inner), split, "")
