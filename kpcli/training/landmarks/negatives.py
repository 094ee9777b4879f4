"""Square patches that show no face, to teach the confidence what is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import cv2
import numpy as np

from kpcli.errors import InputError
from kpcli.geometry import CropTransform
from kpcli.images import read_image
from kpcli.progress import progress
from kpcli.types import FaceBox, Pixels, Sample

PATCH = 144
"""Side of a patch in pixels."""
AROUND = 1.75
"""Side of a look-alike's patch over that of its box: crops are cut from the inner half on."""

Find = Callable[[Pixels], Sequence[FaceBox]]


def negative_patches(
    samples: Sequence[Sample], count: int, seed: int, find: Find | None = None
) -> tuple[list[Pixels], list[Pixels]]:
    """Patches (PATCH, PATCH, 3) from pictures whose faces are all boxed.

    Up to ``count`` of them lie anywhere; with ``find``, a face detector, as many more, the second
    list, show what it takes for a face. A patch of the first kind touches no face that is larger
    than an eighth of its side, and overlaps smaller ones only where they stay background; so does
    the box of a look-alike, whose patch is the box's surroundings.
    """
    rng = np.random.default_rng(seed)
    pictures = [
        (path, [s.face for s in rows if s.face is not None])
        for path, rows in groupby(sorted(samples, key=lambda s: s.image), key=lambda s: s.image)
    ]
    rng.shuffle(pictures)
    anywhere: list[Pixels] = []
    alike: list[Pixels] = []
    for path, faces in progress(pictures, "loading backgrounds", unit="picture"):
        if len(anywhere) >= count and (find is None or len(alike) >= count):
            break
        try:
            pixels = read_image(path)
        except InputError:
            continue  # one background less; the labelled faces are what must be there
        if len(anywhere) < count:
            anywhere.extend(_anywhere(rng, pixels, faces))
        if find is not None:
            alike.extend(_look_alike(pixels, box) for box in find(pixels) if _clear(box, faces))
    return anywhere[:count], alike[:count]


def _clear(box: FaceBox, faces: Sequence[FaceBox]) -> bool:
    return not any(box.iou(face) > 0 and face.side > box.side / 8 for face in faces)


def _anywhere(rng: np.random.Generator, pixels: Pixels, faces: Sequence[FaceBox]) -> list[Pixels]:
    height, width = pixels.shape[:2]
    found: list[Pixels] = []
    for _ in range(6):
        side = int(min(height, width) * rng.uniform(0.15, 0.8))
        if side < 24:
            continue
        left = int(rng.integers(0, width - side + 1))
        top = int(rng.integers(0, height - side + 1))
        if not _clear(FaceBox(left, top, left + side, top + side), faces):
            continue
        part = pixels[top : top + side, left : left + side]
        found.append(np.asarray(cv2.resize(part, (PATCH, PATCH), interpolation=cv2.INTER_AREA)))
    return found


def _look_alike(pixels: Pixels, box: FaceBox) -> Pixels:
    return CropTransform.from_box(box, PATCH, AROUND).to_crop(pixels)
