"""Where the picture of a label is: beside it, in a folder beside its folder, or as it is named."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from kpcli.formats.layout import PICTURE_ENDINGS

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
_DRIVE = re.compile(r"\A[A-Za-z]:/+")


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


def portable(name: str) -> str:
    """A path of a label file as this system writes it: Windows' back-slashes and drives too."""
    if name.startswith("file://"):
        name = unquote(name.removeprefix("file://"))
    if "\\" in name:
        name = name.replace("\\", "/")
    return _DRIVE.sub("/", name)


def named(folder: Path, name: str) -> Path:
    """The picture that a label file in ``folder`` calls ``name``: there, or in ``images/`` there.

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
    path = folder / portable(name)
    within = folder / "images" / portable(name)
    return within if not path.exists() and within.exists() else path
