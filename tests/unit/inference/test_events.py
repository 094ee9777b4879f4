from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest

from kpcli.inference.blinks import Moment, filled
from kpcli.inference.events import Event, EventFinder, Seen
from kpcli.types import HeadPose, Measures

FPS = 25


def seen(
    ear: float = 0.3, mouth: float = 0.0, yaw: float = 0.0, face: int = 0, eyes: float = 90
) -> Seen:
    values = Measures(ear, ear, mouth, 0.5, 0.2, 0.2, 0.0, eyes, 200.0, 1.0, 1.0, 0.0)
    return Seen(face, values, HeadPose(yaw, 0, 0))


def run(frames: Sequence[Sequence[Seen]], fps: float = FPS) -> list[Event]:
    finder = EventFinder("v.mp4")
    found = [e for i, faces in enumerate(frames, 1) for e in finder.add(i, (i - 1) / fps, faces)]
    return found + finder.end()


def named(events: Sequence[Event], name: str) -> list[tuple[int, int]]:
    return [(e.first_frame, e.last_frame) for e in events if e.event == name]


def series(ears: Sequence[float], fps: float = FPS, **values: float) -> list[Event]:
    return run([[seen(ear, **values)] for ear in ears], fps)


BLINK = [0.25, 0.12, 0.1, 0.15, 0.24]


def test_blinks_are_found_with_their_times() -> None:
    events = series([0.3] * 20 + BLINK + [0.3] * 30 + [0.1] + [0.3] * 20)
    assert named(events, "blink") == [(21, 25), (56, 56)]
    first = next(e for e in events if e.event == "blink")
    assert (first.file, first.face_id, first.value) == ("v.mp4", 0, 0.1)
    assert (first.start, first.end) == pytest.approx((20 / FPS, 25 / FPS))
    assert first.duration == pytest.approx(0.2)
    assert named(events, "eyes_closed") == []


@pytest.mark.parametrize("fps", [10, 25, 60, 120])
def test_at_any_frame_rate(fps: int) -> None:
    def ear(second: float) -> float:
        return 0.32 - 0.24 * sum(max(0.0, 1 - abs(second - at) / 0.15) for at in (0.8, 2.0, 3.1))

    events = series([ear(i / fps) for i in range(4 * fps)], fps)
    starts = [e.start for e in events if e.event == "blink"]
    assert starts == pytest.approx([0.7, 1.9, 3.0], abs=0.06 + 0.5 / fps)


@pytest.mark.parametrize("open_eyes", [0.22, 0.3, 0.42])
def test_eyes_of_every_size(open_eyes: float) -> None:
    ears = [open_eyes] * 20 + [v * open_eyes / 0.3 for v in BLINK] + [open_eyes] * 20
    assert named(series(ears), "blink") == [(21, 25)]


def test_a_slow_change_a_tremble_and_a_step_are_no_blinks() -> None:
    waves = [0.3 + 0.03 * math.sin(i) for i in range(100)]
    slow = [0.3 - 0.15 * math.sin(i / 100 * math.pi) for i in range(100)]
    step = [0.3] * 30 + [0.18] * 100
    shut = [0.13, 0.16, 0.1, 0.15] * 30
    for ears in (waves, slow, step, shut):
        assert named(series(ears), "blink") == []


def test_a_clip_that_begins_or_ends_with_closed_eyes() -> None:
    assert named(series([0.1] * 4 + [0.3] * 30), "blink") == []
    assert named(series([0.3] * 30 + [0.1] * 4), "blink") == []
    early = series([0.3] * 2 + BLINK + [0.3] * 30)
    assert named(early, "blink") == [(3, 7)]


def test_eyes_that_stay_closed() -> None:
    events = series([0.3] * 50 + [0.1] * 300 + [0.3] * 30)
    assert named(events, "eyes_closed") == [(51, 350)]
    assert named(events, "blink") == []
    until_the_end = series([0.3] * 50 + [0.1] * 40)
    assert named(until_the_end, "eyes_closed") == [(51, 90)]


def test_eyes_too_small_or_unknown_say_nothing() -> None:
    ears = [0.3] * 20 + BLINK + [0.3] * 20
    assert named(series(ears, eyes=20), "blink") == []
    assert [e.event for e in series([math.nan] * 50)] == ["face_found"]


def test_filling_takes_the_lower_shoulder() -> None:
    values = [0.4, 0.4, 0.1, 0.1, 0.3, 0.3]
    moments = [Moment(i, i * 0.1, v) for i, v in enumerate(values)]
    assert filled(moments, 2) == filled(moments, 3) == 0.3
    assert filled(moments, 0) == 0.4
    edge = moments[2:]
    assert filled(edge, 0) == 0.1  # nothing before it


def test_mouth_with_two_thresholds() -> None:
    mouths = [0.0] * 5 + [0.3, 0.2, 0.45, 0.2, 0.3] + [0.1] * 5 + [0.3] + [0.0] * 5
    events = run([[seen(mouth=m)] for m in mouths])
    assert named(events, "mouth_open") == [(6, 10)]  # one frame alone is too short
    assert next(e.value for e in events if e.event == "mouth_open") == 0.45


def test_head_turned_to_either_side() -> None:
    yaws = [0.0] * 5 + [-31.0, -50.0, -28.0] + [0.0] * 5 + [29.0] * 5 + [40.0] * 5
    events = run([[seen(yaw=y)] for y in yaws])
    assert named(events, "head_turned") == [(6, 8), (19, 23)]
    assert [e.value for e in events if e.event == "head_turned"] == [-50, 40]
    no_pose = run([[seen()._replace(pose=None)]] * 9)
    assert [e.event for e in no_pose] == ["face_found"]


def test_faces_lost_and_found() -> None:
    short, long = [[]] * 5, [[]] * 40
    here: list[list[Seen]] = [[seen()]] * 10
    events = run([[], *here, *short, *here, *long, *here, *long])
    assert [(e.event, e.first_frame) for e in events] == [
        ("face_found", 2), ("face_lost", 26), ("face_found", 67), ("face_lost", 76),
    ]  # fmt: skip
    lost = [e for e in events if e.event == "face_lost"]
    assert [(e.start, e.end) for e in lost] == [(25 / FPS, 66 / FPS), (75 / FPS, 115 / FPS)]


def test_what_is_under_way_ends_with_the_face() -> None:
    frames = [[seen(mouth=0.4, yaw=40)]] * 10 + [[]] * 30
    events = run(frames)
    assert named(events, "mouth_open") == named(events, "head_turned") == [(1, 10)]
    assert [e.end for e in events if e.event == "mouth_open"] == [9 / FPS]


def test_two_faces_are_told_apart() -> None:
    ears = [0.3] * 20 + BLINK + [0.3] * 20
    events = run([[seen(0.3, face=4), seen(ear, face=7)] for ear in ears])
    assert {(e.face_id, e.event) for e in events} == {
        (4, "face_found"), (7, "face_found"), (7, "blink"),
    }  # fmt: skip


def held(finder: EventFinder) -> int:
    return sum(len(f._eyes._held) for f in finder._faces.values())


def test_memory_does_not_grow_with_the_clip() -> None:
    finder = EventFinder("v.mp4")
    sizes = []
    for i in range(2000):
        finder.add(i, i / FPS, [seen()])
        sizes.append(held(finder))
    assert max(sizes) == max(sizes[:400]) < 11 * FPS


@pytest.mark.parametrize("shape", [lambda i: 0.3, lambda i: 0.3 + 0.2 * (i % 2)])
def test_times_that_stand_still(shape: Callable[[int], float]) -> None:
    finder = EventFinder("p.gif")
    for i in range(1, 5):
        finder.add(i, 0.0, [seen(shape(i))])
    assert named(finder.end(), "blink") == []
