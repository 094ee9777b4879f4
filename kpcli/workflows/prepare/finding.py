"""Find pictures that are not where their labels say: moved, named in another case, in --images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kpcli.formats.layout import PICTURE_ENDINGS, absolute, split_of, walk
from kpcli.types import Note, Sample

BESIDE = ("images", "image", "imgs", "img", "pictures", "photos", "frames", "data", "JPEGImages")
"""Folders beside a source in which its pictures may lie."""


def with_pictures(
    samples: Sequence[Sample], root: Path, images: Path | None
) -> tuple[list[Sample], list[Note]]:
    """The samples of a source with the pictures that are there, and how many were found elsewhere.

    A picture that is missing from a folder that holds others is missing: no picture of the same
    name from elsewhere stands in for it. One that a label names is no other label's.
    """
    wanted = {s.image for s in samples if s.pixels is None}
    there = {p for p in wanted if _is_file(p)}
    if there == wanted:
        return list(samples), []
    index = _Index(root, images)
    taken = {absolute(p) for p in there}
    moved: dict[Path, Path] = {}
    for path in sorted(wanted - there):
        found = index.find(path)
        if found is not None and absolute(found) not in taken:
            moved[path] = found
    if not moved:
        return list(samples), []
    note = Note("pictures found elsewhere than their labels say", len(moved))
    return [_moved(s, moved, root) for s in samples], [note]


def _moved(sample: Sample, moved: dict[Path, Path], root: Path) -> Sample:
    found = moved.get(sample.image)
    if found is None:
        return sample
    split = sample.split
    if split == "train":  # which may say no more than that nothing else was said
        split = split_of(*_folders(found, root)) or split
    return replace(sample, image=found, split=split)


def _folders(path: Path, root: Path) -> tuple[str, ...]:
    base = absolute(root if root.is_dir() else root.parent)
    folder = absolute(path).parent
    return folder.relative_to(base).parts if folder.is_relative_to(base) else (folder.name,)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


class _Index:
    """All pictures below a source (or in --images), by name and by stem, in lower case."""

    def __init__(self, root: Path, images: Path | None) -> None:
        base = root if root.is_dir() else root.parent
        self._given = images is not None
        self._names: dict[str, list[Path]] = {}
        self._stems: dict[str, list[Path]] = {}
        self._full: set[Path] = set()
        folders = [images] if images is not None else [base]
        for folder in folders:
            self._add(folder)
        if not self._names:
            for name in BESIDE:
                if (absolute(base).parent / name).is_dir():
                    self._add(absolute(base).parent / name)

    def _add(self, base: Path) -> None:
        for path in _pictures(base):
            self._names.setdefault(path.name.lower(), []).append(path)
            self._stems.setdefault(path.stem.lower(), []).append(path)
            self._full.add(absolute(path.parent))

    def find(self, path: Path) -> Path | None:
        """The one picture that can be meant; of the same name, else of the same stem."""
        folder = absolute(path.parent)
        same_folder = [
            p
            for p in self._names.get(path.name.lower(), [])
            if _lower(absolute(p.parent)) == _lower(folder)
        ]
        if same_folder:
            return same_folder[0] if len(same_folder) == 1 else None
        if folder in self._full and not self._given:
            return None
        for candidates in (
            self._names.get(path.name.lower(), []),
            self._stems.get(path.stem.lower(), []),
        ):
            found = _likest(path, candidates)
            if found is not None:
                return found
        return None


def _pictures(base: Path) -> Iterator[Path]:
    for folder, folders, files in walk(base):
        if Path(folder, ".kpcli").is_dir() and "overlays" in folders:
            folders.remove("overlays")  # copies that `kpcli annotate` drew on
        for name in files:
            if name.lower().endswith(PICTURE_ENDINGS):
                yield Path(folder, name)


def _lower(path: Path) -> str:
    return path.as_posix().lower()


def _likest(path: Path, candidates: Sequence[Path]) -> Path | None:
    """The candidate that shares most of the folders above the name, if it is alone in that."""
    side = split_of(*path.parent.parts[-3:])
    fitting = [c for c in candidates if not side or split_of(*c.parent.parts[-3:]) in (None, side)]
    ranked = sorted(((_shared(path, c), c) for c in fitting), key=lambda pair: (-pair[0], pair[1]))
    if not ranked or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
        return None
    return ranked[0][1]


def _shared(path: Path, other: Path) -> int:
    """How many folders from the picture upwards have the same names."""
    count = 0
    for a, b in zip(reversed(path.parent.parts), reversed(other.parent.parts), strict=False):
        if a.lower() != b.lower():
            break
        count += 1
    return count
