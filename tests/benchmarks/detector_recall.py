"""Recall on landmarked faces at a threshold with few false boxes, ours beside OpenCV's Haar.

The threshold is the lowest at which a detector gives at most 0.2 boxes a picture of widerface val
that show no labelled face. A face is found if a box has an IoU above 0.4 with the box of its
points, grown by 15 % of its height at the top.

Usage: python tests/benchmarks/detector_recall.py ../shared/data [BUNDLE]
"""

import sys
from pathlib import Path

import numpy as np
from detector_data import HIT, Labelled, corners, false_scores, grown, landmarked, report, wider

from kpcli.boxes import pairwise_iou
from kpcli.detectors import create_detector
from kpcli.detectors.builtin import BUNDLE, open_detector
from kpcli.plug_ins import Detector
from kpcli.types import FaceBox, Frame

FALSE_A_PICTURE = 0.2


def detect(detector: Detector, pictures: list[Labelled]) -> list[list[FaceBox]]:
    return [detector.detect([Frame.still(p.path, p.pixels)])[0] for p in pictures]


def threshold(scores: np.ndarray, pictures: int) -> float:
    allowed = int(FALSE_A_PICTURE * pictures)
    return float(scores[allowed]) if len(scores) > allowed else 0.0


def recall(found: list[list[FaceBox]], faces: list[Labelled], above: float) -> tuple[float, list]:
    missed = []
    for boxes, face in zip(found, faces, strict=True):
        sure = corners(b for b in boxes if b.score > above)
        if pairwise_iou(sure, grown(face.boxes)).max(initial=0) <= HIT:
            missed.append(face.path.name)
    return 1 - len(missed) / len(faces), missed


def jitter(found: list[list[FaceBox]], faces: list[Labelled]) -> str:
    """Error of the found boxes: bias and spread of centre (of the side) and of log side."""
    rows = []
    for boxes, face in zip(found, faces, strict=True):
        truth = FaceBox(*face.boxes[0])
        best = max(boxes, key=truth.iou, default=None)
        if best is not None and best.iou(truth) > HIT:
            away = np.subtract(best.centre, truth.centre) / truth.side
            rows.append((*away, np.log(best.side / truth.side)))
    mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
    named = zip(("x", "y", "side"), mean, spread, strict=True)
    return "; ".join(f"{name} {m:+.3f} sd {s:.3f}" for name, m, s in named)


def main(shared: Path, bundle: str) -> list[dict[str, object]]:
    detectors = {
        "builtin": open_detector(bundle, least_score=0.02),
        "haar": create_detector("haar"),
    }
    pictures, faces = wider(shared / "widerface", "val"), landmarked(shared / "300w/afw")
    rows = []
    for name, detector in detectors.items():
        scores = false_scores(detect(detector, pictures), pictures)
        above = threshold(scores, len(pictures))
        found = detect(detector, faces)
        value, missed = recall(found, faces, above)
        rows.append({
            "detector": name, "threshold": round(above, 3),
            "false_a_picture": round(float((scores > above).sum()) / len(pictures), 3),
            "false_at_half": round(float((scores > 0.5).sum()) / len(pictures), 3),
            "faces": len(faces), "recall": round(value, 4),
            "recall_at_half": round(recall(found, faces, 0.5)[0], 4),
            "box_error": jitter(found, faces),
            "missed": " ".join(missed[:8]),
        })  # fmt: skip
    report(rows)
    return rows


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else BUNDLE)
