"""kpcli annotate over media that simple readers get wrong."""

from __future__ import annotations

import csv
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

from helpers import clips
from helpers.fakes import FakePredictor
from helpers.media import write_picture

from kpcli.options import AnnotateOptions, FrameSelection
from kpcli.sources.room import LARGE, shared_room
from kpcli.workflows.annotate.report import Report
from kpcli.workflows.annotate.run import annotate


def run(source: Path, out: Path, **changes: object) -> Report:
    options = AnnotateOptions(inputs=(source,), out=out, detector="whole_image")
    return annotate(replace(options, **changes), FakePredictor())


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def statuses(out: Path) -> dict[str, str]:
    return {row["file"]: row["status"] for row in table(out / "manifest.csv")}


def test_a_size_that_changes_midway_is_told_of_every_frame(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    clips.two_sizes(tmp_path / "in" / "a.h264").rename(tmp_path / "in" / "a.mp4")
    out = tmp_path / "out"
    report = run(tmp_path / "in", out, formats=("coco", "pyfeat"))
    assert report.exit_code == 0
    sizes = [(64, 48)] * 10 + [(96, 64)] * 10
    images = json.loads((out / "coco.json").read_text())["images"]
    assert [(i["width"], i["height"]) for i in images] == sizes
    feat = table(out / "pyfeat.csv")
    assert [(int(r["FrameWidth"]), int(r["FrameHeight"])) for r in feat] == sizes


def test_a_late_start_is_no_hang(tmp_path: Path) -> None:
    """What is passed over is a sign of life: the whole takes longer than the timeout."""
    source = tmp_path / "in" / "a.ts"  # of which every frame is decoded
    clips.film(source, 1200, size=(320, 240))
    begun = time.perf_counter()
    report = run(tmp_path / "in", tmp_path / "out", frames=FrameSelection(first=1198), timeout=0.15)
    assert time.perf_counter() - begun > 0.15, "the test proves nothing"
    assert report.exit_code == 0
    frames = [row["frame"] for row in table(tmp_path / "out" / "landmarks.csv")]
    assert frames == ["1198", "1199", "1200"]


def test_cut_and_trimmed_files(tmp_path: Path) -> None:
    clips.trimmed(tmp_path / "trimmed.mp4")
    whole = clips.film(tmp_path / "cut.mp4", container={"movflags": "frag_keyframe+empty_moov"})
    whole.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.7)])
    jpeg = write_picture(tmp_path / "cut.jpg")
    jpeg.write_bytes(jpeg.read_bytes()[:-2])
    report = run(tmp_path, tmp_path / "out")
    assert report.exit_code == 5
    assert statuses(tmp_path / "out") == {
        "trimmed.mp4": "done",
        "cut.mp4": "partial",
        "cut.jpg": "partial",
    }
    files = [row["file"] for row in table(tmp_path / "out" / "landmarks.csv")]
    assert files.count("cut.jpg") == 1


def test_very_large_pictures_come_one_at_a_time(tmp_path: Path) -> None:
    alive: list[int] = []
    one = shared_room(tmp_path, lambda: None)
    other = shared_room(tmp_path, lambda: alive.append(1))
    order = []

    def second() -> None:
        with other(LARGE):
            order.append("second")

    with one(LARGE):
        thread = threading.Thread(target=second)
        thread.start()
        with other(LARGE - 1):
            order.append("small")
        deadline = time.monotonic() + 20
        while not alive and time.monotonic() < deadline:
            time.sleep(0.01)
        order.append("first")
    thread.join(20)
    assert alive, "waiting is a sign of life"
    assert order == ["small", "first", "second"]
