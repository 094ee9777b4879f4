"""Square patches that show no face, to teach the confidence what is none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from kpcli.errors import InputError
from kpcli.images import read_image
from kpcli.types import FaceBox, Pixels, Sample

PATCH = 144
"""Side of a patch in pixels."""


def negative_patches(samples: Sequence[Sample], count: int, seed: int) -> list[Pixels]:
    """Up to ``count`` patches (PATCH, PATCH, 3) from pictures whose faces are all boxed.

    A patch touches no face that is larger than an eighth of its side, and overlaps smaller ones
    only where they stay background.
    """
    rng = np.random.default_rng(seed)
    pictures = [
        (path, [s.face for s in rows if s.face is not None])
        for path, rows in groupby(sorted(samples, key=lambda s: s.image), key=lambda s: s.image)
    ]
    rng.shuffle(pictures)
    patches: list[Pixels] = []
    for path, faces in pictures:
        if len(patches) >= count:
            break
        patches.extend(_patches(rng, path, faces))
    return patches[:count]


def _patches(rng: np.random.Generator, path: Path, faces: Sequence[FaceBox]) -> list[Pixels]:
    try:
        pixels = read_image(path)
    except InputError:
        return []  # one background picture less; the labelled faces are what must be there
    height, width = pixels.shape[:2]
    found: list[Pixels] = []
    for _ in range(6):
        side = int(min(height, width) * rng.uniform(0.15, 0.8))
        if side < 24:
            continue
        left = int(rng.integers(0, width - side + 1))
        top = int(rng.integers(0, height - side + 1))
        patch = FaceBox(left, top, left + side, top + side)
        if any(patch.iou(face) > 0 and face.side > side / 8 for face in faces):
            continue
        part = pixels[top : top + side, left : left + side]
        found.append(np.asarray(cv2.resize(part, (PATCH, PATCH), interpolation=cv2.INTER_AREA)))
    return found
