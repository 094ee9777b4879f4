"""iBUG ``.pts`` files beside their pictures: 300-W and every set in its layout.

Coordinates in the files are 1-based (the top-left pixel is (1, 1)).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kpcli.errors import InputError
from kpcli.formats.layout import find_files, holds, is_count, place
from kpcli.formats.pictures import PicturesBeside
from kpcli.formats.reading import read_text
from kpcli.formats.unlabelled import told
from kpcli.schemes import scheme_for_count
from kpcli.types import Note, Points, Reject, Sample

LARGEST = 1 << 22
"""Most bytes of a ``.pts`` file that is read."""
_HEADER = re.compile(r"(version|n_points)\s*:?\s*(\d*)", re.IGNORECASE)


def sniff(root: Path) -> bool:
    """Whether any ``.pts`` file stands at or below ``root``."""
    return holds(root, "*.pts")


def read(root: Path) -> Iterator[Sample | Reject | Note]:
    """One sample a ``.pts`` file; the layout gives split, subset and source."""
    return told(_read(root), first=1)


def _read(root: Path) -> Iterator[Sample | Reject]:
    picture_beside = PicturesBeside()
    for path in find_files(root, "*.pts"):
        try:
            points = parse_pts(read_text(path, LARGEST))
        except InputError as e:
            yield Reject(str(path), "damaged label", e.actual)
            continue
        except ValueError as e:
            line, reason = e.args
            yield Reject(f"{path}:{line}", "damaged label", reason)
            continue
        where = place(path, root)
        yield Sample(
            image=picture_beside(path),
            face=None,
            points=points,
            visible=np.ones(len(points), bool),
            scheme=scheme_for_count(len(points)),
            dataset=where.dataset,
            split=where.split,
            group=where.group(path.stem),
            subset=where.subset,
            attributes=where.attributes,
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
                if not is_count(header[2]):
                    raise ValueError(number, f"n_points: {header[2][:60]}")
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
