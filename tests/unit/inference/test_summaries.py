import math
import statistics
from dataclasses import replace

import numpy as np
import pytest

from kpcli.inference.events import Event
from kpcli.inference.summaries import HELD, PERSONS, SUMMARY, FileSummary, Median, printed_row
from kpcli.types import Face, FaceBox, FrameFaces, Measures


def face(track: int = 0, confidence: float = 0.9, point: float = 0.9, side: float = 50) -> Face:
    scores = np.full(4, point, np.float32)
    points = np.zeros((4, 2), np.float32)
    return Face(FaceBox(0, 0, side, side), points, scores, confidence, track)


def measures(value: float) -> Measures:
    return Measures(*[value] * len(Measures._fields))


def frame(index: int, *faces: Face, fps: float = 10) -> FrameFaces:
    return FrameFaces("v.mp4", index, (index - 1) / fps, 640, 360, faces, True)


def event(name: str, face_id: int = 0) -> Event:
    return Event("v.mp4", face_id, name, 0.0, 0.1, 1, 2, math.nan)


def test_a_file_that_lacks_its_face_half_of_the_time_is_not_good() -> None:
    summary = FileSummary("v.mp4")
    for i in range(1, 170):
        summary.add(frame(i, *([face()] if i <= 40 or i > 137 else [])))
    row = summary.row()
    assert list(row) == list(SUMMARY)
    assert row["verdict"] == "gaps"
    assert (row["frames"], row["frames_without_face"]) == (169, 97)
    assert row["share_without_face"] == pytest.approx(97 / 169)
    assert row["longest_gap"] == pytest.approx(9.7)
    assert row["median_face_size"] == 50


@pytest.mark.parametrize(
    ("faces", "verdict"),
    [
        ([face()], "good"),
        ([face(confidence=0.4)], "doubtful"),
        ([face(point=0.3)], "doubtful"),
        ([], "no_face"),
    ],
)
def test_verdicts(faces: list[Face], verdict: str) -> None:
    summary = FileSummary("p.jpg")
    summary.add(frame(1, *faces))
    assert summary.row()["verdict"] == verdict


def test_a_gap_at_the_end_counts() -> None:
    summary = FileSummary("v.mp4")
    for i in range(1, 31):
        summary.add(frame(i, *([face()] if i < 11 or i == 15 else [])))
    assert summary.row()["longest_gap"] == pytest.approx(1.4)


def test_persons() -> None:
    summary = FileSummary("v.mp4")
    for i in range(1, 11):
        there = [replace(face(3, confidence=0.8), measures=measures(i / 10))]
        if i in (4, 6, 7):
            there.append(replace(face(1, point=0.2), measures=measures(math.nan)))
        summary.add(frame(i, *there))
    for name, who in (
        ("blink", 3),
        ("blink", 3),
        ("mouth_open", 3),
        ("face_lost", 1),
        ("blink", 9),
    ):
        summary.add_event(event(name, who))
    one, three = summary.persons()
    assert list(one) == list(PERSONS)
    assert (one["face_id"], one["first_frame"], one["last_frame"], one["frames"]) == (1, 4, 7, 3)
    assert (one["first_seen"], one["last_seen"]) == pytest.approx((0.3, 0.6))
    assert one["share_doubtful"] == 1
    assert math.isnan(float(one["median_ear_left"]))
    assert three["frames"] == 10
    assert three["median_ear_left"] == pytest.approx(0.55)
    assert three["median_confidence"] == pytest.approx(0.8)
    assert (three["blinks"], three["mouth_open_times"], three["head_turned"]) == (2, 1, 0)
    assert summary.row()["face_ids"] == 2
    assert summary.row()["times_lost"] == 1


def test_faces_without_measures() -> None:
    summary = FileSummary("p.jpg")
    summary.add(frame(1, face(), face(1)))
    assert all(math.isnan(float(row["median_mouth_open"])) for row in summary.persons())
    text = printed_row(summary.persons()[0])
    assert text[:4] == ["p.jpg", "0", "0.0000", "0.0000"]
    assert text[PERSONS.index("median_mouth_open")] == ""
    assert text[PERSONS.index("frames")] == "1"


@pytest.mark.parametrize("count", [1, 2, 5, HELD - 1])
def test_a_median_is_exact_of_few(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count).tolist()
    median = Median()
    for value in [*values, math.nan]:
        median.add(value)
    assert median() == pytest.approx(statistics.median(values))


def test_a_median_of_many_is_near_and_holds_few() -> None:
    values = np.random.default_rng(0).uniform(size=100_000)
    median = Median()
    for value in values.tolist():
        median.add(value)
    assert median() == pytest.approx(0.5, abs=0.05)
    assert len(median._values) < HELD
    rising = Median()
    for value in range(100_000):
        rising.add(value)
    assert rising() == pytest.approx(50_000, rel=0.01)
    assert math.isnan(Median()())
