"""Faces in memory, and batches of them: no tf.data, so every Keras backend can train."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from kpcli.errors import InputError
from kpcli.geometry import CropTransform
from kpcli.images import read_image, to_gray
from kpcli.options import AugmentOptions
from kpcli.progress import progress
from kpcli.schemes import LandmarkScheme
from kpcli.training.augment import geometric, photometric, scaled
from kpcli.types import FaceBox, Pixels, Points, Sample

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
        try:
            return cut_region(sample, self.crop, read_image(sample.image))
        except InputError as e:
            raise InputError(
                f"{sample.origin}: {e.what}",
                actual=e.actual,
                next_step="restore the picture, or run `kpcli prepare` again",
            ) from e

    def release(self) -> None:
        """Let go of the faces in memory; they are decoded again if asked for."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Region:
        return self._kept[index] if index in self._kept else self._load(index)


def plain_crop(region: Region, crop: CropFormat) -> tuple[Pixels, Points]:
    """The crop that inference would make from the label's box, and its unit points."""
    transform = CropTransform.from_box(region.box, crop.size, crop.scale)
    return transform.to_crop(region.pixels), transform.to_unit(region.points).astype(np.float32)


class TrainingBatches(keras.utils.PyDataset):
    """Augmented batches; batch i of epoch e is the same whenever it is asked for.

    Yields (crops (B, S, S, C) uint8, targets): ``points`` (B, N, 2) with 0 for NaN, ``mask``
    (B, N) 1 where labelled (``soft_weight`` where labelled as occluded), ``tangent`` (B, N, 2) the
    outline's direction where a point may slide along it, else 0, ``face`` (B, 1) 1 for a face and
    0 for a crop that shows none: of those, each kind of ``negatives`` has the same share, however
    many patches it has.
    """

    def __init__(
        self,
        store: FaceStore,
        scheme: LandmarkScheme,
        augment: AugmentOptions,
        batch_size: int,
        seed: int,
        *,
        box_from_points: bool,
        negatives: Sequence[Sequence[Pixels]] = (),
        negative_share: float = 0.0,
        soft_weight: float = 1.0,
        workers: int = 1,
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=8)
        self.store = store
        self.scheme = scheme
        self.augment = scaled(augment)
        self.batch_size = batch_size
        self.seed = seed
        self.box_from_points = box_from_points
        self.soft_weight = soft_weight
        self.negatives = [kind for kind in negatives if kind]
        self.n_negative = round(batch_size * negative_share) if self.negatives else 0
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Shuffle for this epoch (numbered from 0)."""
        self.epoch = epoch
        self._order = np.random.default_rng([self.seed, epoch]).permutation(len(self.store))

    def __len__(self) -> int:
        return max(1, len(self.store) // (self.batch_size - self.n_negative))

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        n_faces = self.batch_size - self.n_negative
        chosen = self._order[index * n_faces : (index + 1) * n_faces]
        rows = [self._face(rng, int(i)) for i in chosen]
        n = self.scheme.n_points
        nothing = np.full((n, 2), np.nan, np.float32), np.ones(n, np.bool_)
        rows += [(self._negative(rng), *nothing) for _ in range(self.n_negative)]
        crops = np.stack([self.store.crop.finish(c) for c, _, _ in rows])
        points = np.stack([p for _, p, _ in rows])
        faces = np.array([[1.0]] * len(chosen) + [[0.0]] * self.n_negative, np.float32)
        wanted = targets(points, faces)
        if self.soft_weight < 1:
            soft = ~np.stack([v for _, _, v in rows])
            wanted["mask"] = wanted["mask"] * np.where(soft, self.soft_weight, 1).astype(np.float32)
            wanted["tangent"] = tangents(points, self.scheme) * soft[..., None]
        return crops, wanted

    def release(self) -> None:
        """Let go of faces and backgrounds, whoever still holds these batches."""
        self.store.release()
        self.negatives, self.n_negative = [], 0

    def _face(
        self, rng: np.random.Generator, index: int
    ) -> tuple[Pixels, Points, NDArray[np.bool_]]:
        region, crop = self.store[index], self.store.crop
        if self.augment.strength == 0:
            return *plain_crop(region, crop), region.visible
        # Copied, for the crop's oblique lines are slow to read from memory that no cache holds:
        # both together take half the time.
        pixels, points, mirrored = geometric(
            rng, region.pixels.copy(), region.points, region.box, self.scheme, self.augment,
            crop.size, crop.scale, box_from_points=self.box_from_points,
        )  # fmt: skip
        seen = region.visible[list(self.scheme.flip_order)] if mirrored else region.visible
        return photometric(rng, pixels, self.augment), points, seen

    def _negative(self, rng: np.random.Generator) -> Pixels:
        kind = self.negatives[int(rng.integers(len(self.negatives)))]
        patch = kind[int(rng.integers(len(kind)))]
        side = patch.shape[0]
        box = FaceBox(0, 0, side - 1, side - 1)
        transform = CropTransform.from_box(
            box, self.store.crop.size, float(rng.uniform(0.5, 1.0)),
            rotation=float(rng.uniform(-30, 30)), mirror=bool(rng.random() < 0.5),
        )  # fmt: skip
        # Any side up: unsure faces are looked at from all four.
        crop = np.ascontiguousarray(np.rot90(transform.to_crop(patch), int(rng.integers(4))))
        return photometric(rng, crop, self.augment)


def tangents(points: Points, scheme: LandmarkScheme) -> Points:
    """Unit vectors (..., N, 2) along the scheme's outlines, from points (..., N, 2).

    0 where a point or a neighbour is NaN or lies upon it, and where no one or two edges meet.
    """
    neighbours: dict[int, list[int]] = {}
    for a, b in scheme.edges:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    along = np.zeros(points.shape, np.float32)
    for i, others in neighbours.items():
        if len(others) <= 2:
            first, last = others if len(others) == 2 else (i, others[0])
            along[..., i, :] = points[..., last, :] - points[..., first, :]
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    known = np.isfinite(length) & np.isfinite(points).all(axis=-1, keepdims=True) & (length > 1e-6)
    return np.where(known, along / np.where(known, length, 1), 0).astype(np.float32)


def targets(points: Points, faces: NDArray[np.float32]) -> dict[str, Any]:
    """Targets of a batch from points (B, N, 2) that may be NaN."""
    mask = (~np.isnan(points).any(axis=-1)).astype(np.float32)
    return {"points": np.nan_to_num(points), "mask": mask, "face": faces}


def validation_arrays(store: FaceStore) -> tuple[NDArray[np.uint8], Points]:
    """All faces of a store as un-augmented crops (B, S, S, C) and unit points (B, N, 2)."""
    pairs = [plain_crop(store[i], store.crop) for i in range(len(store))]
    crops = np.stack([store.crop.finish(c) for c, _ in pairs])
    return crops, np.stack([p for _, p in pairs])
