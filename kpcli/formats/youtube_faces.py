"""The YouTube Faces key-point set: CSVs of 68 interleaved points, groups are videos."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kpcli.errors import InputError
from kpcli.formats.layout import find_files, holds, split_of
from kpcli.formats.reading import LARGEST_FIELD, read_text
from kpcli.types import Reject, Sample

_PATTERN = "*_frames_keypoints.csv"
_FRAME = re.compile(r"_\d+\Z")


def sniff(root: Path) -> bool:
    """Whether a ``*_frames_keypoints.csv`` stands in ``root`` or one folder below."""
    return holds(root, _PATTERN, depth=1)


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a row; pictures lie in ``training/`` and ``test/`` beside the CSVs."""
    for path in find_files(root, _PATTERN, depth=1):
        folder = path.parent / path.name.split("_frames", 1)[0]
        csv.field_size_limit(LARGEST_FIELD)
        try:
            text = read_text(path)
        except InputError as e:
            yield Reject(str(path), "damaged file", e.actual)
            continue
        reader = csv.reader(text.splitlines())
        split = split_of(path.name) or "train"
        try:
            next(reader, None)
            for row in filter(any, reader):
                yield _sample(row, folder, split, f"{path}:{reader.line_num}")
        except csv.Error as e:
            yield Reject(f"{path}:{reader.line_num}", "damaged file", str(e))


def _sample(row: list[str], folder: Path, split: str, origin: str) -> Sample | Reject:
    if len(row) != 137:
        detail = f"expected a file name and 136 numbers, found {len(row)} values"
        return Reject(origin, "damaged label", detail)
    try:
        points = np.array([float(v) for v in row[1:]], np.float32).reshape(68, 2)
    except ValueError as e:
        return Reject(origin, "damaged label", str(e))
    video = _FRAME.sub("", Path(row[0]).stem)
    return Sample(
        image=folder / row[0],
        face=None,
        points=points,
        visible=np.ones(68, bool),
        scheme="ibug68",
        dataset="youtube_faces",
        split=split,
        group=f"youtube_faces/{video}",
        origin=origin,
    )
