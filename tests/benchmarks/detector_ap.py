"""Average precision at IoU 0.5 on WIDER FACE, by the official way of counting.

A detection goes to the face it overlaps most. From IoU 0.5 on it is right if the face is counted
and still free, wrong if the face is taken, and left out if the face is not counted: one marked
invalid, or smaller than asked. Everything else is wrong. Scores are pooled over all pictures, none
is left out. A face's size is its box's height in pixels of the original, which is `ORIGINAL`
wide; `kpcli.boxes.average_precision` is the area under the curve.

Sets: ``val``, the 372 pictures of widerface's val (at most 416 px, enlarged to the size of work);
``held_out``, the kinds of scene `HELD_OUT` of widerface_more (640 px), which no embedded detector
was trained on; or the folder of any other copy of WIDER FACE's val in the official layout.

Usage: python tests/benchmarks/detector_ap.py ../shared/data [--detector NAME ...] [--set SET ...]
       [--size PIXELS ...] [--json FILE]
NAME is ``builtin``, ``builtin:BUNDLE``, ``yunet:FILE`` or ``haar``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from detector_data import Labelled, corners, report, wider

from kpcli.boxes import LANDMARK_IN_WIDER, Graded, average_precision, pairwise_iou
from kpcli.detectors import create_detector, yunet
from kpcli.detectors.builtin import BUNDLE, open_detector
from kpcli.types import Pixels

SIZES = (10, 30, 50)
ORIGINAL = 1024
LEAST_SCORE = 0.01
SURE = 0.3
HELD_OUT = (
    "10--People_Marching", "18--Concerts", "24--Soldier_Firing", "29--Students_Schoolkids",
    "31--Waiter_Waitress", "36--Football", "41--Swimming", "52--Photographers",
)  # fmt: skip
"""Kinds of scene of widerface_more that no training sees; WIDER's own val, the division is ours."""

Found = tuple[np.ndarray, np.ndarray]


def finder(name: str, size: int) -> Callable[[Pixels], Found]:
    """A detector's boxes (D, 4) as WIDER FACE has them, and its scores (D,)."""
    if name.partition(":")[0] == "builtin":
        bundle = name.partition(":")[2] or BUNDLE
        detector = open_detector(bundle, size, LEAST_SCORE, threads=1)
        return lambda pixels: detector.arrays([pixels], "box")[0]
    yunet.LEAST_SCORE = LEAST_SCORE  # at work, it leaves out what is needed here
    other = create_detector(name, size)

    def find(pixels: Pixels) -> Found:
        (faces,) = other.detect([pixels], [(Path("x"), 1)])
        return landmark_to_wider(corners(faces)), np.array([f.score for f in faces])

    return find


def landmark_to_wider(boxes: np.ndarray) -> np.ndarray:
    """The inverse of `kpcli.boxes.wider_to_landmark`."""
    low, high = LANDMARK_IN_WIDER[:2], LANDMARK_IN_WIDER[2:]
    sides = (boxes[:, 2:] - boxes[:, :2]) / (high - low)
    first = boxes[:, :2] - low * sides
    return np.concatenate([first, first + sides], axis=1)


def grade_officially(found: Found, truth: np.ndarray, counted: np.ndarray) -> Graded:
    """Detections of one picture against its faces (F, 4), of which ``counted`` (F,) count."""
    boxes, scores = found
    order = np.argsort(-scores, kind="stable")
    overlap = pairwise_iou(boxes[order], truth)
    free = counted.copy()
    kept, correct = [], []
    for i, row in zip(order, overlap, strict=True):
        face = int(row.argmax()) if row.size else -1
        hit = face >= 0 and row[face] >= 0.5
        if hit and not counted[face]:
            continue
        kept.append(scores[i])
        correct.append(hit and bool(free[face]))
        if hit:
            free[face] = False
    return Graded(np.array(kept), np.array(correct, bool), int(counted.sum()))


def measure(
    pictures: Sequence[Labelled], find: Callable[[Pixels], Found]
) -> dict[str, float | int]:
    """AP, in per cent, and the share found with a score above `SURE`, for each of `SIZES`."""
    started = time.process_time()
    found = [find(p.pixels) for p in pictures]
    row: dict[str, float | int] = {
        "ms": round(1000 * (time.process_time() - started) / len(pictures), 1)
    }
    for least in SIZES:
        graded = []
        for picture, one in zip(pictures, found, strict=True):
            height = (picture.boxes[:, 3] - picture.boxes[:, 1]) * (
                ORIGINAL / picture.pixels.shape[1]
            )
            graded.append(
                grade_officially(one, picture.boxes, (height >= least) & ~picture.invalid)
            )
        faces = sum(g.faces for g in graded)
        sure = sum(int((g.correct & (g.scores > SURE)).sum()) for g in graded)
        row |= {
            f"ap_{least}": round(100 * average_precision(graded), 2),
            f"recall_{least}": round(sure / faces, 3), f"faces_{least}": faces,
        }  # fmt: skip
    return row


def load(shared: Path, name: str) -> list[Labelled]:
    if name == "val":
        return wider(shared / "widerface", "val")
    if name == "held_out":
        pictures = wider(shared / "widerface_more", "train")
        return [p for p in pictures if p.path.parent.name in HELD_OUT]
    return wider(Path(name), "val")


def main(
    shared: Path, detectors: Sequence[str], sets: Sequence[str], sizes: Sequence[int]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name in sets:
        pictures = load(shared, name)
        for size in sizes:
            for detector in detectors:
                values = measure(pictures, finder(detector, size))
                rows.append({"set": name, "size": size, "detector": detector, **values})
    report(rows)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--detector", action="append", default=[])
    parser.add_argument("--set", action="append", default=[], dest="sets")
    parser.add_argument("--size", action="append", type=int, default=[])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    table = main(
        given.shared, given.detector or ["builtin"], given.sets or ["val", "held_out"],
        given.size or [640],
    )  # fmt: skip
    if given.json is not None:
        given.json.write_text(json.dumps(table, indent=1) + "\n")
