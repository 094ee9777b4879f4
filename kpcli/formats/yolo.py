"""YOLO pose: a ``.txt`` a picture, ``class cx cy w h`` and ``x y [v]`` a point, in 0..1.

``data.yaml`` (``kpt_shape``, ``flip_idx``, ``kpt_names``) tells the points; without it their
number follows from the lines. Pictures lie in ``images/`` where labels lie in ``labels/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import InputError, UsageError
from kpcli.formats.layout import find_files, label_split, place
from kpcli.formats.pictures import PicturesBeside
from kpcli.formats.reading import read_text
from kpcli.images import upright_size
from kpcli.schemes import SCHEMES, get_scheme, key_of, scheme_for_count, scheme_of_names
from kpcli.types import FaceBox, Reject, Sample

LARGEST = 1 << 22
"""Most bytes of a picture's label file that is read."""
_NUMBER = re.compile(r"\A[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\Z")
_LOOKED_AT = 20
"""Files by which the format is recognised."""


def sniff(root: Path) -> bool:
    """Whether ``.txt`` files with a class, a box and points stand at or below ``root``."""
    return any(_is_ours(path) for path in islice(find_files(root, "*.txt"), _LOOKED_AT))


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a line of every picture's labels."""
    picture_beside = PicturesBeside()
    files = [path for path in find_files(root, "*.txt") if _is_ours(path)]
    told = _data_yaml(root)
    n, values = _shape(told, files)
    scheme = _scheme(told, n)
    for path in files:
        image = picture_beside(path)
        try:
            size = upright_size(image)
            lines = read_text(path, LARGEST).splitlines()
        except InputError as e:
            missing = not image.exists()
            yield Reject(
                str(path),
                "picture missing" if missing else "picture cannot be decoded",
                str(image) if missing else e.actual or e.what,
            )
            continue
        for number, line in enumerate(lines, start=1):
            if line.strip():
                origin = f"{path}:{number}"
                try:
                    yield _sample(line.split(), n, values, size, image, path, root, scheme, origin)
                except ValueError as e:
                    yield Reject(origin, "damaged label", str(e))


def _is_ours(path: Path) -> bool:
    try:
        lines = [line.split() for line in read_text(path, LARGEST).splitlines() if line.strip()]
    except InputError:
        return False
    return any(_fits(line) for line in lines[:5])


def _fits(values: list[str]) -> bool:
    """Whether a line is a class, a box within the picture, and points."""
    if len(values) < 7 or not values[0].isdigit() or not all(_NUMBER.match(v) for v in values):
        return False
    return all(-0.5 <= float(v) <= 1.5 for v in values[1:5])


def _data_yaml(root: Path) -> dict[str, str]:
    """The top-level entries of ``data.yaml`` that tell of points, as text.

    A full parser is not needed for lists of numbers and names.
    """
    base = root if root.is_dir() else root.parent
    folders = [base, *list(base.absolute().parents)[:3]]
    found = [p for folder in folders for p in sorted(folder.glob("*.y*ml"))]
    found += list(find_files(base, "*.yaml", "*.yml", depth=2))
    for path in found:
        try:
            text = read_text(path, LARGEST)
        except InputError:
            continue
        entries = {}
        for match in re.finditer(r"(?m)^(\w+)[ \t]*:(.*(?:\n[ \t#-].*)*)", text):
            entries[match[1]] = re.sub(r"(?m)\s#.*$", "", match[2])
        if "kpt_shape" in entries:
            return entries
    return {}


def _shape(told: Mapping[str, str], files: list[Path]) -> tuple[int, int]:
    """(points, values a point) of the set: as it says, or as its lines have it."""
    numbers = [int(v) for v in re.findall(r"\d+", told.get("kpt_shape", ""))]
    if len(numbers) == 2 and numbers[1] in (2, 3) and 0 < numbers[0] < 10_000:
        return numbers[0], numbers[1]
    for path in files:
        for line in read_text(path, LARGEST).splitlines():
            values = line.split()
            if _fits(values):
                rest = len(values) - 5
                flags = {float(v) for v in values[7::3]}
                three = rest % 3 == 0 and flags <= {0.0, 1.0, 2.0}
                return (rest // 3, 3) if three else (rest // 2, 2)
    return 0, 2


def _scheme(told: Mapping[str, str], n: int) -> str:
    text = told.get("kpt_names", "")
    # ``0: [a, b]`` (a list a class) or a plain list; flow or block style.
    words = [w.strip(" '\"\t") for w in re.split(r"[\[\]{},\n]|^\s*-|\n\s*-|\d+\s*:(?!\d)", text)]
    names = [w.lstrip("- ").strip(" '\"") for w in words if w.strip("- ")][:n]
    flips = tuple(int(v) for v in re.findall(r"\d+", told.get("flip_idx", "")))
    key = scheme_for_count(n)
    try:
        if len(names) == n and len(set(names)) == n:
            key = scheme_of_names(names)
    except UsageError:
        pass  # names that are none
    if sorted(flips) == list(range(n)) and key not in SCHEMES:
        key = key_of(replace(get_scheme(key), flip_order=flips))
    return key


def _sample(
    values: list[str],
    n: int,
    each: int,
    size: tuple[int, int],
    image: Path,
    path: Path,
    root: Path,
    scheme: str,
    origin: str,
) -> Sample:
    if len(values) != 5 + each * n:
        raise ValueError(f"expected {5 + each * n} numbers, found {len(values)}")
    numbers: NDArray[np.float64] = np.array([float(v) for v in values])
    box = numbers[1:5] * np.tile(size, 2)
    table = numbers[5:].reshape(n, each)
    points = (table[:, :2] * size).astype(np.float32)
    flags = table[:, 2] if each == 3 else np.where((table == 0).all(axis=1), 0, 2)
    points[flags <= 0] = np.nan
    where = place(image, root)
    if not where.source:
        where = place(path, root)
    return Sample(
        image=image,
        face=FaceBox(*(float(v) for v in (*(box[:2] - box[2:] / 2), *(box[:2] + box[2:] / 2)))),
        points=points,
        visible=np.asarray(flags >= 2),
        scheme=scheme,
        dataset=where.dataset,
        split=label_split(image, root, path, of_many=False),
        group=where.group(image.stem),
        box_source="file",
        attributes={"class": values[0]},
        origin=origin,
    )
