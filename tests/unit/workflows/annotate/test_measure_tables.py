import csv
from pathlib import Path

import numpy as np

from kpcli.schemes import get_scheme
from kpcli.types import Face, FaceBox, FrameFaces, HeadPose, Measures
from kpcli.workflows.annotate.measures import MORE, OUTPUT, create

SCHEME = get_scheme("points2")
OUTPUTS = (OUTPUT, *MORE)


def frame(
    file: str, index: int, ear: float = 0.3, found: bool = True, moving: bool = True
) -> FrameFaces:
    points, scores = np.zeros((2, 2), np.float32), np.ones(2, np.float32)
    measures = Measures(ear, ear, 0, 0.5, 0.2, 0.2, 0, 80, 40, 1, 1, 0)
    box, pose = FaceBox(0, 0, 40, 40), HeadPose(0, 0, 0)
    face = Face(box, points, scores, 0.9, 0, pose, measures=measures)
    return FrameFaces(file, index, (index - 1) / 25, 90, 90, (face,) if found else (), moving)


def write(out: Path) -> None:
    ears = [0.3] * 20 + [0.1] * 3 + [0.3] * 20
    with create(out, SCHEME) as tables:
        tables.write(frame("a.jpg", 1, moving=False))
        for i, ear in enumerate(ears, 1):
            tables.write(frame("ü, v.mp4", i, ear))
        for i in range(1, 170):
            tables.write(frame("w.mp4", i, found=i <= 40 or i > 137))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_three_tables(tmp_path: Path) -> None:
    write(tmp_path)
    events, summary, persons = (read(tmp_path / name) for name in OUTPUTS)
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


def test_no_frame_at_all(tmp_path: Path) -> None:
    with create(tmp_path, SCHEME):
        pass
    assert [len(read(tmp_path / name)) for name in OUTPUTS] == [0, 0, 0]
