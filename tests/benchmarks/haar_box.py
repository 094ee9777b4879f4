"""Print kpcli.detectors.haar.DOWN and SIDE: how the landmark box lies in the cascade's square.

Usage: python tests/benchmarks/haar_box.py ../shared/data/300w/helen/trainset \
           ../shared/data/300w/lfpw/trainset
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from kpcli.detectors.haar import FRONTAL, create
from kpcli.geometry import tight_box
from kpcli.images import read_image
from kpcli.types import Frame


def read_pts(path: Path) -> np.ndarray:
    """Points (N, 2), 0-based."""
    lines = path.read_text().split("{")[1].split("}")[0].split("\n")
    return np.array([[float(v) for v in line.split()] for line in lines if line.strip()]) - 1


plain = create(str(Path(cv2.data.haarcascades) / FRONTAL))
calibrated = create(None)
rows, missed, ious = [], 0, []
for file in (f for folder in sys.argv[1:] for f in sorted(Path(folder).glob("*.pts"))):
    image = next(file.with_suffix(e) for e in (".jpg", ".png") if file.with_suffix(e).exists())
    pixels = read_image(image)
    truth = tight_box(read_pts(file))
    found = [b for b in plain.detect([Frame.still(image, pixels)])[0] if b.iou(truth) > 0.3]
    if not found:
        missed += 1
        continue
    box = max(found, key=truth.iou)
    (x, y), (tx, ty) = box.centre, truth.centre
    rows.append(((tx - x) / box.side, (ty - y) / box.side, truth.side / box.side))
    mine = max(calibrated.detect([Frame.still(image, pixels)])[0], key=truth.iou)
    error = np.hypot(*(np.subtract(mine.centre, truth.centre))) / truth.side
    ious.append((error, abs(np.log(mine.side / truth.side)), mine.side / truth.side))
rows = np.array(rows)
print(f"{len(rows)} faces found, {missed} missed")
print("median right, DOWN, SIDE:", np.round(np.median(rows, axis=0), 4).tolist())
print("spread (std):", np.round(rows.std(axis=0), 4).tolist())
print(
    "calibrated now: centre error, |log side|, side ratio (medians):",
    np.round(np.median(np.array(ious), axis=0), 4).tolist(),
)
