"""Faces at any turn are seen upright, whatever the first look says."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from helpers.fakes import FakeFaces
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kpcli.geometry import REFERENCE_FIVE, landmark_box
from kpcli.inference.upright import Look, by_points, landmarks
from kpcli.model_bundle import ModelCard
from kpcli.schemes import get_scheme
from kpcli.types import Face, FaceBox

COLOURS = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]], np.float64
)
SIZE = 96
SCALE = 1.6
WELL = REFERENCE_FIVE * 2 / SCALE
"""The points of a crop whose box is theirs."""


class DotReader:
    """Finds five dots by their colours; the more they are turned, the less sure and accurate."""

    def __init__(self, face_box: str = "landmarks", wrong_from: float = 70.0) -> None:
        self.card = ModelCard(
            name="dots", task="landmarks", architecture="none", input_size=SIZE, colour="rgb",
            crop_scale=SCALE, face_box=face_box, scheme=get_scheme("celeba5").to_json(),
        )  # fmt: skip
        self.wrong_from = wrong_from
        self.crops = 0

    def predict(self, crops: NDArray[np.uint8]) -> FakeFaces:
        self.crops += len(crops)
        unit, confidence = zip(*(self._one(crop) for crop in crops), strict=True)
        scores = np.repeat(np.array(confidence)[:, None], 5, axis=1).astype(np.float32)
        return FakeFaces(np.array(unit, np.float32), scores, np.array(confidence, np.float32))

    def _one(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
        points = []
        for colour in COLOURS:
            near = np.abs(crop.astype(float) - colour).sum(axis=2) < 120
            rows, columns = np.nonzero(near)
            if not len(rows):
                return WELL, 0.05
            points.append((columns.mean(), rows.mean()))
        found = (2 * np.array(points) + 1) / SIZE - 1
        eyes = found[1] - found[0]
        roll = abs(math.degrees(math.atan2(eyes[1], eyes[0])))
        if roll > self.wrong_from:
            return WELL, 0.1
        return found, 0.95 - roll / 300


def drawn(turn: float, side: float = 60.0) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A frame with a face of five dots, turned clockwise by ``turn`` degrees, and its points."""
    a = math.radians(turn)
    matrix = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    points = REFERENCE_FIVE @ matrix.T * side + [110, 90]
    frame = np.zeros((190, 220, 3), np.uint8)
    for point, colour in zip(points, COLOURS, strict=True):
        cv2.circle(frame, np.rint(point * 8).astype(int).tolist(), 4 * 8, colour.tolist(), -1,
                   cv2.LINE_8, 3)  # fmt: skip
    return frame, points


def box_of(points: NDArray[np.float64]) -> FaceBox:
    return landmark_box(points, get_scheme("celeba5"))


@settings(max_examples=40, deadline=None)
@given(turn=st.floats(-180, 180), face_box=st.sampled_from(["landmarks", "csv"]))
def test_every_turn_is_seen(turn: float, face_box: str) -> None:
    frame, points = drawn(turn)
    (seen,) = landmarks(DotReader(face_box), [Look(frame, box_of(points))])
    assert np.abs(seen.points - points).max() < 1.0
    assert seen.confidence > 0.85


def test_an_upright_face_is_looked_at_once() -> None:
    reader = DotReader()
    frame, points = drawn(5)
    (seen,) = landmarks(reader, [Look(frame, box_of(points))])
    assert reader.crops == 1
    assert seen.box == box_of(points)


@pytest.mark.parametrize(
    ("box", "looks"),
    [
        ((0, 0, 1.0), 1),
        ((0.05, 0, 1.03), 1),
        ((0.2, -0.1, 1.0), 2),
        ((0, 0, 1.3), 2),
        ((0, 0.1, 0.8), 2),
    ],
)
def test_a_face_that_is_not_where_its_box_is_is_cut_again(
    box: tuple[float, float, float], looks: int
) -> None:
    class SureOfFramed(DotReader):
        """The surer, the more the face fills its crop as it should."""

        def _one(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
            found, _ = super()._one(crop)
            return found, 0.9 - 0.5 * float(np.abs((found - WELL).mean(axis=0)).sum())

    frame, points = drawn(0)
    x, y, size = box
    true = box_of(points)
    half = size * true.side / 2
    cx, cy = true.centre[0] + x * true.side, true.centre[1] + y * true.side
    look = Look(frame, FaceBox(cx - half, cy - half, cx + half, cy + half))
    reader = SureOfFramed()
    (seen,) = landmarks(reader, [look])
    assert reader.crops == looks
    assert np.abs(seen.points - points).max() < 1.5
    assert seen.box == look.box
    if looks > 1:
        (well,) = landmarks(SureOfFramed(), [Look(frame, true)])
        assert seen.confidence == pytest.approx(well.confidence, abs=0.02)


def test_a_look_of_less_confidence_does_not_count() -> None:
    class SureOfLeaning(DotReader):
        def _one(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
            found, _ = super()._one(crop)
            eyes = found[1] - found[0]
            return found, 0.7 + 0.2 * bool(abs(eyes[1]) > 0.1 * abs(eyes[0]))

    frame, points = drawn(40)
    (seen,) = landmarks(SureOfLeaning(), [Look(frame, box_of(points))])
    assert np.abs(seen.points - points).max() < 1.0
    assert seen.confidence == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("confidence", "half", "again"),
    [
        (0.9, 60, True),
        (0.36, 60, True),
        (0.34, 60, False),  # perhaps no face: another chance would let it pass the gate
        (0.9, 13, True),
        (0.9, 11, False),  # too few pixels to tell
        (1.0, 60, False),  # a model without doubts cannot tell which look is better
    ],
)
def test_only_a_doubtful_face_that_can_be_told_is_cut_again(
    confidence: float, half: float, again: bool
) -> None:
    frame, points = drawn(0, side=half)  # half the box's
    x, y = box_of(points).centre
    box = FaceBox(x - half, y - half, x + half, y + half)
    face = Face(box, points.astype(np.float32), np.ones(5, np.float32), confidence)
    cut = list(by_points(Look(frame, box), face, DotReader().card))
    assert len(cut) == again
    if again:
        np.testing.assert_allclose(cut[0].square.corners, box_of(points).corners, atol=1e-3)


@pytest.mark.parametrize(("sure", "taken"), [(0.3, False), (0.4, True)])
def test_another_side_must_show_a_face(sure: float, taken: bool) -> None:
    class SureFromTheLeft(DotReader):
        def _one(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
            lying = np.argwhere(np.abs(crop.astype(float) - COLOURS[0]).sum(axis=2) < 120)
            return WELL, sure if lying.mean(axis=0)[0] > SIZE / 2 else 0.1

    frame, points = drawn(0)
    (seen,) = landmarks(SureFromTheLeft(), [Look(frame, box_of(points))])
    assert seen.confidence == pytest.approx(sure if taken else 0.1)


def test_faces_of_many_frames_keep_their_order() -> None:
    turns = [0.0, 180.0, 30.0, -90.0, 3.0]
    faces = [drawn(turn) for turn in turns]
    reader = DotReader()
    seen = landmarks(reader, [Look(f, box_of(p)) for f, p in faces], batch_size=2)
    for (_, points), one in zip(faces, seen, strict=True):
        assert np.abs(one.points - points).max() < 1.0


def test_no_faces() -> None:
    assert landmarks(DotReader(), []) == []


def test_points_that_coincide_give_no_turn() -> None:
    class Nothing(DotReader):
        def _one(self, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
            return np.zeros((5, 2)), 0.9

    frame, points = drawn(0)
    reader = Nothing()
    landmarks(reader, [Look(frame, box_of(points))])
    assert reader.crops == 1


@pytest.mark.parametrize("turn", [0, 40, 120])
def test_a_face_whose_lean_is_known_is_seen_upright_at_once(turn: float) -> None:
    frame, points = drawn(turn)
    reader = DotReader()
    look = Look(frame, box_of(points), points=points.astype(np.float32), sides=False)
    (face,) = landmarks(reader, [look])
    assert reader.crops == 1
    assert face.box == look.box
    np.testing.assert_allclose(face.points, points, atol=1.5)


def test_only_where_it_may_the_face_is_looked_at_from_all_sides() -> None:
    frame, points = drawn(180)
    for sides, crops in ((True, 4), (False, 1)):
        reader = DotReader()
        landmarks(reader, [Look(frame, box_of(points), sides=sides)])
        assert reader.crops >= crops if sides else reader.crops == crops


@pytest.mark.parametrize(("side", "looks"), [(26.0, 4), (23.0, 1)])
def test_a_face_too_small_to_be_told_is_looked_at_as_it_stands(side: float, looks: int) -> None:
    """Of faces of a few pixels in crowds, thrice as many looks found next to none."""
    frame, points = drawn(0)
    reader = DotReader(wrong_from=-1)  # unsure from every side
    x, y = points.mean(axis=0)
    box = FaceBox(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    landmarks(reader, [Look(frame, box)])
    assert reader.crops == looks
