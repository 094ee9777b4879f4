"""dlib's XML (imglab): ``dataset/images/image[@file]/box/part``.

A file without any part is a set of boxes for a detector; boxes that its author marked
``ignore='1'`` are then regions to ignore, and are left out where there are parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np

from kpcli.dataset_csv import BOXES
from kpcli.formats.layout import find_files, is_count, place, split_of
from kpcli.schemes import SCHEMES, scheme_for_count
from kpcli.types import FaceBox, Reject, Sample

MOST_PARTS = 1000
"""Numbers from here on are no part's."""
RARE = 0.01
"""Share of a file's boxes that have a part, at least, if it is one."""


@dataclass(slots=True)
class _Box:
    image: str
    line: int
    corners: FaceBox
    ignore: bool
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)


def sniff(root: Path) -> bool:
    """Whether an XML with dlib's ``<dataset>`` stands in ``root``."""
    return any(_is_dlib(path) for path in find_files(root, "*.xml", depth=1))


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a box. The XML's name tells the split, else the picture's folder does."""
    files = [p for p in find_files(root, "*.xml", depth=1) if _is_dlib(p)]
    if any(split_of(p.name) for p in files):  # a file of all then repeats them
        files = [p for p in files if split_of(p.name)]
    for path in files:
        boxes, rejects = _parse(path)
        yield from rejects
        names = _part_names(boxes)
        order = _part_order(names)
        for box in boxes:
            odd = sorted(box.parts.keys() - names)
            if odd:
                detail = f"the other faces have no part named {odd[0][:60]!r}"
                yield Reject(f"{path}:{box.line}", "damaged label", detail)
            elif not (box.ignore and order):
                yield _sample(box, order, path, root)


def _is_dlib(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"<dataset" in file.read(4096)
    except OSError:
        return False


def _parse(path: Path) -> tuple[list[_Box], list[Reject]]:
    """All boxes of a file, and what is wrong with it; what stands before a fault is kept."""
    parser = expat.ParserCreate()
    boxes: list[_Box] = []
    rejects: list[Reject] = []
    image = ""

    def start(tag: str, values: dict[str, str]) -> None:
        nonlocal image
        line = parser.CurrentLineNumber
        try:
            if tag == "image":
                image = values["file"]
            elif tag == "box":
                boxes.append(_Box(image, line, _corners(values), values.get("ignore") == "1"))
            elif tag == "part":
                boxes[-1].parts[values["name"]] = (float(values["x"]), float(values["y"]))
        except (KeyError, ValueError, IndexError) as e:
            rejects.append(Reject(f"{path}:{line}", "damaged label", f"<{tag}>: {e!r}"))

    parser.StartElementHandler = start
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except (expat.ExpatError, OSError) as e:
        line = parser.CurrentLineNumber
        rejects.append(Reject(f"{path}:{line}", "damaged file", f"the rest is not read: {e}"))
    return boxes, rejects


def _corners(values: dict[str, str]) -> FaceBox:
    left, top, width, height = (float(values[k]) for k in ("left", "top", "width", "height"))
    return FaceBox(left, top, left + width, top + height)


def _part_names(boxes: list[_Box]) -> set[str]:
    """The parts that faces have; one damaged name among thousands must not count as a point."""
    counts = Counter(name for box in boxes for name in box.parts)
    numbers = {name for name in counts if is_count(name) and int(name) < MOST_PARTS}
    names = numbers if len(numbers) > len(counts) / 2 else set(counts)
    return {name for name in names if counts[name] >= RARE * len(boxes)}


def _part_order(names: set[str]) -> list[set[str]]:
    """For each point the part names that mean it: numbers (``7``, ``07``) count, or by name.

    Numbers start at 0, unless only a start at 1 gives the size of a known scheme.
    """
    if not names or not all(is_count(name) for name in names):
        return [{name} for name in sorted(names)]
    numbers = {int(name) for name in names}
    sizes = {scheme.n_points for scheme in SCHEMES.values()}
    first = 1 if 0 not in numbers and max(numbers) in sizes else 0
    return [{n for n in names if int(n) == i} for i in range(first, max(numbers) + 1)]


def _sample(box: _Box, order: list[set[str]], path: Path, root: Path) -> Sample:
    image = path.parent / box.image
    where = place(image, root)
    points = np.full((len(order), 2), np.nan, np.float32)
    for i, names in enumerate(order):
        for name in names & box.parts.keys():
            points[i] = box.parts[name]
    attributes = where.attributes
    if box.ignore:
        attributes["invalid"] = "1"
    return Sample(
        image=image,
        face=box.corners,
        points=points,
        visible=np.asarray(~np.isnan(points).any(axis=1), bool),
        scheme=scheme_for_count(len(order)) if order else BOXES,
        dataset=where.dataset,
        split=split_of(path.name) or where.split,
        group=where.group(image.stem),
        subset=where.subset,
        box_source="file",
        attributes=attributes,
        origin=f"{path}:{box.line}",
    )
