"""What annotate leaves in a folder, made without a model: for the tests of what reads it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kpcli.schemes import CELEBA5
from kpcli.types import Face, FaceBox, FrameFaces, HeadPose, Measures
from kpcli.writers.landmark_csv import Extra, RowWriter, columns_of, header

SHAPE = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.75], [0.65, 0.75]], np.float32)
EXTRAS = (Extra.POSE, Extra.MEASURES)


def face(track: int = 0, confidence: float = 0.9, weak: int = 0, left: float = 10) -> Face:
    """A face of five points in a box of 40 pixels; ``weak`` of the points are doubtful."""
    box = FaceBox(left, 8, left + 40, 48, confidence)
    scores = np.full(5, 0.9, np.float32)
    scores[:weak] = 0.2
    measures = Measures(0.3, 0.3, 0.1, 0.5, 0.2, 0.2, 0, 16, 40, 100, 120, weak / 5)
    points = SHAPE * 40 + np.array([left, 8], np.float32)
    return Face(box, points, scores, confidence, track, HeadPose(5, -3, 1), measures=measures)


def frame(file: str, index: int, *faces: Face, moving: bool = False) -> FrameFaces:
    return FrameFaces(file, index, (index - 1) / 25, 64, 56, faces, moving)


def write_results(
    out: Path,
    frames: Iterable[FrameFaces],
    outcomes: Iterable[tuple[str, str, str]] = (),
    **run: object,
) -> Path:
    """landmarks.csv of five points, manifest.csv of (file, status, reason), and run.json."""
    out.mkdir(parents=True)
    with (out / "landmarks.csv").open("wb") as file:
        file.write(header(5, EXTRAS))
        rows = RowWriter(file, 5, EXTRAS)
        for one in frames:
            rows.write(one)
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["file", "status", "faces", "reason", "seconds"])
        writer.writerows([file_, status, 1, reason, "0.1"] for file_, status, reason in outcomes)
    values = {"options": {"model": "celeba5", "folder": True}, "scheme": CELEBA5.name, **run}
    (out / "run.json").write_text(json.dumps(values), encoding="utf-8")
    assert columns_of(out / "landmarks.csv")[:2] == ["file", "frame"]
    return out
