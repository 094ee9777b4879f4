"""iBUG ``.pts`` files beside their pictures: 300-W and every set in its layout.

Coordinates in the files are 1-based (the top-left pixel is (1, 1)).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from kpcli.formats.layout import PICTURE_ENDINGS, find_files, holds, read_text, split_of
from kpcli.schemes import scheme_for_count
from kpcli.types import Points, Reject, Sample

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
_HEADER = re.compile(r"(version|n_points)\s*:?\s*(\d*)", re.IGNORECASE)
_COPY = re.compile(r"(_mirror)?(_\d{1,2})?(_mirror)?\Z")


def sniff(root: Path) -> bool:
    """Whether any ``.pts`` file stands at or below ``root``."""
    return holds(root, "*.pts")


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a ``.pts`` file; the layout gives split, subset and source."""
    for path in find_files(root, "*.pts"):
        try:
            points = parse_pts(read_text(path))
        except ValueError as e:
            line, reason = e.args
            yield Reject(f"{path}:{line}", "damaged label", reason)
            continue
        dataset, source, split, subset = place(path, root)
        yield Sample(
            image=picture_of(path),
            face=None,
            points=points,
            visible=np.ones(len(points), bool),
            scheme=scheme_for_count(len(points)),
            dataset=dataset,
            split=split,
            group="/".join(p for p in (dataset, source, _COPY.sub("", path.stem)) if p),
            subset=subset,
            attributes={"source": source} if source else {},
            origin=str(path),
        )


def parse_pts(text: str) -> Points:
    """The points (N, 2), 0-based pixels, of a ``.pts`` file's text.

    Raises
    ------
    ValueError
        With the line number and the problem, if the text is damaged.
    """
    promised: int | None = None
    points: list[tuple[float, float]] = []
    number = 0
    for number, line in enumerate(text.splitlines(), start=1):
        values = line.replace(",", " ").replace("{", " ").replace("}", " ").split()
        header = _HEADER.match(" ".join(values))
        if header:
            if header[1].lower() == "n_points" and header[2]:
                promised = int(header[2])
        elif values:
            try:
                x, y = (float(v) for v in values)
            except ValueError:
                raise ValueError(number, f"expected `x y`, found {line.strip()[:60]!r}") from None
            points.append((x - 1, y - 1))
        if "}" in line:
            break
    if not points:
        raise ValueError(max(number, 1), "no points")
    if promised is not None and promised != len(points):
        raise ValueError(number, f"n_points promises {promised} points, {len(points)} found")
    return np.array(points, np.float32)


def picture_of(label: Path) -> Path:
    """The picture beside a label file: same stem, any ending; ``.jpg`` if there is none."""
    return _pictures(label.parent).get(label.stem, label.with_suffix(".jpg"))


@lru_cache(maxsize=8)
def _pictures(folder: Path) -> dict[str, Path]:
    """Stem to picture of one folder; of several endings the first of `PICTURE_ENDINGS`."""
    found: dict[str, Path] = {}
    ranks = {ending: i for i, ending in enumerate(PICTURE_ENDINGS)}
    files = [p for p in folder.iterdir() if p.suffix.lower() in ranks]
    for path in sorted(files, key=lambda p: -ranks[p.suffix.lower()]):
        found[path.stem] = path
    return found


def place(path: Path, root: Path) -> tuple[str, str, str, str]:
    """Dataset, source, split and subset that the folders of a label file tell.

    The names below ``root`` count, and the two last of ``root`` itself, so that
    ``prepare 300w/helen/testset`` knows as much as ``prepare 300w``.
    """
    base = root.resolve() if root.is_dir() else root.resolve().parent
    inner = path.resolve().parent.relative_to(base).parts
    names = (*base.parts[-2:], *inner)
    for end in range(len(names), 0, -1):
        for start in (end - 2, end - 1):
            key = "/".join(names[max(start, 0) : end]).lower().replace(" ", "_")
            if key in _LAYOUT_300W:
                return ("300w", key, *_LAYOUT_300W[key])
    return base.name, "/".join(inner), split_of(*inner) or "train", ""
