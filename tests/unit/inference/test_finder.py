"""Which of the faces that a detector and a model see in a picture are given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.fakes import FakePredictor

from kpcli.inference.finder import FaceFinder
from kpcli.options import FaceOptions
from kpcli.types import FaceBox, Frame

LARGE, WITHIN, BESIDE = (FaceBox(10, 10, 50, 50), FaceBox(15, 15, 36, 36), FaceBox(40, 40, 80, 80))


class Boxes:
    """Sees the same boxes in every picture."""

    def __init__(self, boxes: Sequence[FaceBox]) -> None:
        self.boxes = list(boxes)

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        return [self.boxes for _ in frames]


def given(boxes: Sequence[FaceBox], bright: FaceBox, detector: str = "builtin") -> list[FaceBox]:
    """The boxes of what is given of a picture that is light in one box: there it is surest."""
    pixels = np.full((100, 100, 3), 20, np.uint8)
    rows, columns = (slice(round(a), round(b)) for a, b in
                     ((bright.top, bright.bottom), (bright.left, bright.right)))  # fmt: skip
    pixels[rows, columns] = 250
    options = FaceOptions(detector=detector)
    finder = FaceFinder(options, detector=Boxes(boxes), predictor=FakePredictor())
    ((_, faces),) = finder.find([Frame(Path("a.png"), 1, 0.0, pixels)])
    return [face.box for face in faces]


@pytest.mark.parametrize("boxes", [[LARGE, WITHIN], [WITHIN, LARGE]])
def test_of_a_face_within_another_the_surer_is_given(boxes: list[FaceBox]) -> None:
    assert given(boxes, bright=WITHIN) == [WITHIN]


def test_faces_that_overlap_a_little_are_both_given_in_the_detectors_order() -> None:
    assert given([BESIDE, LARGE], bright=LARGE) == [BESIDE, LARGE]
    assert given([], bright=LARGE) == []


def test_boxes_from_a_file_are_all_given() -> None:
    assert given([LARGE, WITHIN], WITHIN, detector="boxes_file:b.csv") == [LARGE, WITHIN]
