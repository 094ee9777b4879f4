"""A real window under Xvfb, keys sent by xdotool; and what a killed process leaves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from helpers.media import picture, write_video
from PIL import Image

from kpcli.workflows.live.window import TITLE

NEEDED = ("Xvfb", "xdotool", "xwd", "convert")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
PATIENCE = 240
"""Seconds: the machine may be busy."""


def until(what: Callable[[], object]) -> object:
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.2)
    return found


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Four minutes of a spot that wanders, two frames a second: it does not end in the test."""
    frames = [picture(320, 240, seed=i % 3) for i in range(480)]
    return write_video(tmp_path / "clip.mp4", pts=[300 * i for i in range(480)], frames=frames)


@pytest.fixture
def display(tmp_path: Path) -> Iterator[dict[str, str]]:
    if MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)} (apt-get install xvfb xdotool x11-apps)")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as numbers:
        number = numbers.readline().strip()
    yield {**os.environ, "DISPLAY": f":{number}"}
    server.terminate()
    server.wait()


def start(clip: Path, cwd: Path, *more: str, env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kpcli", "live", str(clip), "--detector", "whole_image", *more],
        cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def screenshot(path: Path, env: dict[str, str]) -> Image.Image:
    dump = subprocess.run(["xwd", "-root"], env=env, capture_output=True, check=True).stdout
    subprocess.run(["convert", "xwd:-", str(path)], input=dump, check=True)
    with Image.open(path) as image:
        return image.convert("RGB").copy()


def test_a_window_with_keys(clip: Path, tmp_path: Path, display: dict[str, str]) -> None:
    process = start(clip, tmp_path, env=display)
    out = Path(os.environ.get("KPCLI_SCREENSHOTS", tmp_path))

    def window() -> str:
        found = subprocess.run(
            ["xdotool", "search", "--name", TITLE], env=display, capture_output=True, text=True,
            check=False,
        ).stdout.split()  # fmt: skip
        return found[-1] if found else ""

    identity = str(until(window))
    subprocess.run(["xdotool", "windowfocus", identity], env=display, check=True)

    def shown() -> Image.Image | None:
        image = screenshot(out / "live_window.png", display)
        return image if len(image.getcolors(10**6) or ()) > 500 else None

    until(shown)

    def press(key: str) -> None:
        subprocess.run(["xdotool", "key", key], env=display, check=True)

    press("h")
    press("s")
    until(lambda: (tmp_path / "live" / "picture_1.png").is_file())
    screenshot(out / "live_help.png", display)
    press("l")
    press("m")
    press("r")
    recording = tmp_path / "live" / "recording_1.mp4"
    until(lambda: recording.is_file() and recording.stat().st_size > 2000)
    screenshot(out / "live_recording.png", display)
    press("r")
    press("q")
    told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert "written: live/picture_1.png" in told
    with av.open(str(recording)) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_ended(clip: Path, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    process = start(
        clip, tmp_path, "--headless", "--pace", "real-time", "--record", str(out),
        env={**os.environ},
    )  # fmt: skip
    table = out / "landmarks.csv"
    until(lambda: table.is_file() and table.read_bytes().count(b"\n") > 4)
    process.send_signal(number)
    told, _ = process.communicate(timeout=PATIENCE)
    killed = number == signal.SIGKILL
    assert process.returncode == (-signal.SIGKILL if killed else 130), told
    rows = table.read_bytes().splitlines()
    assert len({row.count(b",") for row in rows}) == 1
    with av.open(str(out / "recording_1.mp4")) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert killed or frames == len(rows) - 1
    process = start(clip, tmp_path, "--headless", "--record", str(out), env={**os.environ})
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 3  # what is there stays
    assert table.read_bytes().splitlines() == rows
