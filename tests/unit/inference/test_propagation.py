from dataclasses import replace

import numpy as np
import pytest

from kpcli.inference.propagation import EMPTY_LOOK_EVERY, GLANCE_EVERY, LOOK_EVERY, UNREST, Follower
from kpcli.schemes import get_scheme
from kpcli.types import Face, FaceBox

SCHEME = get_scheme("points4")


def face(x: float = 100.0, side: float = 60.0, confidence: float = 0.9) -> Face:
    points = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32) * side + [x, 50]
    box = FaceBox(0, 0, 1, 1, 0.7)
    return Face(box, points.astype(np.float32), np.ones(4), confidence)


def box(x: float, side: float = 60.0) -> FaceBox:
    return FaceBox(x, 50, x + side, 50 + side, 0.7)


def following(*xs: float, every: int = 4, confidence: float = 0.9) -> Follower:
    """A follower that was shown faces at these places at 0 seconds."""
    follower = Follower(every, SCHEME)
    assert follower.due(0.0), "the first frame is the detector's"
    assert follower.joined([box(x) for x in xs], 0.0) == [box(x) for x in xs]
    faces = [face(x, confidence=confidence) for x in xs]
    assert follower.saw(faces, 0.0) == faces
    return follower


def test_looks_where_the_landmarks_were() -> None:
    follower = following(100, 300)
    assert follower.expected() == [box(100), box(300)]
    follower.saw([face(101), face(299)], 0.1)
    assert [b.left for b in follower.expected()] == [100, 300], "that was unrest, not motion"
    follower.saw([face(103), face(300)], 0.2)
    assert [b.left for b in follower.expected()] == [103, 300], "little by little it moved"


def test_the_box_of_a_still_face_stands_still() -> None:
    follower = following(100, every=1)
    tremble = np.random.default_rng(0).uniform(-1.1, 1.1, 50)
    for i, x in enumerate(tremble, start=1):
        assert follower.joined([box(100 - x)], i / 30) == [box(100)]
        follower.saw([face(100 + x)], i / 30)


def test_a_face_that_moves_is_looked_for_ahead() -> None:
    follower = following(100, every=9)
    for i in range(1, 5):
        follower.expected()
        follower.saw([face(100 + 12 * i)], i / 10)
    (ahead,) = follower.expected()
    assert ahead.left == pytest.approx(148 + 12, abs=60 * UNREST + 0.1)
    assert ahead.top == 50
    assert follower.lost([face(160)]) == set()
    assert follower.lost([face(148)]) == {0}, "too far from where it was expected"


def test_the_detector_comes_back_every_nth_frame() -> None:
    follower = following(100, every=3)
    pattern = []
    for i in range(7):
        pattern.append(follower.due(i / 10))
        if pattern[-1]:
            follower.joined([box(100)], i / 10)
        else:
            follower.expected()
        follower.saw([face(100)], i / 10)
    assert pattern == [False, False, True, False, False, True, False]


def test_without_a_face_the_detector_looks_at_every_frame() -> None:
    assert following().due(0.0)
    assert following(100, confidence=0.3).due(0.0), "too unsure to be followed"


def test_a_confirmed_face_is_looked_for_where_its_landmarks_lead() -> None:
    follower = following(100, every=1)
    assert follower.joined([box(103), box(300)], 0.1) == [box(100), box(300)]


def test_a_detection_that_disagrees_replaces_the_expectation() -> None:
    follower = following(100, every=1)
    assert follower.joined([box(115)], 0.1) == [box(115)]
    assert follower.saw([face(116)], 0.1)
    (ahead,) = follower.joined([], 0.2)
    assert ahead.left > 116, "it knows that the face moves"


def test_a_face_that_jumped_is_looked_for_where_it_is_detected() -> None:
    follower = following(100, every=1)
    boxes = follower.joined([box(150)], 0.1)
    assert boxes == [box(150), box(100)], "the old one too: it may be there yet"
    kept = follower.saw([face(150), face(100, confidence=0.2)], 0.1)
    assert [k.points[0, 0] for k in kept] == [150]


def test_a_face_that_the_detector_misses_is_followed_for_half_a_second() -> None:
    follower = following(100, every=1)
    for seconds in (0.1, 0.3, 0.5):
        assert follower.joined([], seconds) == [box(100)]
        assert len(follower.saw([face(100)], seconds)) == 1
    assert follower.joined([], 0.6) == []
    assert follower.saw([], 0.6) == []
    assert follower.due(0.7)


def test_a_confirmed_face_stays_however_unsure() -> None:
    follower = following(100, every=1)
    follower.joined([box(101)], 0.1)
    unsure = face(101, confidence=0.3)
    assert follower.saw([unsure], 0.1) == [unsure]
    assert follower.joined([box(104)], 0.2) == [box(104)], "but it does not lead on"


@pytest.mark.parametrize(
    ("now", "lost"),
    [
        (face(105), set()),
        (face(105, confidence=0.75), set()),
        (face(105, confidence=0.7), {0}),
        (face(105, confidence=0.6), {0}),
        (face(110), {0}),
        (face(105, confidence=float("nan")), {0}),
        (replace(face(90, side=80), points=face(90, side=80).points - [0, 10]), set()),
        (face(100, side=100), {0}),
        (face(100, side=35), {0}),
        (replace(face(), points=np.full((4, 2), np.nan, np.float32)), {0}),
        (replace(face(), points=np.full((4, 2), 5, np.float32)), {0}),
    ],
)
def test_what_counts_as_lost(now: Face, lost: set[int]) -> None:
    follower = following(100)
    follower.expected()
    assert follower.lost([now]) == lost


def test_two_boxes_on_one_face_are_followed_as_one() -> None:
    assert following(100, 112).expected() == [box(100)]


def test_lost_faces_are_given_up() -> None:
    follower = following(100, 300)
    follower.expected()
    assert follower.joined([box(300)], 0.1, lost={0}) == [box(300)]


def test_of_a_followed_face_it_is_known_where_its_points_should_be() -> None:
    follower = following(100, every=9)
    for i in range(1, 4):
        follower.expected()
        (hint,) = follower.hints()
        assert not hint.sides, "how it leans is known"
        follower.saw([face(100 + 12 * i)], i / 10)
    (ahead,) = follower.expected()
    (hint,) = follower.hints()
    assert hint.points is not None
    assert hint.points[:, 0].min() == pytest.approx(ahead.left)


def test_what_was_no_face_from_any_side_is_looked_at_upright_for_a_second() -> None:
    follower = Follower(1, SCHEME)
    sides = []
    for seconds in (0.0, 0.4, 0.8, 1.2, 1.6):
        follower.joined([box(100), box(300)], seconds)
        sides.append([hint.sides for hint in follower.hints()])
        follower.saw([face(100, confidence=0.02), face(300, confidence=0.2)], seconds)
    assert sides == [[True, True], [False, True], [False, True], [True, True], [False, True]]


def glimpse(*xs: float) -> list[FaceBox]:
    """What the cheap look sees: boxes that are roughly where the faces are."""
    return [FaceBox(x + 6, 46, x + 68, 112, 0.8) for x in xs]


def test_as_needed_the_looks_follow_the_clock_whatever_the_frame_rate() -> None:
    for rate in (8, 25, 120):
        follower = following(100, every=0)
        looks, glances = [], []
        for i in range(1, 2 * rate + 1):
            seconds = i / rate
            if follower.due(seconds):
                looks.append(seconds)
                follower.joined([box(100)], seconds)
            else:
                if follower.glance_due(seconds):
                    glances.append(seconds)
                    assert not follower.glanced(glimpse(100), seconds)
                follower.expected()
            assert follower.saw([face(100)], seconds)
        assert len(looks) == pytest.approx(2 / LOOK_EVERY, abs=1)
        assert np.diff(sorted(looks + glances)).max() <= GLANCE_EVERY + 1 / rate + 1e-9


def test_a_new_face_asks_for_the_full_look_and_a_doubtful_one_does_not() -> None:
    follower = following(100, every=0)
    assert follower.glanced(glimpse(100, 300), 0.12)
    assert not follower.glanced([*glimpse(100), FaceBox(300, 50, 360, 110, 0.3)], 0.24)


def test_a_face_that_the_cheap_look_no_longer_sees_asks_once() -> None:
    follower = following(100, every=0)
    assert not follower.glanced(glimpse(100), 0.12)
    assert follower.glanced([], 0.24), "it was seen, and is not"
    assert not follower.glanced([], 0.36), "the full look has spoken"


def test_a_face_too_small_for_the_cheap_look_is_confirmed_by_the_full_one() -> None:
    follower = following(100, every=0)
    assert not follower.glanced([], 0.12)
    assert follower.due(LOOK_EVERY)
    assert follower.joined([box(100)], LOOK_EVERY) == [box(100)]


def test_without_a_face_every_frame_is_glanced_at_and_a_small_one_is_found_soon() -> None:
    follower = following(every=0)
    assert follower.glance_due(0.01)
    assert not follower.glanced([], 0.01)
    assert follower.glance_due(0.02)
    assert not follower.due(0.9 * EMPTY_LOOK_EVERY)
    assert follower.due(EMPTY_LOOK_EVERY)
