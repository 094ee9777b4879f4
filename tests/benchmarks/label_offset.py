"""Whether the labels of a dataset's splits lie alike: mean signed distance to a model's points.

Usage: python tests/benchmarks/label_offset.py CSV [--model large] [--boxes builtin]

Prints, a split, the mean of prediction minus label in x and y over all points, in pixels and in
percent of the distance between the eyes. A model that never saw the dataset is a ruler: it has
its own habits, but the same ones in every split. Where the splits differ, the labels do, and no
training on one of them can meet the other.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from kpcli.dataset_csv import read_dataset
from kpcli.detectors import create_detector
from kpcli.inference.predictor import Predictor
from kpcli.model_bundle import ModelBundle
from kpcli.schemes import five_points, get_scheme
from kpcli.workflows.evaluate.faces import ScoredFace, predict_faces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--model", default="large")
    parser.add_argument("--boxes", default="builtin")
    options = parser.parse_args()
    predictor = Predictor(ModelBundle.open(options.model))
    detector = create_detector(options.boxes)
    samples = read_dataset(options.csv)
    scheme = get_scheme(samples[0].scheme)
    titles = ("split", "faces", "x px", "y px", "standard error px", "x %", "y %")
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
    for split in sorted({s.split for s in samples}):
        chosen = [s for s in samples if s.split == split]
        away, sizes = [], []
        for face in predict_faces(chosen, predictor, detector):
            if isinstance(face, ScoredFace) and face.box is not None:
                away.append(np.nanmean(face.points - face.sample.points, axis=0))
                five = five_points(face.sample.points, scheme)
                sizes.append(np.linalg.norm(five[0] - five[1]))
        mean, spread = np.mean(away, axis=0), np.std(away, axis=0) / np.sqrt(len(away))
        percent = 100 * np.mean(np.array(away) / np.array(sizes)[:, None], axis=0)
        print(
            f"| {split} | {len(away)} | {mean[0]:+.2f} | {mean[1]:+.2f} | {spread.max():.2f} "
            f"| {percent[0]:+.1f} | {percent[1]:+.1f} |"
        )


if __name__ == "__main__":
    main()
