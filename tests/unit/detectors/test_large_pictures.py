"""The real detector on pictures in which faces are small only because the picture is large."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from kpcli.detectors import create_detector
from kpcli.images import read_image
from kpcli.letterbox import tiles
from kpcli.types import Frame, Pixels

SAMPLES = Path(__file__).parents[3] / "sample_images" / "portraits"


@pytest.mark.parametrize("shape", [(900, 12000), (5500, 7300), (100, 100), (2133, 2134), (1, 9000)])
def test_tiles_cover_the_picture_and_share_enough(shape: tuple[int, int]) -> None:
    side, overlap = 2133, 427
    seen = np.zeros(shape, np.uint8)
    parts = tiles(seen, side, overlap)
    for left, top, part in parts:
        assert max(part.shape) <= side
        assert part.base is not None or part is seen, "a view"
        seen[top : top + part.shape[0], left : left + part.shape[1]] = 1
    assert seen.all()
    for axis in (0, 1):
        starts = sorted({p[axis] for p in parts})
        assert all(b - a <= side - overlap for a, b in pairwise(starts))


def _canvas(height: int, width: int, side: int, places: list[tuple[int, int]]) -> Pixels:
    wall = np.full((height, width, 3), (130, 120, 110), np.uint8)
    half = round(1.1 * side)
    for path, (x, y) in zip(sorted(SAMPLES.iterdir()) * 3, places, strict=False):
        pixels = read_image(path)
        face = create_detector("builtin").detect([Frame.still(path, pixels)])[0][0]
        scale = face.side / side
        size = (round(2 * half * scale), round(2 * half * scale))
        cut = cv2.getRectSubPix(pixels, size, face.centre)
        small = cv2.resize(cut, (2 * half, 2 * half), interpolation=cv2.INTER_AREA)
        wall[y - half : y + half, x - half : x + half] = small
    return wall


@pytest.mark.parametrize(
    ("height", "width", "side", "places"),
    [
        # A panorama, a long scroll, 40 megapixels; two faces lie where tiles meet.
        (600, 9000, 100, [(300, 250), (1900, 250), (4500, 250), (8600, 250)]),
        (7000, 500, 100, [(250, 400), (250, 1900), (250, 3500), (250, 6500)]),
        (5500, 7300, 110, [(400, 400), (1800, 1800), (3650, 2750), (6800, 5000)]),
    ],
)
def test_faces_of_a_hundred_pixels_are_found_once(
    height: int, width: int, side: int, places: list[tuple[int, int]]
) -> None:
    wall = _canvas(height, width, side, places)
    (boxes,) = create_detector("builtin").detect([Frame.still(Path("a"), wall)])
    sure = [box for box in boxes if box.score > 0.5]
    assert len(sure) == len(places)
    for x, y in places:
        (near,) = (b for b in sure if np.hypot(b.centre[0] - x, b.centre[1] - y) < side / 4)
        assert near.side == pytest.approx(side, rel=0.25)


def test_a_large_face_in_a_large_picture_is_found_once() -> None:
    wall = _canvas(4500, 6000, 1500, [(3000, 2200)])
    (boxes,) = create_detector("builtin").detect([Frame.still(Path("a"), wall)])
    assert sum(box.score > 0.5 for box in boxes) == 1
