"""Covers before a face is found, through gaps and after it; a cut ends them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.anonymised import SIDE, scene

from kpcli.types import FaceBox, Frame
from kpcli.workflows.anonymise.motion import moved, small_gray
from kpcli.workflows.anonymise.tracks import HOLD, Track, Tracker

FPS = 10.0


def at(i: int) -> tuple[int, int]:
    """Where the face is: it goes to the right."""
    return 10 + 2 * i, 30


def box(i: int, score: float = 0.9) -> FaceBox:
    x, y = at(i)
    return FaceBox(x, y, x + SIDE - 1, y + SIDE - 1, score)


def tracked(boxes: dict[int, list[FaceBox]], count: int, cut: int = 10**6) -> list[Track]:
    tracker = Tracker(0.3)
    for i in range(count):
        pixels = scene(at(i), seed=3 if i < cut else 9)
        if i >= cut:
            pixels = 255 - pixels
        frame = Frame(Path("a.mp4"), i + 1, i / FPS, pixels, moving=True)
        tracker.add(frame, boxes.get(i, []))
    return tracker.tracks()


def covered(track: Track, i: int) -> float:
    """The best IoU of the track's places with the true face in the frame."""
    return max((p.box.iou(box(i)) for p in track.places if p.frame == i + 1), default=0.0)


def test_flow_finds_a_moved_face_and_knows_nothing_of_a_blank_one() -> None:
    one, other = small_gray(scene(at(0))), small_gray(scene(at(2)))
    found = moved(box(0), one, other, 1.0)
    assert found is not None
    assert np.allclose(found.corners, box(2).corners, atol=1.5)
    blank = np.full_like(one, 7)
    assert moved(box(0), blank, 255 - one, 1.0) is None


def test_a_face_that_is_found_late_is_covered_from_its_first_frame() -> None:
    (track,) = tracked({i: [box(i)] for i in range(8, 20)}, 20)
    assert min(covered(track, i) for i in range(20)) > 0.6


def test_no_further_back_than_is_plausible() -> None:
    (track,) = tracked({i: [box(i)] for i in range(25, 30)}, 30)
    first = min(p.frame for p in track.places) - 1
    assert 25 - HOLD * FPS - 1 <= first <= 25 - HOLD * FPS + 1


def test_a_gap_is_covered_and_the_face_is_one() -> None:
    seen = [*range(6), *range(13, 20)]
    (track,) = tracked({i: [box(i)] for i in seen}, 20)
    assert min(covered(track, i) for i in range(20)) > 0.6
    assert {p.kind for p in track.places} == {"seen", "followed", "between"}
    doubts = {p.frame - 1: p.doubt for p in track.places if p.kind == "followed"}
    assert doubts[12] > doubts[6] >= 0.4


def test_after_it_was_last_found_it_stays_covered_for_a_while() -> None:
    (track,) = tracked({i: [box(i)] for i in range(5)}, 30)
    last = max(p.frame for p in track.places) - 1
    assert abs(last - (4 + HOLD * FPS)) <= 1


def test_weak_boxes_continue_a_sure_face_and_are_none_alone() -> None:
    boxes = {i: [box(i, 0.05)] for i in range(20)} | {10: [box(10, 0.8)]}
    (track,) = tracked(boxes, 20)
    assert track.best == pytest.approx(0.8)
    assert sum(p.kind == "seen" for p in track.places) == 20
    (weak,) = tracked({i: [box(i, 0.05)] for i in range(10)}, 20)
    assert weak.best < 0.3
    assert max(p.frame for p in weak.places) == 10  # nor followed


def test_a_cut_ends_what_is_before_and_after() -> None:
    (track,) = tracked({i: [box(i)] for i in range(12, 20)}, 20, cut=10)
    assert min(p.frame for p in track.places) == 11
    (track,) = tracked({i: [box(i)] for i in range(8)}, 20, cut=10)
    assert max(p.frame for p in track.places) == 10


def test_two_faces_keep_apart() -> None:
    other = FaceBox(90, 60, 113, 83, 0.9)
    tracks = tracked({i: [box(i), other] for i in range(10)}, 10)
    assert len(tracks) == 2
