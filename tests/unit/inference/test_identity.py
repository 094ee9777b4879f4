import math

import numpy as np
import pytest

from kpcli.inference.identity import Tracker, same_scene, scene_of
from kpcli.types import FaceBox

STEP = 1 / 25


def box(x: float, y: float = 100.0, side: float = 60.0) -> FaceBox:
    return FaceBox(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def test_ids_count_from_zero_in_order_of_appearance() -> None:
    tracker = Tracker()
    assert tracker.update([box(100), box(400)], 0.0) == [0, 1]
    assert tracker.update([box(700), box(400), box(100)], STEP) == [2, 1, 0]


def test_two_faces_that_move_at_speed_keep_their_ids() -> None:
    tracker = Tracker()
    for i in range(50):
        ids = tracker.update([box(100 + 9 * i), box(900 - 9 * i, y=180)], i * STEP)
        assert ids == [0, 1]


def test_the_detector_s_order_does_not_matter() -> None:
    tracker, other = Tracker(), Tracker()
    generator = np.random.default_rng(1)
    for i in range(40):
        boxes = [box(100 + 3 * i), box(300 - 2 * i, y=200), box(500, y=60 + 4 * i)]
        order = generator.permutation(3)
        straight = tracker.update(boxes, i * STEP)
        mixed = other.update([boxes[k] for k in (order if i else range(3))], i * STEP)
        assert straight == [0, 1, 2]
        assert sorted(zip(order if i else range(3), mixed, strict=True)) == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize(("gap", "same"), [(0.2, True), (0.9, True), (1.0, True), (1.2, False)])
def test_a_face_that_returns_within_a_second_keeps_its_id(gap: float, same: bool) -> None:
    tracker = Tracker()
    for i in range(10):
        tracker.update([box(100 + i)], i * STEP)
    last = 9 * STEP
    steps = round(gap / STEP)
    for i in range(1, steps):
        assert tracker.update([], last + i * STEP) == []
    returned = tracker.update([box(150)], last + gap)
    assert returned == ([0] if same else [1])


def test_another_face_far_away_is_new() -> None:
    tracker = Tracker()
    tracker.update([box(100)], 0.0)
    assert tracker.update([box(400)], STEP) == [1]
    assert tracker.update([box(100)], 2 * STEP) == [0]


def test_a_face_of_quite_another_size_is_new() -> None:
    tracker = Tracker()
    tracker.update([box(100, side=60)], 0.0)
    assert tracker.update([box(100, side=140)], STEP) == [1]


def test_a_zoom_keeps_the_id() -> None:
    tracker = Tracker()
    for i in range(60):
        assert tracker.update([box(300, side=40 * math.exp(i / 30))], i * STEP) == [0]


def test_ids_are_never_shared_and_the_nearer_face_gets_the_track() -> None:
    tracker = Tracker()
    tracker.update([box(100)], 0.0)
    assert tracker.update([box(115), box(102)], STEP) == [1, 0]


def test_the_same_moment_twice_does_no_harm() -> None:
    tracker = Tracker()
    tracker.update([box(100)], 1.0)
    assert tracker.update([box(104)], 1.0) == [0]
    assert tracker.update([box(108)], 1.0 + STEP) == [0]


def shot(seed: int, shift: int = 0) -> np.ndarray:
    """A frame of one of many scenes; ``shift`` moves the camera."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 16), np.uint8)
    large = np.kron(noise, np.ones((30, 30), np.uint8))
    return np.repeat(np.roll(large, shift, axis=1)[..., None], 3, axis=2)


def test_another_shot_has_other_faces() -> None:
    tracker = Tracker()
    one, two = scene_of(shot(1)), scene_of(shot(2))
    assert tracker.update([box(100)], 0.0, one) == [0]
    assert tracker.update([box(140)], STEP, two) == [1]
    assert tracker.update([box(142)], 2 * STEP, two) == [1]
    assert tracker.update([box(100)], 3 * STEP, one) == [0], "the first shot is back"


def test_a_pan_is_no_cut_and_neither_are_dark_frames_between() -> None:
    assert same_scene(scene_of(shot(1)), scene_of(shot(1, shift=8)))
    assert not same_scene(scene_of(shot(1)), scene_of(shot(2)))
    tracker = Tracker()
    black = scene_of(np.zeros((90, 160, 3), np.uint8))
    tracker.update([box(100)], 0.0, scene_of(shot(1)))
    for i in range(1, 10):
        tracker.update([], i * STEP, black)
    assert tracker.update([box(130)], 10 * STEP, scene_of(shot(1))) == [0]
