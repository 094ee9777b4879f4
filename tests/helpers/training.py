"""The smallest training: a network of two layers, and drawn faces to train it on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from kpcli.dataset_csv import write_dataset
from kpcli.geometry import tight_box
from kpcli.images import write_image
from kpcli.options import AugmentOptions, TrainOptions
from kpcli.types import Sample


def tiny(n_points: int) -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="conv")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(2 * n_points, name="dense")(x)
    return keras.Model(image, {"points": keras.layers.Reshape((n_points, 2))(x)})


def draw_faces(folder: Path, count: int = 12, split: str = "train") -> Path:
    """A CSV of drawn faces, five dots each; the last two share a group."""
    samples = []
    for i in range(count):
        rng = np.random.default_rng(i)
        dots = np.array([[30, 35], [60, 34], [45, 50], [35, 65], [56, 66]])
        dots += rng.integers(-8, 9, (5, 2))
        pixels = np.full((100, 100, 3), 60, np.uint8)
        for x, y in dots:
            pixels[y - 2 : y + 3, x - 2 : x + 3] = 255
        path = folder / f"{i}.png"
        write_image(path, pixels)
        points = dots.astype(np.float32)
        samples.append(
            Sample(
                path, tight_box(points), points, np.ones(5, bool), "celeba5", "drawn", split,
                str(min(i, count - 2)),
            )
        )  # fmt: skip
    write_dataset(samples, folder / "faces.csv", folder)
    return folder / "faces.csv"


def options(faces: Path, **changes: object) -> TrainOptions:
    """A run of three epochs on `draw_faces`, without augmentation."""
    base = TrainOptions(
        csv=faces, out=faces.parent / "run", epochs=3, batch_size=4, val=0.25,
        augment=AugmentOptions(strength=0), learning_rate=3e-3, warmup_epochs=0,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]
