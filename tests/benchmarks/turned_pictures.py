"""How often a picture is taken to lie on its side or stand on its head, and how often it does.

Usage: python tests/benchmarks/turned_pictures.py FACES.csv [--odds 1 3 ...]

The val faces of FACES.csv and every sixth of its train faces, as they are and turned by quarters:
the share for which the face detector takes another side's face, for each of
`kpcli.detectors.builtin.TURNED_ODDS`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from kpcli.dataset_csv import read_dataset
from kpcli.detectors import builtin
from kpcli.images import read_image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--odds", type=float, nargs="+", default=[1.0, builtin.TURNED_ODDS])
    options = parser.parse_args()
    detector = builtin.open_detector(builtin.BUNDLE, threads=1)
    train = read_dataset(options.csv, split="train")[::6]
    samples = [*read_dataset(options.csv, split="val"), *train]
    best: list[list[tuple[float, float]]] = [[], [], [], []]  # as it lies, and turned
    for sample in samples:
        pixels = read_image(sample.image)
        for quarters, rows in enumerate(best):
            picture = np.ascontiguousarray(np.rot90(pixels, quarters))
            (found,) = detector._where_needed([picture])
            upright = max(found.given(builtin.LEAST_SCORE)[1], default=0.0)
            turned = 0.0
            if upright < builtin.UPRIGHT:
                turned = max(detector._turned(picture)[1], default=0.0)
            rows.append((upright, turned))
    print(f"{len(samples)} faces\n\n| odds | as they are | 90 | 180 | 270 |\n|---|---|---|---|---|")
    for odds in options.odds:
        builtin.TURNED_ODDS = odds
        shares = [sum(builtin._surer(t, u) for u, t in rows) / len(rows) for rows in best]
        print(f"| {odds:g} | " + " | ".join(f"{100 * share:.2f} %" for share in shares) + " |")


if __name__ == "__main__":
    main()
