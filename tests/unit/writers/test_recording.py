"""Recordings: true times, whole whenever they are looked at, never over another file."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.media import picture

from kpcli.errors import InputError
from kpcli.writers.recording import FRAGMENT, Recording


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def test_the_times_are_those_of_the_frames(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "a.mp4")
    seconds = [7.5, 7.533, 7.9, 12.0, 12.01]
    for i, at in enumerate(seconds):
        recording.write(picture(64, 48, seed=i), at)
    recording.close()
    frames = decoded(tmp_path / "a.mp4")
    assert [f.time for f in frames] == pytest.approx([s - 7.5 for s in seconds], abs=1e-4)
    for i, frame in enumerate(frames):
        shown = frame.to_ndarray(format="rgb24").astype(int)
        assert np.abs(shown - picture(64, 48, seed=i)).mean() < 6


@pytest.mark.parametrize("rate", [30, 4])
def test_what_a_killed_run_leaves_can_be_played(tmp_path: Path, rate: int) -> None:
    recording = Recording(tmp_path / "a.mp4")
    count = 4 * rate + 1
    for i in range(count):
        recording.write(picture(64, 48, seed=i % 7), i / rate)
    shutil.copy(tmp_path / "a.mp4", tmp_path / "killed.mp4")  # what is on the disk at this moment
    recording.close()
    assert len(decoded(tmp_path / "killed.mp4")) >= (4 - FRAGMENT) * rate
    assert len(decoded(tmp_path / "a.mp4")) == count
    with av.open(str(tmp_path / "a.mp4")) as container:  # an ordinary MP4, once it is closed
        assert container.streams.video[0].frames == count


def test_odd_and_changing_sizes(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "a.mp4")
    recording.write(picture(65, 47), 0.0)
    recording.write(picture(96, 64), 0.1)
    recording.close()
    assert [(f.width, f.height) for f in decoded(tmp_path / "a.mp4")] == [(64, 46)] * 2


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("mine")
    with pytest.raises(InputError, match="cannot be written"):
        Recording(tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_text() == "mine"
    with pytest.raises(InputError, match="cannot be written"):
        Recording(tmp_path / "no" / "a.mp4")


def test_two_frames_of_one_time_follow_each_other(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "a.mp4")
    for at in (0.0, 0.0, 0.0):
        recording.write(picture(64, 48), at)
    recording.close()
    assert len(decoded(tmp_path / "a.mp4")) == 3
