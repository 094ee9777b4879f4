from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import face
from hypothesis import given
from hypothesis import strategies as st

from kpcli.dataset_csv import BOXES
from kpcli.geometry import tight_box
from kpcli.schemes import SCHEMES, scheme_for_count
from kpcli.types import FaceBox, Sample
from kpcli.workflows.prepare.validation import PictureFacts, check, face_radius

PICTURE = PictureFacts(240, 240)


def sample(points: np.ndarray, **more: object) -> Sample:
    points = np.asarray(points, np.float32)
    n = len(points)
    values = Sample(
        image=Path("a.jpg"),
        face=FaceBox(40, 40, 200, 200),
        points=points,
        visible=np.ones(n, bool),
        scheme="kaggle15" if n == 15 else scheme_for_count(n),
        dataset="d",
        split="train",
        group="d/a",
        origin="labels.txt:7",
    )
    return replace(values, **more)


def boxes_only(box: FaceBox | None, **more: object) -> Sample:
    return sample(np.zeros((0, 2)), scheme=BOXES, face=box, **more)


def reason(of: Sample, picture: PictureFacts = PICTURE) -> str:
    reject = check(of, picture)
    if reject is None:
        return ""
    assert reject.origin == "labels.txt:7"
    return reject.reason


def turned(points: np.ndarray, degrees: float, flatten: float = 1.0) -> np.ndarray:
    """The face narrowed to ``flatten`` of its width (yaw) and turned around the centre."""
    centred = (points - 120) * [flatten, 1]
    a = math.radians(degrees)
    return centred @ np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]) + 120


def mirrored_labels(points: np.ndarray, n: int) -> np.ndarray:
    """Left and right exchanged in the labels, the face as it was."""
    return points[list(SCHEMES["kaggle15" if n == 15 else scheme_for_count(n)].flip_order)]


@pytest.mark.parametrize("n", [5, 15, 29, 68, 98])
def test_a_good_face_passes(n: int) -> None:
    assert reason(sample(face(n))) == ""


def test_picture_missing_or_damaged() -> None:
    good = sample(face(68))
    assert reason(good, PictureFacts(missing=True)) == "picture missing"
    assert reason(good, PictureFacts(problem="truncated")) == "picture cannot be decoded"


def test_wrong_number_of_points() -> None:
    assert reason(sample(face(68)[:67], scheme="ibug68")) == "wrong number of points"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_coordinate_that_is_no_number(value: float) -> None:
    points = face(68)
    points[3, 1] = value
    assert reason(sample(points)) == "coordinate is not a number"


def test_unlabelled_points_are_no_damage() -> None:
    points = face(68)
    points[:17] = np.nan
    visible = np.arange(68) >= 17
    assert reason(sample(points, visible=visible)) == ""
    # Half a coordinate is damage even then.
    points[0] = [1, np.nan]
    assert reason(sample(points, visible=visible)) == "coordinate is not a number"
    nothing = sample(np.full((68, 2), np.nan), visible=np.zeros(68, bool))
    assert reason(nothing) == "no point is labelled"


@pytest.mark.parametrize("right", [math.nan, math.inf, 1e11])
def test_a_box_that_no_picture_holds(right: float) -> None:
    box = FaceBox(0, 0, right, 1)
    assert reason(sample(face(68), face=box)) == "box far outside the picture"
    ignored = replace(boxes_only(box), attributes={"invalid": "1"})
    assert reason(ignored) == "box far outside the picture"


@pytest.mark.parametrize("box", [FaceBox(9, 9, 9, 30), FaceBox(50, 50, 40, 60)])
def test_a_box_without_area(box: FaceBox) -> None:
    assert reason(sample(face(68), face=box)) == "box without area"
    assert reason(boxes_only(box)) == "box without area"


def test_boxes_only_rows() -> None:
    assert reason(boxes_only(FaceBox(9, 9, 9, 30), attributes={"invalid": "1"})) == ""
    assert reason(boxes_only(None)) == ""
    assert reason(boxes_only(FaceBox(230, 230, 260, 260))) == ""
    assert reason(boxes_only(FaceBox(250, 10, 260, 20))) == "box outside the picture"


@pytest.mark.parametrize(
    "points",
    [
        np.full((68, 2), 100.0),
        np.full((68, 2), 100.0) + np.random.default_rng(0).random((68, 2)),
        np.stack([np.arange(68), 3 * np.arange(68)], axis=1),
        np.tile(face(68)[::4], (4, 1)),
        np.concatenate([np.full((40, 2), 50.0), face(68)[:28]]),
        np.concatenate([50 + np.random.default_rng(0).random((40, 2)), face(68)[:28]]),
    ],
    ids=[
        "one place",
        "within a pixel",
        "a line",
        "seventeen places",
        "half at one place",
        "half near one place",
    ],
)
def test_degenerate_clusters(points: np.ndarray) -> None:
    assert reason(sample(points)) == "points in a degenerate cluster"


@pytest.mark.parametrize("n", [5, 15, 29, 68, 98])
@pytest.mark.parametrize("side", [12, 20])
def test_tiny_faces_of_whole_pixels_are_no_cluster(n: int, side: int) -> None:
    unit = (face(n) - 120) / 130
    assert reason(sample(np.round(unit * side) + 100)) == ""


@pytest.mark.parametrize("shift", [(-90, 0), (90, 0), (0, -75), (0, 80)])
def test_a_face_cut_by_the_border_is_legal(shift: tuple[float, float]) -> None:
    points = face(68) + shift
    assert reason(sample(points, face=tight_box(points))) == ""


@pytest.mark.parametrize("point", [0, 8, 30])
@pytest.mark.parametrize("where", [(-200, 100), (100, 500), (900, 900), (0, 1e6)])
def test_one_point_far_outside(point: int, where: tuple[float, float]) -> None:
    points = face(68)
    points[point] = where
    assert reason(sample(points)) == "point far outside the picture"


def test_a_label_of_another_picture_size() -> None:
    assert reason(sample(face(68) * 3)) == "point far outside the picture"
    assert reason(sample(face(68)), PictureFacts(100, 100)) == "point far outside the picture"


@pytest.mark.parametrize("n", [5, 15, 29, 68, 98])
@pytest.mark.parametrize("degrees", range(0, 360, 45))
def test_left_and_right_swapped_however_turned(n: int, degrees: float) -> None:
    upright = turned(face(n), degrees)
    assert reason(sample(upright)) == ""
    assert reason(sample(mirrored_labels(upright, n))) == "left and right swapped"


@pytest.mark.parametrize("n", [5, 68, 98])
@pytest.mark.parametrize("flatten", [0.5, 0.2, 0.1, 0.0, -0.1])
def test_profiles_are_not_swapped_faces(n: int, flatten: float) -> None:
    """A profile's eyes nearly coincide; beyond 90 degrees they change sides."""
    swapped = check(sample(turned(face(n), 20, flatten)), PICTURE)
    assert swapped is None or swapped.reason != "left and right swapped"


@given(
    st.floats(0, 360), st.floats(0.3, 1.0), st.floats(-30, 30), st.sampled_from([5, 15, 29, 68, 98])
)
def test_no_turned_and_narrowed_face_is_rejected(
    degrees: float, flatten: float, shift: float, n: int
) -> None:
    assert reason(sample(turned(face(n), degrees, flatten) + shift)) == ""


@given(st.floats(0, 360), st.floats(0.6, 1.0), st.sampled_from([5, 15, 29, 68, 98]))
def test_swapped_labels_are_found(degrees: float, flatten: float, n: int) -> None:
    points = mirrored_labels(turned(face(n), degrees, flatten), n)
    assert reason(sample(points)) == "left and right swapped"


def test_radius_ignores_a_stray_point() -> None:
    points = face(68).astype(np.float32)
    stray = points.copy()
    stray[0] = 1e6
    assert face_radius(stray) == pytest.approx(face_radius(points), rel=0.1)
