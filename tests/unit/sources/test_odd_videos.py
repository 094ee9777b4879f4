"""Videos as players show them: which frames, when, which way up, in what shape."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from helpers import clips
from helpers.media import drain, picture, write_animation, write_picture, write_video

from kpcli.options import FrameSelection
from kpcli.sources import read_frames
from kpcli.types import Frame


def whole(path: Path) -> list[Frame]:
    frames, error = drain(read_frames(path))
    assert error == ""
    return frames


@pytest.mark.parametrize("name", clips.ODD)
def test_intact_clips_give_all_their_frames_at_rising_times(tmp_path: Path, name: str) -> None:
    build, count = clips.ODD[name]
    frames = whole(build(tmp_path / name))
    assert [f.index for f in frames] == list(range(1, count + 1))
    assert all(a.seconds < b.seconds for a, b in pairwise(frames))


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
@pytest.mark.parametrize("name", clips.ODD)
def test_times_are_those_of_ffprobe(tmp_path: Path, name: str) -> None:
    path = clips.ODD[name][0](tmp_path / name)
    entries = ["-show_entries", "frame=best_effort_timestamp_time", "-of", "json"]
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", *entries, str(path)]
    shown = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["frames"]
    times = [f.get("best_effort_timestamp_time") for f in shown]
    frames = whole(path)
    assert len(times) == len(frames)
    for frame, time in zip(frames, times, strict=True):
        assert time is None or frame.seconds == pytest.approx(float(time), abs=1e-6)


def test_a_trimmed_clip_begins_where_it_was_cut(tmp_path: Path) -> None:
    frames = whole(clips.trimmed(tmp_path / "a.mp4", 20))
    assert frames[0].seconds == pytest.approx(0)
    assert clips.seeds([f.pixels for f in frames[:8]]) == [(20 + i) % 7 for i in range(8)]


def test_times_of_the_container(tmp_path: Path) -> None:
    def times(name: str) -> list[float]:
        return [f.seconds for f in whole(clips.ODD[name][0](tmp_path / name))]

    dropped = [0, 1, 2, 7, 8, 20, 21, 22]
    assert times("dropped.avi") == pytest.approx([t / 30 for t in dropped], abs=1e-6)
    assert np.diff(times("bframes.avi")) == pytest.approx(1 / 30, abs=1e-6)
    assert np.diff(times("raw.h264")) == pytest.approx(times("raw.h264")[1], abs=1e-6)
    expected = [t / 30 for t in range(-15, 30)]
    assert times("negative.mkv") == pytest.approx(expected, abs=0.0011)


@pytest.mark.parametrize("matrix", [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)])
@pytest.mark.parametrize("transposed", [False, True])
def test_every_display_matrix(
    tmp_path: Path, matrix: tuple[int, int, int, int], transposed: bool
) -> None:
    """A pixel (x, y) is shown at (a x + c y, b x + d y), moved into the picture."""
    a, b, c, d = matrix if not transposed else (0, matrix[0], matrix[3], 0)
    path = write_video(tmp_path / "a.mp4", 2)
    clips.set_matrix(path, a, b, c, d)
    stored = picture(64, 48, seed=0)
    y, x = np.mgrid[:48, :64]
    column, row = a * x + c * y, b * x + d * y
    column, row = column - column.min(), row - row.min()
    shown = np.zeros((row.max() + 1, column.max() + 1, 3), np.uint8)
    shown[row, column] = stored
    frame = whole(path)[0]
    assert frame.pixels.shape == shown.shape
    assert np.abs(frame.pixels.astype(int) - shown).mean() < 8
    assert frame.pixels.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mpg"])
def test_pixels_are_square(tmp_path: Path, name: str) -> None:
    codec = "mpeg2video" if name == "a.mpg" else "libx264"
    # MPEG-2 has four shapes of picture only: 16:9 here.
    aspect = Fraction(4, 3) if name == "a.mpg" else Fraction(64, 45)
    path = clips.film(tmp_path / name, 3, codec=codec, aspect=aspect)
    width = round(64 * aspect)
    frame = whole(path)[0]
    assert frame.pixels.shape == (48, width, 3)
    assert np.abs(frame.pixels.astype(int) - picture(width, 48, seed=0)).mean() < 10


def test_a_turned_anamorphic_video_is_scaled_before_it_is_turned(tmp_path: Path) -> None:
    path = clips.film(tmp_path / "a.mp4", 2, aspect=Fraction(2))
    clips.set_matrix(path, 0, 1, -1, 0)
    assert whole(path)[0].pixels.shape == (128, 48, 3)


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    cover = Disposition.attached_pic
    path = clips.with_streams(tmp_path / "a.mp4", [(64, 48)], [cover], audio=True)
    frames, error = drain(read_frames(path))
    assert (frames, "no video stream" in error) == ([], True)


def test_the_default_stream_is_taken(tmp_path: Path) -> None:
    dispositions = [Disposition(0), Disposition.default]
    path = clips.with_streams(tmp_path / "a.mkv", [(32, 32), (64, 48)], dispositions, audio=False)
    assert [f.pixels.shape for f in whole(path)] == [(48, 64, 3)] * 5


def test_content_counts_not_the_ending(tmp_path: Path) -> None:
    made = {
        "video.jpg": clips.film(tmp_path / "a.mp4", 5),
        "picture.mp4": write_picture(tmp_path / "b.png"),
        "animation.mov": write_animation(tmp_path / "c.gif", 4),
        "raw.mp4": clips.film(tmp_path / "d.h264", 6, kind="h264"),
        "no ending": clips.film(tmp_path / "e.mkv", 7),
        "stream.dat": clips.film(tmp_path / "f.ts", 8),
    }
    counts = {name: len(whole(path.rename(tmp_path / name))) for name, path in made.items()}
    assert list(counts.values()) == [5, 1, 4, 6, 7, 8]


def test_a_size_that_changes_midway(tmp_path: Path) -> None:
    shapes = [f.pixels.shape for f in whole(clips.two_sizes(tmp_path / "a.h264"))]
    assert shapes == [(48, 64, 3)] * 10 + [(64, 96, 3)] * 10


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.ts", "a.jpg"])
def test_a_list_of_files_in_a_video_s_place_opens_none_of_them(tmp_path: Path, name: str) -> None:
    clips.film(tmp_path / "secret.mp4", 5)
    for text in (
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    ):
        (tmp_path / name).write_text(text)
        frames, error = drain(read_frames(tmp_path / name))
        assert frames == []
        assert "not a readable" in error


@pytest.mark.parametrize("share", [0.4, 0.55, 0.7, 0.85, 0.97])
@pytest.mark.parametrize(
    ("name", "movflags"),
    [("a.mp4", "frag_keyframe+empty_moov"), ("a.mp4", "faststart"), ("a.mkv", ""), ("a.avi", "")],
)
def test_a_cut_file_is_noticed(tmp_path: Path, name: str, movflags: str, share: float) -> None:
    container = {"movflags": movflags} if movflags else {}
    path = clips.film(tmp_path / name, 60, size=(160, 120), container=container)
    assert len(whole(path)) == 60
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    frames, error = drain(read_frames(path))
    assert 2 < len(frames) <= 60
    assert "ends early" in error or "damaged" in error


def test_a_frame_that_the_decoder_says_is_damaged(tmp_path: Path) -> None:
    path = clips.film(tmp_path / "a.mp4", 60, size=(128, 96), container={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    middle = (data.index(b"mdat") + len(data)) // 2
    data[middle : middle + 20] = np.random.default_rng(0).bytes(20)
    path.write_bytes(bytes(data))
    with av.open(str(path)) as container:
        assert any(f.is_corrupt for f in container.decode(video=0)), "the test's own file"
    frames, error = drain(read_frames(path))
    assert len(frames) > 50
    assert "the video is damaged" in error


DEEP = {
    "plain": ("a.mp4", {}),
    "open groups": ("a.mkv", {"x264-params": "open-gop=1:bframes=3:keyint=12"}),
    "gradual refresh": ("a.mp4", {"x264-params": "intra-refresh=1:keyint=12"}),
    "hevc": ("a.mp4", {"codec": "libx265"}),
    "hevc, open groups": (
        "a.mkv",
        {"codec": "libx265", "x265-params": "log-level=none:open-gop=1:keyint=12"},
    ),
    "vp9": ("a.webm", {"codec": "libvpx-vp9", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    "vp8": ("a.webm", {"codec": "libvpx", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    "mpeg4 in avi": ("a.avi", {"codec": "mpeg4", "bf": "2"}),
    "transport stream": ("a.ts", {}),
}


@pytest.mark.parametrize("kind", DEEP)
def test_a_late_start_gives_the_same_frames_as_reading_all(tmp_path: Path, kind: str) -> None:
    name, options = DEEP[kind]
    codec = options.get("codec", "libx264")
    rest = {k: v for k, v in options.items() if k != "codec"}
    path = clips.film(tmp_path / name, 150, codec=codec, codec_options=rest)
    everything = {f.index: f for f in whole(path)}
    assert len(everything) == 150
    start = everything[120].seconds
    for selection, wanted in (
        (FrameSelection(start=start), range(120, 151)),
        (FrameSelection(first=100, last=110, every=3), (100, 103, 106, 109)),
        (FrameSelection(first=20, start=start, end=start + 0.11), (120, 121, 122, 123)),
        (FrameSelection(first=149), (149, 150)),
    ):
        frames, error = drain(read_frames(path, selection))
        assert error == ""
        assert [f.index for f in frames] == list(wanted)
        for frame in frames:
            same = everything[frame.index]
            assert frame.seconds == same.seconds
            np.testing.assert_array_equal(frame.pixels, same.pixels)


def test_what_is_passed_over_is_a_heartbeat_and_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kpcli.sources.timing import Clock

    decoded = []
    seconds = Clock.seconds
    monkeypatch.setattr(Clock, "seconds", lambda self, f: (decoded.append(f), seconds(self, f))[1])
    path = clips.film(tmp_path / "a.mp4", 300)
    signs: list[int] = []
    frames = list(read_frames(path, FrameSelection(first=290), passed=lambda: signs.append(1)))
    assert len(frames) == 11
    assert len(signs) >= 280
    assert len(decoded) < 60
    signs.clear()
    stream = clips.film(tmp_path / "a.ts", 100)
    assert (
        len(list(read_frames(stream, FrameSelection(start=99), passed=lambda: signs.append(1))))
        == 0
    )
    assert len(signs) >= 100
