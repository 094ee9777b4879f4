"""What a cover leaves: too little to get a face back, and nothing of its box bare."""

from __future__ import annotations

import numpy as np
import pytest

from kpcli.options import COVERS
from kpcli.types import FaceBox
from kpcli.workflows.anonymise.covers import CELLS, cover, covered_mask, head_box

FACE = FaceBox(40, 40, 79, 89)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (160, 120, 3), dtype=np.uint8)


@pytest.mark.parametrize("how", COVERS)
def test_nothing_outside_changes_and_nothing_of_the_face_stays(how: str) -> None:
    before, pixels = noise(), noise()
    head = head_box(FACE, 0.0)
    cover(pixels, head, how)  # type: ignore[arg-type]
    changed = (pixels != before).any(axis=2)
    assert changed[40:90, 40:80].mean() > 0.95
    outside = np.ones(changed.shape, bool)
    reach = 1.25 if how == "oval" else 1.0
    (x, y), w, h = head.centre, reach * head.width / 2 + 2, reach * head.height / 2 + 2
    outside[int(y - h) : int(y + h) + 1, int(x - w) : int(x + w) + 1] = False
    assert not changed[outside].any()


def test_pixelate_leaves_few_colours_and_blur_no_more() -> None:
    """Whatever was there is a function of `CELLS` x `CELLS` colours."""
    pixels = noise()
    part = pixels[40:100, 20:80]
    cover(pixels, FaceBox(20, 40, 79, 99), "pixelate")
    assert len(np.unique(part.reshape(-1, 3), axis=0)) <= (CELLS + 1) ** 2
    twin = noise()  # other pixels, the same cells
    twin[40:100, 20:80] = part
    blurred = noise()
    for picture in (twin, blurred):
        cover(picture, FaceBox(20, 40, 79, 99), "blur")
    differing = np.abs(twin.astype(int) - blurred.astype(int))[40:100, 20:80]
    assert differing.max() <= 4  # of rounding


@pytest.mark.parametrize("period", [4, 8, 12])
def test_blur_removes_what_is_finer_than_the_cells(period: int) -> None:
    stripes = np.zeros((120, 120, 3), np.uint8)
    stripes[:, np.arange(120) // (period // 2) % 2 == 0] = 255
    cover(stripes, FaceBox(0, 0, 119, 119), "blur")
    assert stripes[20:100, 20:100].std() < 30


@pytest.mark.parametrize("how", COVERS)
def test_the_mask_is_what_is_covered(how: str) -> None:
    head = head_box(FACE, 0.5)
    mask = covered_mask((160, 120), [head], how)  # type: ignore[arg-type]
    assert mask[40:90, 40:80].all()
    assert not mask[:5].any()


def test_a_head_is_more_than_a_face_and_doubt_makes_it_larger() -> None:
    head, doubted = head_box(FACE, 0.0), head_box(FACE, 1.0)
    assert head.top <= FACE.top - 0.25 * FACE.height  # hair
    assert head.left <= FACE.left - 0.2 * FACE.width  # an ear
    assert head.bottom > FACE.bottom
    assert doubted.width > 1.2 * head.width
    assert doubted.height > 1.2 * head.height
    assert head_box(FACE, 0.0, grow=0.0).corners == FACE.corners


@pytest.mark.parametrize("how", COVERS)
@pytest.mark.parametrize("box", [(-50, -50, -10, -10), (100, 10, 400, 500), (3, 3, 3.4, 3.4)])
def test_boxes_beyond_the_picture_and_tiny_ones(how: str, box: tuple[float, ...]) -> None:
    pixels = noise()
    cover(pixels, FaceBox(*box), how)  # type: ignore[arg-type]
    assert pixels.shape == (160, 120, 3)
