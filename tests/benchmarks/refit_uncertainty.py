"""Fit a landmark model's expected errors anew, to faces that are changed more than in its training.

Usage: python tests/benchmarks/refit_uncertainty.py FACES.csv BUNDLE OUT [--strength 1]
       [--looks 4] [--seed 0]

A last phase with mild augmentation makes points better, and the model too sure where a face is
covered or turned: of what it is not shown it knows no error. Only the linear map from a point's
features to its ``log_scale`` is fitted here, on the train rows seen --looks times each with
augmentation of --strength; the points stay to the bit. FACES.csv should hold few of the hard faces
that the training showed often: known by heart, they teach that hard faces come out well (see the
recipe ``default``). With u = log b the density is
exp(-d / b) / b^2, a gamma regression with a logarithmic link (McCullagh and Nelder, "Generalized
linear models", 1989, chapter 8), which is convex: damped Fisher scoring.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from average_models import measurement, write_measured
from numpy.typing import NDArray

from kpcli.dataset_csv import read_dataset, with_landmark_box
from kpcli.model_bundle import ModelBundle
from kpcli.options import AugmentOptions
from kpcli.runtimes.keras_runtime import load_model
from kpcli.training.faces import CropFormat, FaceStore
from kpcli.training.landmarks.batches import TrainingBatches

Floats = NDArray[np.float64]
DAMPING = 1e-3
STEPS = 30


def fitted(features: Floats, distances: Floats, known: Floats, weights: Floats) -> Floats:
    """Weights (C + 1,) of one point: least sum of 2 u + d exp(-u), u = features @ w + c."""
    columns = np.hstack([features, np.ones((len(features), 1))])

    def loss(w: Floats) -> float:
        u = columns @ w
        return float((known * (2 * u + distances * np.exp(-u))).sum() / known.sum())

    damping = DAMPING * np.diag(columns.var(axis=0) + 1e-6) * known.sum()
    information = 2 * columns.T @ (columns * known[:, None]) + damping
    best = loss(weights)
    for _ in range(STEPS):
        slope = columns.T @ (known * (distances * np.exp(-columns @ weights) - 2))
        step = np.linalg.solve(information, slope)
        while loss(weights + step) > best and np.abs(step).max() > 1e-6:
            step /= 2
        if np.abs(step).max() <= 1e-6:
            break
        weights = weights + step
        best = loss(weights)
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("bundle")
    parser.add_argument("out", type=Path)
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--looks", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    bundle = ModelBundle.open(options.bundle)
    card, network = bundle.card, load_model(bundle.weights)
    crop = CropFormat(card.input_size, card.crop_scale, card.colour)
    samples = [with_landmark_box(s) for s in read_dataset(options.csv, split="train")]
    batches = TrainingBatches(
        FaceStore(samples, crop, 4096), card.landmark_scheme,
        AugmentOptions(strength=options.strength), 64, options.seed,
        box_from_points=card.face_box == "landmarks",
    )  # fmt: skip
    refine = network.get_layer("refine")
    seen = keras.Model(network.input, [refine.input, network.output["points"]])
    rows: list[tuple[Floats, Floats, Floats]] = []
    for epoch in range(options.looks):
        batches.start_epoch(epoch)
        for i in range(len(batches)):
            crops, wanted = batches[i]
            features, points = (np.asarray(v, np.float64) for v in seen(crops, training=False))
            away = np.linalg.norm(points - wanted["points"], axis=-1)
            rows.append((features, away, wanted["mask"].astype(np.float64)))
        print(f"look {epoch + 1} of {options.looks}", flush=True)
    features, away, known = (np.concatenate(part) for part in zip(*rows, strict=True))

    kernel, bias = (np.array(w) for w in refine.get_weights())
    for n in range(kernel.shape[1]):  # log_scale is 4 times the third output, less 4
        before = np.append(4 * kernel[0, n, 2], 4 * bias[0, n, 2] - 4).astype(np.float64)
        after = fitted(features[:, n], away[:, n], known[:, n], before)
        kernel[0, n, 2], bias[0, n, 2] = after[:-1] / 4, (after[-1] + 4) / 4
    refine.set_weights([kernel, bias])
    told = {"looks": options.looks, "strength": options.strength, "seed": options.seed}
    card = replace(card, training={**card.training, "uncertainty_refitted": told})
    row = measurement(card, network, options.csv)()
    write_measured(network, card, row, options.out)
    print(f"{options.out}: val NME {row['val_nme']:.4f} %")


if __name__ == "__main__":
    main()
