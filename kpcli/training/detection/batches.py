"""Batches for a detector: random pictures, and what each cell of them should say.

No tf.data, so every Keras backend can train; batch i of epoch e is the same whenever asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from kpcli.boxes import areas
from kpcli.cells import cell_grid
from kpcli.options import AugmentOptions, DetectionOptions
from kpcli.training.augment import Rng
from kpcli.training.detection.scenes import (
    Boxes,
    Canvas,
    SceneStore,
    crop_scene,
    mosaic,
    side_by_side,
)
from kpcli.training.faces import FaceStore

SMALLEST = 5.0
"""Faces of less (root of the area, pixels of the crop) are neither face nor background."""
MOST_FACES = 40
"""Faces a crop that are learnt; further ones, the smallest, are neither face nor background."""
FOURS = 0.1
"""Share of pictures that are four crops side by side."""
LARGE_EVERY = 4
"""Batches of which one has pictures of twice the size, a quarter as many."""


def targets(canvases: Sequence[Canvas], cells: NDArray[np.float32]) -> dict[str, Any]:
    """Targets of a batch at cells (n, 3): ``faces`` (B, G, 4), ``real`` (B, G) 1 where one is,
    ``counted`` (B, n) 1 where background is known, ``landmark`` (B, 1) and ``cells`` (B, n, 3).
    """
    faces = np.zeros((len(canvases), MOST_FACES, 4), np.float32)
    real = np.zeros((len(canvases), MOST_FACES), np.float32)
    counted = np.ones((len(canvases), len(cells)), np.float32)
    for i, canvas in enumerate(canvases):
        size = areas(canvas.faces)
        order = np.argsort(-size, kind="stable")
        learnt = min(MOST_FACES, int((size >= SMALLEST**2).sum()))
        faces[i, :learnt] = canvas.faces[order[:learnt]]
        real[i, :learnt] = 1
        passed = np.concatenate([canvas.ignored, canvas.faces[order[learnt:]]])
        counted[i, _covered(cells, passed, 4)] = 0
        if canvas.only_near:
            sides = canvas.faces[:, 2:] - canvas.faces[:, :2]
            counted[i, ~_covered(cells, canvas.faces, 0.2 * sides)] = 0
    return {
        "faces": faces, "real": real, "counted": counted,
        "landmark": np.array([[float(c.landmark)] for c in canvases], np.float32),
        "cells": np.repeat(cells[None], len(canvases), axis=0),
    }  # fmt: skip


def _covered(cells: NDArray[np.float32], boxes: Boxes, margin: Any) -> NDArray[np.bool_]:
    """Which cells (n,) have their centre in one of the boxes (F, 4), grown by a margin."""
    low, high = boxes[None, :, :2] - margin, boxes[None, :, 2:] + margin
    centre = cells[:, None, :2]
    return np.asarray(((centre >= low) & (centre <= high)).all(-1).any(-1))


class DetectionBatches(keras.utils.PyDataset):
    """Yields (pictures (B, S, S, 3) uint8, targets); see `targets`."""

    def __init__(
        self,
        boxed: SceneStore,
        faces: FaceStore | None,
        strides: Sequence[int],
        options: DetectionOptions,
        augment: AugmentOptions,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=6)
        self.boxed, self.faces = boxed, faces
        self.options, self.augment = options, augment
        self.batch_size, self.seed = batch_size, seed
        self._cells = {
            size: cell_grid(size, size, strides)
            for size in (options.crop_size, 2 * options.crop_size)
        }
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Shuffle for this epoch (numbered from 0)."""
        self.epoch = epoch
        self._order = np.random.default_rng([self.seed, epoch]).permutation(len(self.boxed))

    def __len__(self) -> int:
        return max(2, len(self.boxed) * self.options.crops_a_picture // self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        size, count = self.options.crop_size, self.batch_size
        # The second batch already is a large one: Keras learns from two what may vary.
        if index % LARGE_EVERY == 1:
            size, count = 2 * size, max(1, count // 4)
        share = self.options.landmark_share if self.faces is not None else 0.0
        n_mosaics = int(count * share + rng.random())
        canvases = [
            self._scene(rng, index * self.batch_size + i, size) for i in range(count - n_mosaics)
        ]
        if self.faces is not None:
            canvases += [mosaic(rng, self.faces, size, self.augment) for _ in range(n_mosaics)]
        return np.stack([c.pixels for c in canvases]), targets(canvases, self._cells[size])

    def _scene(self, rng: Rng, position: int, size: int) -> Canvas:
        """The crop of one picture, or of four at half the size."""
        if rng.random() < FOURS:
            others = rng.integers(len(self.boxed), size=4)
            return side_by_side([self._crop(rng, int(i), size // 2) for i in others], size)
        return self._crop(rng, int(self._order[position % len(self._order)]), size)

    def _crop(self, rng: Rng, scene: int, size: int) -> Canvas:
        return crop_scene(rng, *self.boxed[scene], size, self.augment.rotation)
