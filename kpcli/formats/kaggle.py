"""Kaggle's facial key points: a CSV of 15 points with a 96 x 96 gray picture in each row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from kpcli.formats.layout import find_files, split_of
from kpcli.formats.reading import read_rows
from kpcli.schemes import KAGGLE15
from kpcli.types import Pixels, Reject, Sample

_SIDE = 96
_IMAGE = "Image"
_COLUMNS = [f"{name}_{axis}" for name in KAGGLE15.point_names for axis in "xy"]


def sniff(root: Path) -> bool:
    """Whether a CSV with Kaggle's columns stands in ``root``."""
    return any(_is_kaggle(path) for path in find_files(root, "*.csv", depth=0))


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a row, its picture with it; blank and NaN cells are unlabelled points."""
    for path in find_files(root, "*.csv", depth=0):
        if not _is_kaggle(path):
            continue
        rows = read_rows(path, ",")
        header = next(rows)[1]
        try:
            for number, (line, values) in enumerate(rows, start=1):
                row = dict(zip(header, values, strict=False))
                yield _sample(row, path, number, f"{path}:{line}")
        except (ValueError, OSError) as e:
            yield Reject(str(path), "damaged file", str(e))


def _is_kaggle(path: Path) -> bool:
    try:
        _, header = next(read_rows(path, ","), (0, []))
    except (OSError, ValueError):
        return False
    return {*_COLUMNS, _IMAGE} <= set(header)


def _sample(row: Mapping[str, str], path: Path, number: int, origin: str) -> Sample | Reject:
    try:
        points = np.array([_cell(row[c]) for c in _COLUMNS], np.float32).reshape(-1, 2)
        pixels = _pixels(row[_IMAGE])
    except (ValueError, KeyError) as e:  # KeyError: a short row
        return Reject(origin, "damaged label", str(e))
    labelled = np.asarray(~np.isnan(points).any(axis=1), bool)
    points[~labelled] = np.nan
    name = f"{path.stem}_{number:05d}"
    return Sample(
        image=Path(f"{name}.png"),
        face=None,
        points=points,
        visible=labelled,
        scheme="kaggle15",
        dataset="kaggle",
        split=split_of(path.name) or "train",
        group=f"kaggle/{name}",
        origin=origin,
        pixels=pixels,
    )


def _cell(text: str) -> float:
    return float(text) if text.strip() else math.nan


def _pixels(text: str) -> Pixels:
    values = np.array(text.split(), np.int64)
    if len(values) != _SIDE * _SIDE:
        raise ValueError(f"expected {_SIDE * _SIDE} pixels, found {len(values)}")
    if values.min() < 0 or values.max() > 255:
        raise ValueError("pixels are 0..255")
    return np.repeat(values.astype(np.uint8).reshape(_SIDE, _SIDE, 1), 3, axis=2)
