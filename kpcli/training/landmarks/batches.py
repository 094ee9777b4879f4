"""Faces in memory, and batches of them: no tf.data, so every Keras backend can train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from kpcli.geometry import CropTransform
from kpcli.options import AugmentOptions
from kpcli.schemes import LandmarkScheme
from kpcli.training.augment import geometric, photometric, scaled
from kpcli.training.faces import FaceStore, plain_crop
from kpcli.types import FaceBox, Pixels, Points

SEEN = 256
"""Training faces whose error the history has beside that of validation."""


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


def some_arrays(store: FaceStore) -> tuple[NDArray[np.uint8], Points]:
    """`SEEN` of a store's faces at most, spread over it; see `validation_arrays`."""
    chosen = np.linspace(0, len(store) - 1, min(SEEN, len(store))).astype(int)
    return validation_arrays(store, [int(i) for i in chosen])


def validation_arrays(
    store: FaceStore, indices: Sequence[int] | None = None
) -> tuple[NDArray[np.uint8], Points]:
    """Faces of a store, un-augmented: crops (B, S, S, C) and unit points (B, N, 2).

    ``indices``: which; None: all.
    """
    chosen = range(len(store)) if indices is None else indices
    pairs = [plain_crop(store[i], store.crop) for i in chosen]
    crops = np.stack([store.crop.finish(c) for c, _ in pairs])
    return crops, np.stack([p for _, p in pairs])
