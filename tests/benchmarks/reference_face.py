"""Print kpcli.geometry.REFERENCE_FIVE: the mean five points in the landmark box.

Usage: python tests/benchmarks/reference_face.py faces.csv   (ibug68 rows; split train is used)
"""

import sys
from pathlib import Path

import numpy as np

from kpcli.dataset_csv import read_dataset
from kpcli.geometry import box_to_unit, tight_box
from kpcli.schemes import IBUG68, five_points

fives = []
for sample in read_dataset(Path(sys.argv[1]), split="train"):
    five = five_points(sample.points, IBUG68)
    assert five is not None
    dx, dy = five[1] - five[0]
    if abs(np.degrees(np.arctan2(dy, dx))) < 8:
        fives.append(box_to_unit(five, tight_box(sample.points)) / 2)
mean = np.mean(fives, axis=0)
mirrored = mean[[1, 0, 2, 4, 3]] * [-1, 1]
print(len(fives), "upright faces", np.round((mean + mirrored) / 2, 4).tolist())
