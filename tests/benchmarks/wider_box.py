"""Print kpcli.boxes.LANDMARK_IN_WIDER: where our detector's landmark box lies in its WIDER box.

Usage: python tests/benchmarks/wider_box.py ../shared/data/300w/helen/trainset [BUNDLE]
"""

import sys
from pathlib import Path

import numpy as np
from detector_data import landmarked

from kpcli.boxes import pairwise_iou
from kpcli.detectors.builtin import BUNDLE, open_detector


def main(folder: Path, bundle: str) -> None:
    detector = open_detector(bundle)
    rows = []
    for picture in landmarked(folder):
        boxes, _ = detector.arrays([picture.pixels], "box")[0]
        tight, _ = detector.arrays([picture.pixels], "landmark_box")[0]
        hit = pairwise_iou(tight, picture.boxes)[:, 0] > 0.6
        size = np.tile(boxes[hit, 2:] - boxes[hit, :2], 2)
        rows.append((tight[hit] - np.tile(boxes[hit, :2], 2)) / size)
    fractions = np.concatenate(rows)
    print(len(fractions), "faces; left, top, right, bottom as fractions of the WIDER box")
    print("median:", np.round(np.median(fractions, axis=0), 3).tolist())
    print("quartiles:", np.round(np.percentile(fractions, (25, 75), axis=0), 3).tolist())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else BUNDLE)
