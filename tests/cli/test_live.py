"""kpcli live on the command line: choices, refusals, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.media import write_video
from typer.testing import CliRunner

from kpcli.cli.app import app
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.sources import camera
from kpcli.workflows.live import window

RUN = CliRunner()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", count=6)


def test_headless_to_a_table(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["live", str(clip), "--headless", "--record", str(out), "--detector", "whole_image"]
    done = RUN.invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "clip.mp4: 6 frames seen of 6, 0 dropped for newer ones" in done.output
    assert f"written: {out / 'landmarks.csv'}" in done.output
    from kpcli import read_landmarks

    assert read_landmarks(out)["frame"].nunique() == 6


def test_a_file_that_ends_early_ends_with_5_as_annotate_does(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "in" / "long.mkv", count=40)
    clip.write_bytes(clip.read_bytes()[:-1000])
    out, annotated = tmp_path / "out", tmp_path / "annotated"
    choices = ["--detector", "whole_image"]
    done = RUN.invoke(app, ["live", str(clip), "--headless", "--record", str(out), *choices])
    assert done.exit_code == 5, done.output
    assert "ended early: the video ends early" in done.output
    assert (out / "recording_1.mp4").stat().st_size > 1000
    command = ["annotate", "file", str(clip), "--out", str(annotated), "--no-overlays", *choices]
    assert RUN.invoke(app, command).exit_code == 5
    assert (out / "landmarks.csv").read_bytes() == (annotated / "landmarks.csv").read_bytes()


def test_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(camera.sys, "platform", "linux")
    monkeypatch.setattr(camera, "V4L2", tmp_path)
    assert RUN.invoke(app, ["live", "--list"]).output == "no camera is there\n"
    (tmp_path / "video1").mkdir()
    (tmp_path / "video1" / "name").write_text("HD Webcam\n")
    assert RUN.invoke(app, ["live", "--list"]).output == "1  HD Webcam\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("CLIP --camera 1", UsageError),
        ("--size 640", UsageError),
        ("CLIP --headless", UsageError),
        ("CLIP --headless --record OUT --detector nonsense", UsageError),
        ("none.mp4 --headless --record OUT", InputError),
        ("--camera nobodys --headless --record OUT", InputError),
        ("CLIP --headless --record OUT --model none", ModelError),
    ],
)
def test_refusals(clip: Path, tmp_path: Path, words: str, error: type[Exception]) -> None:
    swaps = {"CLIP": str(clip), "OUT": str(tmp_path / "out")}
    done = RUN.invoke(app, ["live", *(swaps.get(w, w) for w in words.split())])
    assert isinstance(done.exception, error), done.output
    assert not (tmp_path / "out").exists()


def test_no_display_is_told(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":4321")
    done = RUN.invoke(app, ["live", str(clip)])
    assert isinstance(done.exception, ModelError)
    assert "no display" in str(done.exception)
    assert "--headless" in str(done.exception)


def test_a_window_that_does_not_open_is_told(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.setattr(window, "_PROBE", "import time; time.sleep(100)")
    monkeypatch.setattr(window, "_PROBE_SECONDS", 0.2)
    done = RUN.invoke(app, ["live", str(clip)])
    assert isinstance(done.exception, ModelError)
    assert "does not open" in str(done.exception)


def test_an_opencv_without_windows_is_told(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window.cv2, "getBuildInformation", lambda: "  GUI:      NONE\n")
    done = RUN.invoke(app, ["live", str(clip)])
    assert isinstance(done.exception, ModelError)
    assert "opencv-python" in str(done.exception)
