import csv
from pathlib import Path

import numpy as np
import pytest

from kpcli.inference.measures import Measures
from kpcli.types import Face, FaceBox, FrameFaces, HeadPose
from kpcli.workflows.annotate.measures import OUTPUTS, measure_tables


def frame(file: str, index: int, found: bool = True, moving: bool = True) -> FrameFaces:
    points, scores = np.zeros((2, 2), np.float32), np.ones(2, np.float32)
    face = Face(FaceBox(0, 0, 40, 40), points, scores, 0.9, 0, HeadPose(0, 0, 0))
    return FrameFaces(file, index, (index - 1) / 25, 90, 90, (face,) if found else (), moving)


def measures(ear: float) -> Measures:
    return Measures(ear, ear, 0, 0.5, 0.2, 0.2, 0, 80, 40, 1, 1, 0)


def write(out: Path) -> None:
    ears = [0.3] * 20 + [0.1] * 3 + [0.3] * 20
    with measure_tables(out, out / "staging") as tables:
        tables.write(frame("a.jpg", 1, moving=False), [measures(0.3)])
        for i, ear in enumerate(ears, 1):
            tables.write(frame("ü, v.mp4", i), [measures(ear)])
        for i in range(1, 170):
            found = i <= 40 or i > 137
            tables.write(frame("w.mp4", i, found), [measures(0.3)] * found)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path


def test_the_three_tables(out: Path) -> None:
    write(out)
    events, summary, persons = (read(out / name) for name in OUTPUTS)
    assert [(e["file"], e["event"], e["first_frame"], e["last_frame"]) for e in events] == [
        ("ü, v.mp4", "face_found", "1", "1"),
        ("ü, v.mp4", "blink", "21", "23"),
        ("w.mp4", "face_found", "1", "1"),
        ("w.mp4", "face_lost", "40", "40"),
        ("w.mp4", "face_found", "138", "138"),
    ]
    assert (events[1]["start"], events[1]["duration"]) == ("0.8000", "0.1200")
    assert events[0]["value"] == ""
    assert [(s["file"], s["verdict"], s["frames_without_face"]) for s in summary] == [
        ("a.jpg", "good", "0"), ("ü, v.mp4", "good", "0"), ("w.mp4", "gaps", "97"),
    ]  # fmt: skip
    assert [(p["file"], p["frames"], p["blinks"]) for p in persons] == [
        ("a.jpg", "1", "0"), ("ü, v.mp4", "43", "1"), ("w.mp4", "72", "0"),
    ]  # fmt: skip
    assert persons[0]["median_ear_left"] == "0.3000"


def stop_midway(out: Path) -> None:
    with measure_tables(out, out / "staging") as tables:
        tables.write(frame("a.jpg", 1), [measures(0.3)])
        raise RuntimeError("stop")


def test_nothing_appears_of_a_run_that_fails(out: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        stop_midway(out)
    assert [p.name for p in out.rglob("*")] == ["staging"]


def test_no_frame_at_all(out: Path) -> None:
    with measure_tables(out, out / "staging"):
        pass
    assert [len(read(out / name)) for name in OUTPUTS] == [0, 0, 0]
