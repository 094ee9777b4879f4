"""A contact sheet of random rows, to see that labels sit where they should."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kpcli.dataset_csv import BOXES, with_landmark_box
from kpcli.drawing import EDGE, POINT, contact_sheet, draw_landmarks, face_tile
from kpcli.files import atomic_path
from kpcli.images import read_image, write_image
from kpcli.schemes import LandmarkScheme, get_scheme
from kpcli.types import FaceBox, Pixels, Sample

PREVIEW_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
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
    """The face, large, with its points, and with its box if that comes from the dataset."""
    pixels = read_image(sample.image)
    if sample.box_source == "file":
        _draw_box(pixels, sample.face, 1.0)
    around = with_landmark_box(sample).face
    assert around is not None
    layers = [(sample.points, EDGE, POINT)]
    label = f"{sample.dataset} {sample.split}"
    return face_tile(pixels, around, layers, get_scheme(sample.scheme), size=TILE, label=label)


def _boxes_tile(image: Path, samples: Sequence[Sample]) -> Pixels:
    """The whole picture, shrunk into the tile, with its boxes."""
    pixels = read_image(image)
    scale = TILE / max(pixels.shape[:2])
    width, height = (max(1, round(n * scale)) for n in (pixels.shape[1], pixels.shape[0]))
    tile = np.full((TILE, TILE, 3), 40, np.uint8)
    tile[:height, :width] = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    for sample in samples:
        _draw_box(tile, sample.face, scale)
    return tile


def _draw_box(pixels: Pixels, box: FaceBox | None, scale: float) -> None:
    if box is not None and box.area > 0:
        corners = (scale * v for v in (box.left, box.top, box.right, box.bottom))
        no_points = np.zeros((0, 2), np.float32)
        draw_landmarks(pixels, no_points, LandmarkScheme("none", ()), box=FaceBox(*corners))
