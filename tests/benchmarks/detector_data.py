"""What the detector benchmarks share: labelled pictures, false boxes, JSON and table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpcli.boxes import pairwise_iou
from kpcli.formats import ibug, widerface
from kpcli.geometry import tight_box
from kpcli.images import read_image
from kpcli.types import FaceBox, Pixels, Sample

HIT = 0.4
"""A box shows a face if its IoU with the face's box is above."""
FOREHEAD = 0.15
"""The box of the points is grown at the top by so much of its height."""


@dataclass(frozen=True)
class Labelled:
    """A picture with its labelled boxes (F, 4), and which of them are marked invalid (F,)."""

    path: Path
    pixels: Pixels
    boxes: np.ndarray
    invalid: np.ndarray


def corners(boxes: Iterable[FaceBox]) -> np.ndarray:
    rows = [(b.left, b.top, b.right, b.bottom) for b in boxes]
    return np.array(rows, np.float64).reshape(-1, 4)


def grown(boxes: np.ndarray) -> np.ndarray:
    """Landmark boxes (N, 4) with some forehead."""
    boxes = boxes.copy()
    boxes[:, 1] -= FOREHEAD * (boxes[:, 3] - boxes[:, 1])
    return boxes


def wider(root: Path, split: str) -> list[Labelled]:
    """WIDER FACE's pictures of a split with all their boxes."""
    by_picture: dict[Path, list[Sample]] = {}
    for sample in widerface.read(root):
        if isinstance(sample, Sample) and sample.split == split:
            by_picture.setdefault(sample.image, []).append(sample)
    return [
        Labelled(
            path, read_image(path), corners(s.face for s in rows if s.face is not None),
            np.array([s.attributes.get("invalid") == "1" for s in rows if s.face is not None]),
        )
        for path, rows in sorted(by_picture.items())
    ]  # fmt: skip


def landmarked(folder: Path) -> list[Labelled]:
    """Pictures with .pts beside them; the boxes are tight around the points."""
    samples = [s for s in ibug.read(folder) if isinstance(s, Sample)]
    return [
        Labelled(s.image, read_image(s.image), corners([tight_box(s.points)]), np.array([False]))
        for s in samples
    ]


def false_scores(found: Sequence[Sequence[FaceBox]], pictures: Sequence[Labelled]) -> np.ndarray:
    """Scores of the boxes that show no labelled face, whatever its size, best first."""
    scores: list[float] = []
    for faces, picture in zip(found, pictures, strict=True):
        if faces:
            overlap = pairwise_iou(grown(corners(faces)), picture.boxes)
            wrong = overlap.max(axis=1, initial=0) <= HIT
            scores += [f.score for f, bad in zip(faces, wrong, strict=True) if bad]
    return np.sort(scores)[::-1]


def report(rows: Sequence[dict[str, object]]) -> None:
    """The rows as JSON and as a table."""
    print(json.dumps(rows, indent=1))
    names = list(rows[0])
    print("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in names) + " |")
