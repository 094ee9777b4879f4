"""What the formats share: find files by name, read text, find the picture of a label."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ENDINGS = ".jpg .jpeg .png .bmp .webp .tif .tiff .ppm .pgm .gif .jfif .heic .heif .avif"
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
_ROBOFLOW = re.compile(r"\.rf\.[0-9A-Za-z]+\Z")
_MIRROR = re.compile(r"_mirror\Z")
_DIGITS = "0123456789"


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
    for folder, folders, files in walk(root):
        level = len(Path(folder).relative_to(root).parts)
        if depth is not None and level >= depth:
            folders.clear()
        for name in files:
            if wanted(name) and not name.startswith("._"):
                yield Path(folder, name)


def walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk`, sorted, into linked folders too; none is entered twice, so links may circle.

    Hidden folders hold no labels: caches of editors and of kpcli, macOS's ``__MACOSX``.
    """
    been: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        try:
            facts = Path(folder).stat()
        except OSError:
            folders.clear()
            continue
        if (facts.st_dev, facts.st_ino) in been and facts.st_ino:
            folders.clear()
            continue
        been.add((facts.st_dev, facts.st_ino))
        # Own folders before linked ones: what is in both keeps its own place.
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__MACOSX"]
        folders.sort(key=lambda name: (os.path.islink(os.path.join(folder, name)), name))  # noqa: PTH114, PTH118
        yield folder, folders, sorted(files)


def holds(root: Path, *patterns: str, depth: int | None = None) -> bool:
    """Whether `find_files` finds anything."""
    return next(find_files(root, *patterns, depth=depth), None) is not None


def is_count(text: str) -> bool:
    """Whether a text is a whole number that something of a label file can be numbered with."""
    return text.isascii() and text.isdigit() and len(text) < 10


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


def absolute(path: Path) -> Path:
    """The path from the top, without ``..``; links are kept, as people name things by them."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def inner_folders(path: Path, root: Path) -> tuple[str, ...]:
    """The names of the folders between ``root`` and a file below it; none for others."""
    base = absolute(root if root.is_dir() else root.parent)
    folder = absolute(path).parent
    return folder.relative_to(base).parts if folder.is_relative_to(base) else ()


def label_split(image: Path, root: Path, label: Path, *, of_many: bool = True) -> str:
    """The split that a picture's folders, a label file's name or its folders tell, else train.

    The picture's folders tell most, then the file's name (where it holds the labels ``of_many``
    pictures, else that is the picture's), then its folders, then the folder that was asked for.
    """
    base = absolute(root if root.is_dir() else root.parent)
    return (
        split_of(*inner_folders(image, root))
        or (split_of(label.stem) if of_many else None)
        or split_of(*inner_folders(label, root))
        or _SPLIT_WORDS.get(base.name.lower())
        or "train"
    )


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which ``P2`` comes before ``P10``."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((0, int(p), p) if p[0] in _DIGITS else (1, 0, p) for p in parts)


@dataclass(frozen=True, slots=True)
class Place:
    """What the folders of a file tell about it."""

    dataset: str
    source: str
    split: str
    subset: str

    def group(self, stem: str) -> str:
        """The picture's group: mirrored copies of a picture share it.

        So do Roboflow's variants of one picture, ``NAME_jpg.rf.HASH``; in 300-W so do its faces,
        ``NAME_1`` and ``NAME_2``. Elsewhere ``hand_1 .. hand_60`` are as many pictures.
        """
        copies = _COPY if self.dataset == "300w" else _MIRROR
        name = copies.sub("", _ROBOFLOW.sub("", stem))
        return "/".join(p for p in (self.dataset, self.source, name) if p)

    @property
    def attributes(self) -> dict[str, str]:
        return {"source": self.source} if self.source else {}


def place(path: Path, root: Path) -> Place:
    """Dataset, source, split and subset of a file at or below ``root``.

    The folders of 300-W are known by name, also where ``root`` is one of them
    (``prepare 300w/helen/testset``). Of other datasets, ``root`` gives the name.
    """
    base = absolute(root if root.is_dir() else root.parent)
    inner = inner_folders(path, root)
    names = (base.parent.name, base.name, *inner)
    for end in range(len(names), 1, -1):
        for key in ("/".join(names[end - 2 : end]), names[end - 1]):
            if key.lower() in _LAYOUT_300W:
                return Place("300w", key.lower(), *_LAYOUT_300W[key.lower()])
    split = split_of(*inner) or _SPLIT_WORDS.get(base.name.lower()) or "train"
    return Place(base.name, "/".join(inner), split, "")
