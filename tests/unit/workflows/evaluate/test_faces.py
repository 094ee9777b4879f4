"""Which detected box belongs to which label, and which faces the sheet shows."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from kpcli.types import FaceBox, Sample
from kpcli.workflows.evaluate.faces import match
from kpcli.workflows.evaluate.groups import size_name
from kpcli.workflows.evaluate.plots import MOST_MISSED, WORST, worst_faces


def face(left: float, top: float, side: float) -> Sample:
    """A label whose points span this square; the CSV's box lies elsewhere."""
    points = np.random.default_rng(1).uniform(left + 1, left + side - 1, (68, 2)) * [1, 0]
    points += [0, top + side / 2]
    points[0], points[1] = (left, top), (left + side, top + side)
    return Sample(
        image=Path("x.png"), face=FaceBox(500, 500, 600, 600), points=points.astype(np.float32),
        visible=np.ones(68, bool), scheme="ibug68", dataset="", split="test", group="",
    )  # fmt: skip


def test_a_box_over_the_landmarks_is_the_faces() -> None:
    near = FaceBox(5, 5, 105, 105)
    assert match([face(0, 0, 100)], [FaceBox(300, 0, 400, 100), near]) == [near]


def test_overlap_must_be_above_the_limit() -> None:
    # Width w of 100 in common: w / (200 - w) is 0.4 at w = 57.14.
    assert match([face(0, 0, 100)], [FaceBox(43.0, 0, 143.0, 100)]) == [None]
    enough = FaceBox(42.5, 0, 142.5, 100)
    assert match([face(0, 0, 100)], [enough]) == [enough]


def test_the_better_of_two_boxes_is_taken() -> None:
    better, worse = FaceBox(2, 0, 102, 100), FaceBox(20, 0, 120, 100)
    assert match([face(0, 0, 100)], [worse, better]) == [better]


def test_one_box_serves_one_face() -> None:
    between = FaceBox(10, 0, 110, 100)
    faces = [face(25, 0, 100), face(8, 0, 100)]
    assert match(faces, [between]) == [None, between]


def test_no_box_no_match() -> None:
    assert match([face(0, 0, 100)], []) == [None]


def test_sizes_are_of_the_landmark_box() -> None:
    assert [size_name(face(0, 0, side)) for side in (31, 32, 95, 100, 1000)] == [
        "0-32 px", "32-64 px", "64-96 px", "96-128 px", "from 256 px",
    ]  # fmt: skip


def test_the_sheet_shows_the_worst_first_and_a_few_missed_ones_last() -> None:
    errors = np.arange(40.0)
    assert worst_faces(errors) == list(range(39, 39 - WORST, -1))
    errors[:20] = math.inf
    shown = worst_faces(errors)
    assert len(shown) == WORST
    assert shown[: WORST - MOST_MISSED] == list(range(39, 39 - (WORST - MOST_MISSED), -1))
    assert shown[WORST - MOST_MISSED :] == list(range(MOST_MISSED))


def test_a_sheet_of_few_faces_shows_all_that_have_an_error() -> None:
    assert worst_faces(np.array([1.0, math.inf, math.nan, 3.0])) == [3, 0, 1]
    assert worst_faces(np.full(30, math.inf)) == list(range(WORST))
