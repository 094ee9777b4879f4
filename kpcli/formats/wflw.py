"""WFLW: list files with 98 points, a face rectangle and six attributes a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kpcli.errors import InputError
from kpcli.formats.layout import find_files, folder_near, holds, split_of
from kpcli.formats.pictures import named
from kpcli.formats.reading import read_text
from kpcli.types import FaceBox, Reject, Sample

ATTRIBUTES = ("pose", "expression", "illumination", "makeup", "occlusion", "blur")
_LISTS = ("list_98pt_rect_attr_*.txt", "list_98pt_train.txt", "list_98pt_test.txt")
_SUBSET = re.compile(r"list_98pt_test_(?:large)?(\w+)\.txt\Z")
_COORDINATES = 196


def sniff(root: Path) -> bool:
    """Whether WFLW's list files stand at or near ``root``."""
    return holds(root, *_LISTS, depth=3)


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a line. Lists with rectangles win over the same split's plain lists."""
    lists = list(find_files(root, *_LISTS, depth=3))
    full = {split_of(p.name) for p in lists if "rect_attr" in p.name}
    subsets = _subset_lists(root)
    for path in lists:
        if "rect_attr" in path.name or split_of(path.name) not in full:
            yield from _read_list(path, subsets)


def _read_list(path: Path, subsets: dict[str, set[str]]) -> Iterator[Sample | Reject]:
    images = folder_near(path.parent, "WFLW_images") or path.parent
    split = split_of(path.name) or "train"
    try:
        text = read_text(path)
    except InputError as e:
        yield Reject(str(path), "damaged file", e.actual)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        origin = f"{path}:{number}"
        try:
            yield _sample(line.split(), images, split, origin, subsets)
        except ValueError as e:
            yield Reject(origin, "damaged label", str(e))


def _sample(
    values: list[str], images: Path, split: str, origin: str, subsets: dict[str, set[str]]
) -> Sample:
    # A path may hold blanks, so the number of numbers before it tells the list's kind.
    extra = 10 if len(values) > _COORDINATES + 10 else 0
    if len(values) <= _COORDINATES + extra:
        raise ValueError(f"expected 196 or 206 numbers and a path, found {len(values)} values")
    numbers = np.array([float(v) for v in values[: _COORDINATES + 4 * bool(extra)]], np.float32)
    name = " ".join(values[_COORDINATES + extra :])
    face, attributes = None, {}
    if extra:
        face = FaceBox(*(float(v) for v in numbers[_COORDINATES:]))
        attributes = dict(zip(ATTRIBUTES, values[_COORDINATES + 4 :], strict=False))
        if not set(attributes.values()) <= {"0", "1"}:
            raise ValueError(f"attributes are 0 or 1, found {' '.join(attributes.values())}")
    key = _key(values, name)
    attributes |= {name: "1" for name, faces in subsets.items() if key in faces}
    return Sample(
        image=named(images, name),
        face=face,
        points=numbers[:_COORDINATES].reshape(-1, 2),
        visible=np.ones(98, bool),
        scheme="wflw98",
        dataset="wflw",
        split=split,
        group=f"wflw/{_picture(name)}",
        box_source="file" if face else "",
        attributes=attributes,
        origin=origin,
    )


def _picture(name: str) -> str:
    """The picture's name without the face number that cropped copies append.

    WIDER FACE names end in ``_<event>_<picture>``; what follows is the face.
    """
    stem = name.rsplit(".", 1)[0]
    event = re.match(r"\d+", stem)
    match = event and re.match(rf"(.*_{event[0]}_\d+)_\d+\Z", stem)
    return match[1] if match else stem


def _subset_lists(root: Path) -> dict[str, set[str]]:
    """Attribute to the faces of its list in ``list_98pt_test/``."""
    subsets = {}
    for path in find_files(root, "list_98pt_test_*.txt", depth=3):
        match = _SUBSET.match(path.name)
        if match and match[1] in ATTRIBUTES:
            try:
                rows = [line.split() for line in read_text(path).splitlines()]
            except InputError:  # a list that only names subsets
                continue
            subsets[match[1]] = {
                _key(row, " ".join(row[_COORDINATES:])) for row in rows if len(row) > _COORDINATES
            }
    return subsets


def _key(values: list[str], name: str) -> str:
    """A face: its picture and its first two points, as far as lists print them alike."""
    return f"{name} {' '.join(f'{float(v):.1f}' for v in values[:4])}"
