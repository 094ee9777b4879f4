"""WIDER FACE: boxes only, to train a detector.

Each picture is its path, a count, and a line a box:
``x y w h blur expression illumination invalid occlusion pose``.
Boxes without area are kept with ``invalid=1``: regions that a training must ignore.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kpcli.dataset_csv import BOXES
from kpcli.errors import InputError
from kpcli.formats.layout import PICTURE_ENDINGS, find_files, folder_near, holds, is_count, split_of
from kpcli.formats.reading import read_text
from kpcli.types import FaceBox, Reject, Sample

ATTRIBUTES = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
_PATTERN = "wider_face_*_bbx_gt.txt"
Lines = list[tuple[int, str]]
Row = tuple[int, FaceBox | None, dict[str, str]]


def sniff(root: Path) -> bool:
    """Whether WIDER FACE's ground truth lists stand at or near ``root``."""
    return holds(root, _PATTERN, depth=2)


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a box; one without a box for a picture without a face.

    A picture with a damaged line is rejected whole: a face without its box would be learnt as
    background.
    """
    for path in find_files(root, _PATTERN, depth=2):
        split = split_of(path.name) or "train"
        images = folder_near(path.parent, f"WIDER_{split}/images", f"WIDER_{split}", levels=3)
        try:
            text = read_text(path)
        except InputError as e:
            yield Reject(str(path), "damaged file", e.actual)
            continue
        for number, name, lines in _pictures(text):
            try:
                boxes = _boxes(lines)
            except ValueError as e:
                yield Reject(f"{path}:{e.args[0] or number}", "damaged label", e.args[1])
                continue
            image = (images or path.parent / f"WIDER_{split}/images") / name
            group = f"widerface/{name.rsplit('.', 1)[0]}"
            for line, face, attributes in boxes or [(number, None, {})]:
                yield Sample(
                    image=image,
                    face=face,
                    points=np.zeros((0, 2), np.float32),
                    visible=np.zeros(0, bool),
                    scheme=BOXES,
                    dataset="widerface",
                    split=split,
                    group=group,
                    box_source="file" if face else "",
                    attributes=attributes,
                    origin=f"{path}:{line}",
                )


def _pictures(text: str) -> Iterator[tuple[int, str, Lines]]:
    """(line number, picture's name, the lines that belong to it) of each picture."""
    number, name, lines = 0, "", Lines()
    for i, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line.lower().endswith(PICTURE_ENDINGS):
            if name:
                yield number, name, lines
            number, name, lines = i, line, []
        elif line:
            lines.append((i, line))
    if name:
        yield number, name, lines


def _boxes(lines: Lines) -> list[Row]:
    """Line number, box and attributes of each box; ValueError(line, problem) if damaged."""
    if not lines:
        raise ValueError(0, "no count of faces")
    (number, count), rows = lines[0], lines[1:]
    if not is_count(count):
        raise ValueError(number, f"expected the number of faces, found {count[:60]!r}")
    if int(count) == 0 and all(set(row.split()) == {"0"} for _, row in rows):
        return []
    if int(count) != len(rows):
        raise ValueError(number, f"{count} faces promised, {len(rows)} boxes found")
    return [(i, *_box(i, row.split())) for i, row in rows]


def _box(number: int, values: list[str]) -> tuple[FaceBox, dict[str, str]]:
    try:
        left, top, width, height = (float(v) for v in values[:4])
    except ValueError:
        raise ValueError(number, f"expected `x y w h ...`, found {values}") from None
    if len(values) not in (4, 4 + len(ATTRIBUTES)) or not math.isfinite(
        left + top + width + height
    ):
        raise ValueError(number, f"expected 4 or 10 numbers, found {' '.join(values)!r}")
    attributes = dict(zip(ATTRIBUTES, values[4:], strict=False))
    if width <= 0 or height <= 0:
        attributes["invalid"] = "1"
    return FaceBox.from_xywh(left, top, width, height), attributes
