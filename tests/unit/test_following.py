from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kpcli.following import Follower
from kpcli.schemes import get_scheme
from kpcli.types import FaceBox, Prediction

SCHEME = get_scheme("points4")


def face(x: float = 100.0, side: float = 60.0, confidence: float = 0.9) -> Prediction:
    points = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32) * side + [x, 50]
    box = FaceBox(0, 0, 1, 1, 0.7)
    return Prediction(Path("v"), 1, 0, box, points.astype(np.float32), np.ones(4), confidence, 0)


def following(*faces: Prediction, every: int = 4) -> Follower:
    follower = Follower(every, SCHEME)
    assert follower.boxes() == [], "the first frame is the detector's"
    follower.saw(faces, detected=True)
    return follower


def test_looks_where_the_landmarks_were() -> None:
    follower = following(face(100), face(300))
    assert follower.boxes() == [FaceBox(100, 50, 160, 110, 0.7), FaceBox(300, 50, 360, 110, 0.7)]
    follower.saw([face(105), face(295)], detected=False)
    assert [box.left for box in follower.boxes()] == [105, 295]


def test_the_detector_comes_back_every_nth_frame() -> None:
    follower = following(face(), every=3)
    pattern = []
    for _ in range(7):
        detected = not follower.boxes()
        pattern.append(detected)
        follower.saw([face()], detected=detected)
    assert pattern == [False, False, True, False, False, True, False]


def test_no_face_is_followed_nowhere() -> None:
    assert following().boxes() == []
    assert following(face(confidence=0.3)).boxes() == [], "too unsure to be followed"


@pytest.mark.parametrize(
    ("now", "lost"),
    [
        (face(110), False),
        (face(110, confidence=0.7), False),
        (face(110, confidence=0.6), True),
        (face(100, side=80), False),
        (face(100, side=100), True),
        (face(100, side=35), True),
    ],
)
def test_what_counts_as_lost(now: Prediction, lost: bool) -> None:
    assert following(face()).lost([now]) is lost


def test_two_boxes_on_one_face_are_lost() -> None:
    follower = following(face(100), face(200))
    assert not follower.lost([face(102), face(198)])
    assert follower.lost([face(190), face(198)])


def test_a_face_that_is_no_number_is_lost_or_raises_nothing() -> None:
    broken = replace(face(), confidence=float("nan"))
    assert following(face()).lost([broken]) in (True, False)
