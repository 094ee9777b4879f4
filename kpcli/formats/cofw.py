"""COFW's colour ``.mat`` files (HDF5): pictures, boxes, 29 points and which are occluded.

The pictures stand inside the files. Coordinates are taken as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.formats.layout import find_files, holds, split_of
from kpcli.formats.reading import open_binary
from kpcli.types import FaceBox, Pixels, Reject, Sample

_PATTERNS = ("COFW_train*.mat", "COFW_test*.mat")
_N = 29
LEAST = 256
"""Bytes of the file that a face takes up at least: its picture is an object of its own."""


def sniff(root: Path) -> bool:
    """Whether COFW's files stand in or right below ``root``."""
    return holds(root, *_PATTERNS, depth=1)


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a picture, the picture with it."""
    import h5py

    for path in find_files(root, *_PATTERNS, depth=1):
        split = split_of(path.name) or "train"
        suffix = "T" if split == "test" else "Tr"
        try:
            with open_binary(path) as raw, h5py.File(raw, "r") as file:
                pictures, labels, boxes = (file[k + suffix] for k in ("Is", "phis", "bboxes"))
                if labels.shape[0] != 3 * _N:
                    raise ValueError(f"phis{suffix} holds {labels.shape[0]} rows, not {3 * _N}")
                _check_number(labels.shape[1], path)
                for i in range(labels.shape[1]):
                    origin = f"{path}: face {i + 1}"
                    try:
                        pixels = _pixels(file[pictures[0, i]][()])
                        sample = _sample(pixels, labels[:, i], boxes[:, i], split, i + 1, origin)
                    except Exception as e:  # HDF5 raises whatever it stumbles over
                        yield Reject(origin, "damaged label", repr(e))
                        continue
                    yield sample
        except Exception as e:
            yield Reject(str(path), "damaged file", str(e) or repr(e))


def _check_number(faces: int, path: Path) -> None:
    """A table may promise more faces than a file can hold: HDF5 stores what was never written as
    nothing at all.
    """
    most = path.stat().st_size // LEAST
    if faces > most:
        raise ValueError(f"{faces} faces promised in a file that can hold {most}")


def _pixels(values: NDArray[Any]) -> Pixels:
    """A picture as HDF5 holds it, (3, W, H) or gray (W, H), as (H, W, 3)."""
    if values.ndim == 2:
        values = np.repeat(values[None], 3, axis=0)
    if values.ndim != 3 or values.shape[0] != 3:
        raise ValueError(f"expected a picture, found an array of shape {values.shape}")
    return np.ascontiguousarray(values.transpose(2, 1, 0), np.uint8)


def _sample(
    pixels: Pixels,
    label: NDArray[np.float64],
    box: NDArray[np.float64],
    split: str,
    number: int,
    origin: str,
) -> Sample:
    left, top, width, height = (float(v) for v in box[:4])
    name = f"{split}_{number:04d}"
    return Sample(
        image=Path(f"{name}.png"),
        face=FaceBox.from_xywh(left, top, width, height),
        points=np.stack([label[:_N], label[_N : 2 * _N]], axis=1).astype(np.float32),
        visible=label[2 * _N :] == 0,
        scheme="cofw29",
        dataset="cofw",
        split=split,
        group=f"cofw/{name}",
        box_source="file",
        origin=origin,
        pixels=pixels,
    )
