"""Plain text: a ``.txt`` a picture, one ``x y`` a line, its count before them or not (LaPa).

Coordinates are pixels, (0, 0) the first one's centre. Pictures lie beside the labels, or in
``images/`` where these lie in ``landmarks/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from kpcli.errors import InputError
from kpcli.formats.layout import find_files, is_count, label_split, place
from kpcli.formats.pictures import PicturesBeside
from kpcli.formats.reading import read_text
from kpcli.formats.unlabelled import told
from kpcli.schemes import scheme_for_count
from kpcli.types import Note, Points, Reject, Sample

LARGEST = 1 << 22
"""Most bytes of a picture's label file that is read."""
_LOOKED_AT = 20
_SEPARATORS = re.compile(r"[\s,;]+")


def sniff(root: Path) -> bool:
    """Whether ``.txt`` files of two numbers a line, with a picture each, stand below ``root``."""
    picture_beside = PicturesBeside()
    for path in islice(find_files(root, "*.txt"), _LOOKED_AT):
        try:
            parse(read_text(path, LARGEST))
        except (InputError, ValueError):
            continue
        if path.suffix.lower() == ".txt" and (root.is_file() or picture_beside(path).exists()):
            return True
        if path.parent.name.lower() in ("landmarks", "points", "keypoints"):
            return True
    return False


def read(root: Path) -> Iterator[Sample | Reject | Note]:
    """One sample a file."""
    return told(_read(root))


def _read(root: Path) -> Iterator[Sample | Reject]:
    picture_beside = PicturesBeside()
    for path in find_files(root, "*.txt"):
        image = picture_beside(path)
        try:
            points = parse(read_text(path, LARGEST))
        except InputError as e:
            yield Reject(str(path), "damaged label", e.actual)
            continue
        except ValueError as e:
            line, reason = e.args
            if image.exists():  # else a README or a list
                yield Reject(f"{path}:{line}", "damaged label", reason)
            continue
        where = place(image, root)
        if not where.source:
            where = place(path, root)
        yield Sample(
            image=image,
            face=None,
            points=points,
            visible=np.ones(len(points), bool),
            scheme=scheme_for_count(len(points)),
            dataset=where.dataset,
            split=label_split(image, root, path, of_many=False),
            group=where.group(image.stem),
            origin=str(path),
        )


def parse(text: str) -> Points:
    """The points (N, 2) of a file's text.

    Raises
    ------
    ValueError
        With the line number and the problem, if the text is damaged.
    """
    promised: int | None = None
    points: list[tuple[float, float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        values = [v for v in _SEPARATORS.split(line) if v]
        if len(values) == 1 and not points and promised is None and is_count(values[0]):
            promised = int(values[0])
        elif values:
            try:
                x, y = (float(v) for v in values)
            except ValueError:
                raise ValueError(number, f"expected `x y`, found {line.strip()[:60]!r}") from None
            points.append((x, y))
    if not points:
        raise ValueError(1, "no points")
    if promised is not None and promised != len(points):
        raise ValueError(1, f"{promised} points promised, {len(points)} found")
    return np.array(points, np.float32)
