"""kpcli annotate over media that simple readers get wrong."""

from __future__ import annotations

import csv
import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pillow_heif
import pytest
from helpers import clips
from helpers.fakes import FakePredictor
from helpers.media import picture, write_picture
from PIL import Image

from kpcli.errors import InputError
from kpcli.options import AnnotateOptions, FrameSelection
from kpcli.sources.room import LARGE, shared_room
from kpcli.sources.timing import Clock
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
    images = json.loads(next((out / "annotations").glob("*.json")).read_text())["images"]
    assert [(i["width"], i["height"]) for i in images] == sizes
    feat = table(out / "pyfeat.csv")
    assert [(int(r["FrameWidth"]), int(r["FrameHeight"])) for r in feat] == sizes


def test_a_late_start_is_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is passed over is a heartbeat: the whole takes longer than the timeout."""
    seconds = Clock.seconds

    def slow(self: Clock, frame: object) -> float:
        time.sleep(0.005)
        return seconds(self, frame)

    monkeypatch.setattr(Clock, "seconds", slow)
    clips.film(tmp_path / "in" / "a.ts", 300)  # of which every frame is decoded
    first = FrameSelection(first=298)
    report = run(tmp_path / "in", tmp_path / "out", frames=first, timeout=0.8)
    assert report.exit_code == 0
    frames = [row["frame"] for row in table(tmp_path / "out" / "landmarks.csv")]
    assert frames == ["298", "299", "300"]


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
    assert alive, "waiting is a heartbeat"
    assert order == ["small", "first", "second"]


def test_heic_and_files_that_look_like_media(tmp_path: Path) -> None:
    source = tmp_path / "in"
    write_picture(source / "a.png")
    pillow_heif.from_pillow(Image.fromarray(picture(64, 48))).save(source / "IMG_1.HEIC")
    write_picture(source / "b.png").rename(source / "no ending")
    clips.film(source / "c.mp4", 3).rename(source / "c.mp4.part")
    for name in ("d.NEF", "e.psd", "notes.txt"):
        (source / name).write_bytes(b"some bytes")
    report = run(source, tmp_path / "out")
    assert report.exit_code == 0
    assert "5 ignored" in report.summary()
    assert "4 look like media" in report.summary()
    told = {row["file"]: row for row in table(tmp_path / "out" / "manifest.csv")}
    assert {file: row["status"] for file, row in told.items()} == {
        "IMG_1.HEIC": "done",
        "a.png": "done",
        "c.mp4.part": "ignored",
        "d.NEF": "ignored",
        "e.psd": "ignored",
        "no ending": "ignored",
    }
    assert "raw picture" in told["d.NEF"]["reason"]
    assert "annotate file" in told["no ending"]["reason"]


def test_a_file_goes_by_its_content_and_a_missing_one_fails_alone(tmp_path: Path) -> None:
    video = clips.film(tmp_path / "c.mp4", 3).rename(tmp_path / "c.dat")
    still = write_picture(tmp_path / "b.png").rename(tmp_path / "b")
    inputs = (video, tmp_path / "missing.jpg", still)
    options = AnnotateOptions(
        inputs=inputs, out=tmp_path / "out", folder=False, detector="whole_image"
    )
    report = annotate(options, FakePredictor())
    assert report.exit_code == 5
    assert statuses(tmp_path / "out") == {"b": "done", "c.dat": "done", "missing.jpg": "failed"}
    assert "missing.jpg: there is no such file" in report.summary()
    with pytest.raises(InputError, match="no such file"):
        annotate(replace(options, inputs=(tmp_path / "missing.jpg",)), FakePredictor())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    still = write_picture(tmp_path / "b.png")
    options = AnnotateOptions(
        inputs=(tmp_path / "pipe.jpg", still),
        out=tmp_path / "out",
        folder=False,
        detector="whole_image",
        timeout=5,
    )
    annotate(options, FakePredictor())
    assert statuses(tmp_path / "out") == {"b.png": "done", "pipe.jpg": "failed"}
    assert "timeout" not in (tmp_path / "out" / "manifest.csv").read_text()


def test_names_with_line_breaks_are_one_row(tmp_path: Path) -> None:
    names = ["a\rb.png", "c\nd.png", 'e",f.png']
    for name in names:
        write_picture(tmp_path / "in" / name)
    run(tmp_path / "in", tmp_path / "out", formats=("coco",))
    for output in ("manifest.csv", "landmarks.csv"):
        assert sorted(row["file"] for row in table(tmp_path / "out" / output)) == names
