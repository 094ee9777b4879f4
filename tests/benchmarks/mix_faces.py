"""One CSV to train on, of several: how often each face is shown, and which points are hidden.

Usage: python tests/benchmarks/mix_faces.py OUT.csv FACES.csv[@DATASET][:TIMES[:COUNT[:YAW]]] ...
       [--learn-val DATASET]

Of each table the train rows (of one dataset, if named; those turned by YAW degrees or more; COUNT
of them by lot, 0 for all) are written TIMES over; the val rows are the first table's, once. A row
with points left out has no yaw, and is no turned one. With --learn-val the val rows of that
dataset count as train rows: for a last run, when all choices are made. FaceSynthetics marks the
jaw where the bone is, not where its outline is seen: on the side that turns away by more than
`SEEN` degrees these points are left out.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from groups import yaw_of

from kpcli.dataset_csv import read_dataset, write_dataset
from kpcli.types import Sample

SEEN = 15.0


def hidden_jaw(sample: Sample) -> Sample:
    yaw = yaw_of(sample.points)
    if sample.dataset != "facesynthetics" or abs(yaw) <= SEEN:
        return sample
    points = sample.points.copy()
    points[slice(9, 17) if yaw > 0 else slice(0, 8)] = np.nan
    return replace(sample, points=points, visible=sample.visible & ~np.isnan(points).any(axis=1))


def chosen(text: str, learnt: str = "") -> tuple[list[Sample], list[Sample]]:
    """The train rows that TABLE[@DATASET][:TIMES[:COUNT[:YAW]]] means, and the table's val rows.

    The val rows of dataset `learnt` are train rows.
    """
    name, *numbers = text.split(":")
    times, count, yaw = [*map(int, numbers), *(1, 0, 0)[len(numbers) :]]
    path, _, dataset = name.partition("@")
    samples = [
        replace(s, split="train") if (s.split, s.dataset) == ("val", learnt) else s
        for s in read_dataset(Path(path))
    ]
    train = [s for s in samples if s.split == "train" and dataset in ("", s.dataset)]
    if yaw:
        whole = [s for s in train if not np.isnan(s.points).any()]
        train = [s for s in whole if abs(yaw_of(s.points)) >= yaw]
    if count:
        order = np.random.default_rng(0).permutation(len(train))[:count]
        train = [train[i] for i in order]
    train = [hidden_jaw(s) for s in train]
    print(f"{text}: {len(train)} faces, {times} times")
    return train * times, [s for s in samples if s.split == "val"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("tables", nargs="+", metavar="FACES.csv[@DATASET][:TIMES[:COUNT[:YAW]]]")
    parser.add_argument("--learn-val", default="", metavar="DATASET")
    options = parser.parse_args()
    parts = [chosen(text, options.learn_val) for text in options.tables]
    rows = [*parts[0][1], *(s for train, _ in parts for s in train)]
    folders = {str(s.image.parent.resolve()) for s in rows}
    write_dataset(rows, options.out, Path(os.path.commonpath(sorted(folders))))
    print(f"{options.out}: {len(rows)} rows")


if __name__ == "__main__":
    main()
