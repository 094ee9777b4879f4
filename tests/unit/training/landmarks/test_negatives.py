"""Backgrounds that teach the confidence what is no face."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from kpcli.dataset_csv import BOXES
from kpcli.training.landmarks.negatives import PATCH, negative_patches
from kpcli.types import FaceBox, Sample

FACE = FaceBox(200, 100, 280, 180)
BALL = FaceBox(40, 60, 100, 120)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Two blue pictures with a red face and a green ball each."""
    made = []
    for name in ("a.png", "b.png"):
        pixels = np.full((240, 320, 3), (200, 0, 0), np.uint8)
        cv2.rectangle(pixels, (200, 100), (280, 180), (0, 0, 255), -1)
        cv2.circle(pixels, (70, 90), 30, (0, 255, 0), -1)
        cv2.imwrite(str(tmp_path / name), pixels)
        sample = Sample(
            image=tmp_path / name, face=FACE, points=np.zeros((0, 2), np.float32),
            visible=np.zeros(0, bool), scheme=BOXES, dataset="d", split="train", group=name,
        )  # fmt: skip
        made.append(sample)
    return made


def test_patches_anywhere_show_no_part_of_a_face(samples) -> None:
    patches, alike = negative_patches(samples, 100, 0)
    assert patches
    assert not alike
    for patch in patches:
        assert patch.shape == (PATCH, PATCH, 3)
        assert patch[..., 0].max() == 0  # no red


def test_what_a_detector_takes_for_a_face_lies_amid_its_patch(samples) -> None:
    _, alike = negative_patches(samples, 100, 0, lambda pixels: [BALL, FACE])
    assert len(alike) == 2  # the ball of either picture, never the face
    for patch in alike:
        green = patch[..., 1] > 128
        rows, columns = np.nonzero(green)
        assert abs(rows.mean() - (PATCH - 1) / 2) < 2
        assert abs(columns.mean() - (PATCH - 1) / 2) < 2
        assert 0.2 < green.mean() < 0.35  # a circle of side 1 in a square of 1.75: 0.256


def test_no_more_than_asked_for(samples) -> None:
    anywhere, alike = negative_patches(samples, 1, 0, lambda pixels: [BALL] * 3)
    assert len(anywhere) == len(alike) == 1


def test_a_picture_that_cannot_be_read_is_left_out(samples) -> None:
    samples[0].image.write_bytes(b"nothing")
    _, alike = negative_patches(samples, 100, 0, lambda pixels: [BALL])
    assert len(alike) == 1
