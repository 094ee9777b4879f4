"""Average precision at IoU 0.5 on widerface val; invalid and smaller faces are not counted.

A face's size is the root of its box's area, in pixels of the picture as it is.

Usage: python tests/benchmarks/detector_ap.py ../shared/data [BUNDLE] [SPLIT]
"""

import sys
from pathlib import Path

import numpy as np
from detector_data import report, wider

from kpcli.boxes import areas, average_precision, grade
from kpcli.detectors.builtin import BUNDLE, open_detector

SIZES = (10, 16, 24, 48)


def main(shared: Path, bundle: str, split: str) -> list[dict[str, object]]:
    detector = open_detector(bundle, least_score=0.02)
    pictures = wider(shared / "widerface", split)
    found = [detector.arrays([p.pixels], "box")[0] for p in pictures]
    rows = []
    for measure in ("root of area", "height"):
        for least in SIZES:
            graded, faces = [], 0
            for picture, (boxes, scores) in zip(pictures, found, strict=True):
                counted = (size(picture.boxes, measure) >= least) & ~picture.invalid
                # A box much smaller than any counted face can be none of them.
                large = size(boxes, measure) >= 0.6 * least
                faces += int(counted.sum())
                graded.append(
                    grade(
                        boxes[large], scores[large], picture.boxes[counted],
                        picture.boxes[~counted],
                    )
                )  # fmt: skip
            ap = average_precision(graded)
            rows.append({"size": measure, "least_px": least, "faces": faces, "ap_50": round(ap, 4)})
    report(rows)
    return rows


def size(boxes: np.ndarray, measure: str) -> np.ndarray:
    return boxes[:, 3] - boxes[:, 1] if measure == "height" else np.sqrt(areas(boxes))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else BUNDLE,
        sys.argv[3] if len(sys.argv) > 3 else "val",
    )  # fmt: skip
