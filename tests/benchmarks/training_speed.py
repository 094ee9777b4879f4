"""Steps a second of `kpcli train` with its real input pipeline, against one repeated batch.

Usage: python tests/benchmarks/training_speed.py FACES.csv [--arch heatmap_fpn] [--steps 40]
       [--negatives WIDER.csv] [--runs 5]

Faces are decoded and cached first. The two kinds of run take turns; prints the steps a second of
each (least, median, most) and the ratio of the medians: 1.0 means that the device never waits.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from kpcli.architectures import architecture_facts
from kpcli.dataset_csv import read_dataset, with_landmark_box
from kpcli.options import TrainOptions
from kpcli.runtimes.keras_runtime import device_line
from kpcli.schemes import get_scheme
from kpcli.training.faces import CropFormat, FaceStore
from kpcli.training.landmarks.batches import TrainingBatches
from kpcli.training.landmarks.model import compiled
from kpcli.training.landmarks.negatives import negative_patches
from kpcli.training.networks import networks


class Repeated(keras.utils.PyDataset):
    """One batch of another data set, again and again."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__(workers=1)
        self._batch, self._count = batches[0], len(batches)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        return self._batch


def steps_a_second(trainer: keras.Model, batches: keras.utils.PyDataset, steps: int) -> float:
    begun = time.perf_counter()
    trainer.fit(batches, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)
    return steps / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--arch", default="heatmap_fpn")
    parser.add_argument("--negatives", type=Path)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    options = TrainOptions(
        arguments.csv, Path("unused"), arguments.arch, precision=arguments.precision
    )
    samples = [with_landmark_box(s) for s in read_dataset(arguments.csv, split="train")]
    scheme = get_scheme(samples[0].scheme)
    size, colour = architecture_facts(options.arch)
    negatives = []
    if arguments.negatives:
        negatives = negative_patches(read_dataset(arguments.negatives, split="train"), 4000, 0)
    batches = TrainingBatches(
        FaceStore(samples, CropFormat(size, options.crop_scale, colour), options.cache_mb),
        scheme, options.augment, options.batch_size, 0, box_from_points=True,
        negatives=negatives, negative_share=options.negative_share,
    )  # fmt: skip
    network, _ = networks(options, scheme.n_points)
    trainer = compiled(network, options, len(batches))
    repeated = Repeated(batches)
    steps = min(arguments.steps, len(batches))
    for data in (repeated, batches):  # trace and warm up
        steps_a_second(trainer, data, 3)
    found: dict[str, list[float]] = {"real pipeline": [], "one repeated batch": []}
    for _ in range(arguments.runs):
        found["real pipeline"].append(steps_a_second(trainer, batches, steps))
        found["one repeated batch"].append(steps_a_second(trainer, repeated, steps))
    print(f"{options.arch}, batches of {options.batch_size}, {len(samples)} faces, {device_line()}")
    for name, speeds in found.items():
        print(f"{name}: {np.median(speeds):.2f} steps/s ({min(speeds):.2f} to {max(speeds):.2f})")
    ratio = np.median(found["real pipeline"]) / np.median(found["one repeated batch"])
    print(f"ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
