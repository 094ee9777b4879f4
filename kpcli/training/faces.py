"""Labelled faces in memory, no larger than their crops will need."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.dataset_csv import image_box, with_landmark_box
from kpcli.errors import InputError
from kpcli.geometry import CropTransform
from kpcli.images import read_image, to_gray, upright_size
from kpcli.progress import progress
from kpcli.types import FaceBox, Pixels, Points, Sample

COUNTED = 100
"""Faces from which it is told how large boxes are in their pictures (`box_share`)."""
REGION = 2.1
"""Side of a cached region over side of the face box: what a turned, shifted crop may show."""


@dataclass(frozen=True)
class CropFormat:
    """What a model's crop looks like."""

    size: int
    scale: float
    colour: str

    def finish(self, crop: Pixels) -> Pixels:
        """The crop (S, S, 3) as the model takes it: (S, S, 3) or, for gray, (S, S, 1)."""
        return to_gray(crop) if self.colour == "gray" else crop


@dataclass(frozen=True)
class Region:
    """A square cut around one face, with its labels in the region's pixels."""

    pixels: Pixels
    points: Points
    box: FaceBox
    visible: NDArray[np.bool_]


def cut_region(sample: Sample, crop: CropFormat, pixels: Pixels) -> Region:
    """The surroundings of a face at no more resolution than its crops will need."""
    if sample.face is None:
        raise ValueError(f"{sample.origin}: a face without a box")
    wanted = math.ceil(1.3 * crop.size * REGION / crop.scale)
    side = math.ceil(sample.face.side * REGION)
    if side > wanted:
        transform = CropTransform.from_box(sample.face, wanted, REGION)
    else:  # whole pixels, not resampled: the crop shall be the one that inference makes
        left, top = (math.floor(c - side / 2) for c in sample.face.centre)
        transform = CropTransform(np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]]), side)
    x, y = transform.to_crop_pixels(np.array(sample.face.centre))
    half = sample.face.side * transform.pixels_per_pixel / 2
    box = FaceBox(float(x - half), float(y - half), float(x + half), float(y + half))
    points = transform.to_crop_pixels(sample.points).astype(np.float32)
    return Region(transform.to_crop(pixels), points, box, sample.visible)


def labelled_picture(path: Path, origin: str) -> Pixels:
    """`read_image`, with the way out where the pictures were moved after `kpcli prepare`."""
    try:
        return read_image(path)
    except InputError as e:
        raise InputError(
            f"{origin}: {e.what}",
            actual=e.actual,
            next_step="restore the picture, say with --root where the pictures are now, or run "
            "`kpcli prepare` again",
        ) from e


class FaceStore:
    """Regions of many faces, decoded once and kept up to a bound of memory.

    Faces beyond the bound are decoded again whenever they are needed.
    """

    def __init__(self, samples: Sequence[Sample], crop: CropFormat, cache_mb: int) -> None:
        self.samples = list(samples)
        self.crop = crop
        self._kept: dict[int, Region] = {}
        room = cache_mb * 2**20
        with ThreadPoolExecutor(4) as pool:
            # In slices: a pool's map would decode everything ahead of the bound.
            for first in progress(range(0, len(self.samples), 64), "loading faces", unit="batch"):
                indices = range(first, min(first + 64, len(self.samples)))
                for i, region in zip(indices, pool.map(self._load, indices), strict=True):
                    if region.pixels.nbytes <= room:
                        room -= region.pixels.nbytes
                        self._kept[i] = region
                if room < 2**16:
                    break

    def _load(self, index: int) -> Region:
        sample = self.samples[index]
        return cut_region(sample, self.crop, labelled_picture(sample.image, sample.origin))

    def release(self) -> None:
        """Let go of the faces in memory; they are decoded again if asked for."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Region:
        return self._kept[index] if index in self._kept else self._load(index)


def boxed_as(samples: Sequence[Sample], face_box: str) -> list[Sample]:
    """The samples with their boxes of the kind that a model is to be trained on.

    ``face_box``: see TrainOptions.face_box.
    """
    if face_box == "landmarks":
        return [with_landmark_box(s) for s in samples]
    if face_box == "image":
        sizes = {path: upright_size(path) for path in {s.image for s in samples}}
        return [replace(s, face=image_box(sizes[s.image]), box_source="image") for s in samples]
    return list(samples)


def box_share(samples: Sequence[Sample]) -> float:
    """Median side of the boxes over the long side of their pictures, of `COUNTED` at most."""
    chosen = samples[:: max(1, len(samples) // COUNTED)]
    shares = [s.face.side / max(upright_size(s.image)) for s in chosen if s.face is not None]
    return round(statistics.median(shares), 4)


def plain_crop(region: Region, crop: CropFormat) -> tuple[Pixels, Points]:
    """The crop that inference would make from the label's box, and its unit points."""
    transform = CropTransform.from_box(region.box, crop.size, crop.scale)
    return transform.to_crop(region.pixels), transform.to_unit(region.points).astype(np.float32)
