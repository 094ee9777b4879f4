"""Find the pictures and videos of a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kpcli.errors import InputError
from kpcli.outputs import Outputs
from kpcli.record import STATE
from kpcli.sources.unread import why_unread

# fmt: off
PICTURES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".dib", ".gif", ".tif",
    ".tiff", ".jp2", ".tga", ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".hif",
    ".mpo", ".j2k", ".jpf", ".jpx",
))
VIDEOS = frozenset((
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp",
    ".ts", ".mts", ".m2ts", ".ogv", ".3g2", ".264", ".265", ".asf", ".avc", ".divx", ".dv", ".f4v",
    ".h264", ".h265", ".hevc", ".ivf", ".m2t", ".m2v", ".mod", ".mpe", ".mxf", ".qt", ".tod",
    ".vob",
))
# fmt: on
DRAWN = ("annotate", "anonymise", "eval", "inspect", "preview", "review", "train")
"""Commands whose pictures are no input of annotate; those that prepare takes out of a dataset's
file are.
"""


@dataclass(frozen=True)
class Listing:
    """Media files as sorted names relative to the folder (posix), and what was passed over.

    ``ignored`` counts files by ending that are neither picture nor video; ``unread`` says of those
    among them that look like media why they are not read.
    """

    root: Path
    files: tuple[str, ...]
    ignored: Counter[str]
    unread: Mapping[str, str] = field(default_factory=dict)


def is_video(path: Path) -> bool:
    """Whether the ending is a video's."""
    return path.suffix.lower() in VIDEOS


def is_media(path: Path) -> bool:
    """Whether the ending is a picture's or a video's."""
    return path.suffix.lower() in PICTURES or is_video(path)


def list_media(root: Path, *, recursive: bool = True) -> Listing:
    """The media files under a folder, sorted by relative name; the order never depends on the disk.

    Hidden files and folders are passed over, and so are results: files that kpcli wrote, by the
    record (`kpcli.outputs`) of a folder on the way to them. All else is input, in folders that
    hold results too. Links to folders are followed, each folder is entered once.

    Raises
    ------
    InputError
        If the folder is missing or cannot be read.
    """
    if not root.is_dir():
        raise InputError(
            f"{root}: there is no such folder",
            actual="a file" if root.exists() else "nothing there",
            next_step="for single files: kpcli annotate file FILE...",
        )
    try:
        os.scandir(root).close()
    except OSError as e:
        raise InputError(f"{root}: the folder cannot be read", actual=str(e)) from e
    files: list[str] = []
    ignored: Counter[str] = Counter()
    unread: dict[str, str] = {}
    for path in _walk(root, recursive):
        # A dangling link and an unreadable folder are listed: they fail by name when opened.
        if path.is_dir() or (is_media(path) and (path.is_file() or not path.exists())):
            files.append(path.relative_to(root).as_posix())
        else:
            ignored[path.suffix.lower() or "no ending"] += 1
            if reason := why_unread(path):
                unread[path.relative_to(root).as_posix()] = reason
    return Listing(root, tuple(sorted(files)), ignored, unread)


def _walk(root: Path, recursive: bool) -> Iterator[Path]:
    """Every file, and the folders that cannot be read."""
    seen: set[Path] = set()
    unreadable: list[OSError] = []
    results: list[tuple[Path, Outputs]] = []
    for folder, names, files in os.walk(root, onerror=unreadable.append, followlinks=True):
        here = Path(folder)
        real = here.resolve()
        if real in seen:
            names.clear()
            continue
        seen.add(real)
        # Of the folders above, those that hold records; the walk goes depth first.
        results = [r for r in results if r[0] in here.parents]
        if STATE in names:
            results += [(here, Outputs(here, command)) for command in DRAWN]
        # Sorted, so that of two links to one folder always the same one is entered.
        names[:] = sorted(n for n in names if not n.startswith(".")) if recursive else []
        for name in files:
            path = here / name
            ours = (o.owns(path.relative_to(above).as_posix()) for above, o in results)
            if not name.startswith(".") and not any(ours):
                yield path
    yield from (Path(e.filename) for e in unreadable)
