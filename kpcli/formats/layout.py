"""What the formats share: find files by name, read text, find the picture of a label."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from kpcli.formats.reading import read_text as read_text

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
_LABEL_FOLDERS = (
    "labels",
    "label",
    "landmarks",
    "landmark",
    "annotations",
    "annotation",
    "pts",
    "anno",
    "json",
    "txt",
    "points",
    "keypoints",
)
_PICTURE_FOLDERS = (
    "images",
    "image",
    "imgs",
    "img",
    "pictures",
    "photos",
    "frames",
    "data",
    "jpg",
    "png",
    ".",
)
_OURS = re.compile(r"(.+\.[A-Za-z0-9]{2,5})(?:_(\d{6,}))?_\d+\.\w+\Z")
_COPY = re.compile(r"(_mirror)?(_\d{1,2})?(_mirror)?\Z")
_MIRROR = re.compile(r"_mirror\Z")
_DRIVE = re.compile(r"\A[A-Za-z]:/+")
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


class PicturesBeside:
    """Finds the picture of a label file by its stem; lists each folder once.

    It lies beside the label, or in a folder beside the label's: ``images/a.jpg`` for
    ``labels/a.pts``. Labels that `kpcli annotate` wrote are ``a.jpg_0.pts`` (a picture's first
    face) or ``clip.mp4_000001_0.pts`` (a frame's, whose picture is ``clip.mp4/000001.jpg``).
    """

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, Path]] = {}

    def __call__(self, label: Path) -> Path:
        """The picture of the same stem, with any ending; ``.jpg`` if there is none."""
        for folder in (label.parent, *_beside(label.parent)):
            found = self._in(folder).get(label.stem)
            if found:
                return found
        ours = _OURS.match(label.name)
        if not ours:
            return label.with_suffix(".jpg")
        name = label.parent / ours[1]
        return name / f"{ours[2]}.jpg" if ours[2] else name

    def _in(self, folder: Path) -> dict[str, Path]:
        if folder not in self._folders:
            self._folders[folder] = _pictures(folder)
        return self._folders[folder]


def _beside(folder: Path) -> list[Path]:
    """Where the pictures of a folder of labels may lie: ``x/labels/y`` has ``x/images/y`` too."""
    parts = folder.parts
    for at in range(len(parts) - 1, max(len(parts) - 5, 0), -1):
        if parts[at].lower() in _LABEL_FOLDERS:
            base, inner = Path(*parts[:at]), parts[at + 1 :]
            return [base.joinpath(name, *inner) for name in _PICTURE_FOLDERS]
    return []


def _pictures(folder: Path) -> dict[str, Path]:
    """Stem to picture of one folder; of several endings the first of `PICTURE_ENDINGS`."""
    found: dict[str, Path] = {}
    ranks = {ending: i for i, ending in enumerate(PICTURE_ENDINGS)}
    try:
        files = [p for p in folder.iterdir() if p.suffix.lower() in ranks]
    except OSError:  # there is no such folder
        return {}
    for path in sorted(files, key=lambda p: -ranks[p.suffix.lower()]):
        found[path.stem] = path
    return found


def absolute(path: Path) -> Path:
    """The path from the top, without ``..``; links are kept, as people name things by them."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def inner_folders(path: Path, root: Path) -> tuple[str, ...]:
    """The names of the folders between ``root`` and a file below it; none for others."""
    base = absolute(root if root.is_dir() else root.parent)
    folder = absolute(path).parent
    return folder.relative_to(base).parts if folder.is_relative_to(base) else ()


def portable(name: str) -> str:
    """A path of a label file as this system writes it: Windows' back-slashes and drives too."""
    if name.startswith("file://"):
        name = unquote(name.removeprefix("file://"))
    if "\\" in name:
        name = name.replace("\\", "/")
    return _DRIVE.sub("/", name)


def named(folder: Path, name: str) -> Path:
    """The picture that a label file in ``folder`` calls ``name``.

    Raises
    ------
    ValueError
        If that is no file's name.
    """
    if not isinstance(name, str) or not name.strip() or "\0" in name or len(name) > 4000:
        raise ValueError(f"{str(name)[:60]!r} is not a picture's name")
    as_it_stands = folder / name
    if "\\" in name and as_it_stands.exists():  # on Linux a name may hold one
        return as_it_stands
    return folder / portable(name)


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

        In 300-W so do its faces, ``NAME_1`` and ``NAME_2``. Elsewhere ``hand_1 .. hand_60`` are
        as many pictures.
        """
        copies = _COPY if self.dataset == "300w" else _MIRROR
        return "/".join(p for p in (self.dataset, self.source, copies.sub("", stem)) if p)

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
