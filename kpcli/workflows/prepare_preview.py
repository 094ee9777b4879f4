"""A contact sheet of random rows, to see that labels sit where they should."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kpcli.atomic import atomic_path
from kpcli.dataset_csv import BOXES
from kpcli.drawing import EDGE, POINT, contact_sheet, draw_landmarks, face_tile
from kpcli.images import read_image, write_image
from kpcli.schemes import LandmarkScheme, get_scheme
from kpcli.types import Pixels, Sample

FACES = 24
TILE = 224


def write_preview(samples: Sequence[Sample], path: Path, seed: int) -> None:
    """Draw `FACES` random faces with their points, or pictures with their boxes."""
    pick = random.Random(seed)
    if samples[0].scheme == BOXES:
        pictures: dict[Path, list[Sample]] = {}
        for sample in samples:
            pictures.setdefault(sample.image, []).append(sample)
        chosen = pick.sample(sorted(pictures), min(FACES, len(pictures)))
        tiles = [_boxes_tile(image, pictures[image]) for image in chosen]
    else:
        chosen_faces = pick.sample(list(samples), min(FACES, len(samples)))
        tiles = [_face_tile(sample) for sample in chosen_faces]
    with atomic_path(path) as temporary:
        write_image(temporary, contact_sheet(tiles))


def _face_tile(sample: Sample) -> Pixels:
    assert sample.face is not None
    layers = [(sample.points, EDGE, POINT)]
    label = f"{sample.dataset} {sample.split}"
    scheme = get_scheme(sample.scheme)
    return face_tile(read_image(sample.image), sample.face, layers, scheme, size=TILE, label=label)


def _boxes_tile(image: Path, samples: Sequence[Sample]) -> Pixels:
    """The whole picture, shrunk into the tile, with its boxes."""
    pixels = read_image(image)
    nothing = LandmarkScheme("nothing", ())
    for sample in samples:
        if sample.face is not None and sample.face.area > 0:
            draw_landmarks(pixels, np.zeros((0, 2), np.float32), nothing, box=sample.face)
    scale = TILE / max(pixels.shape[:2])
    width, height = (max(1, round(n * scale)) for n in (pixels.shape[1], pixels.shape[0]))
    tile = np.full((TILE, TILE, 3), 40, np.uint8)
    tile[:height, :width] = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return tile
