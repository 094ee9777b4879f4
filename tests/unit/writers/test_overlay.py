from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers import clips
from helpers.media import picture, write_animation, write_video

from kpcli.drawing import draw_faces
from kpcli.errors import InputError
from kpcli.options import ALL_FRAMES, FrameSelection
from kpcli.schemes import IBUG68
from kpcli.sources import read_frames
from kpcli.types import Face, FaceBox
from kpcli.writers.overlay import VideoOverlay, overlay_name


@pytest.mark.parametrize(
    ("file", "moving", "name"),
    [
        ("a/b.jpg", False, "a/b.jpg"),
        ("a/b.PNG", False, "a/b.PNG"),
        ("b.ppm", False, "b.ppm.jpg"),
        ("b.gif", False, "b.gif.jpg"),
        ("b.gif", True, "b.gif.mp4"),
        ("b.png", True, "b.png.mp4"),
        ("b.MP4", True, "b.MP4"),
        ("b.mov", True, "b.mov.mp4"),
    ],
)
def test_names(file: str, moving: bool, name: str) -> None:
    assert overlay_name(file, moving=moving) == name


def face(left: float, top: float, side: float) -> Face:
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([np.cos(angle), np.sin(angle)], 1) * side / 3 + [
        left + side / 2,
        top + side / 2,
    ]
    box = FaceBox(left, top, left + side, top + side)
    return Face(box, points.astype(np.float32), np.ones(68), 0.9)


def test_drawing_changes_the_face_and_leaves_the_rest() -> None:
    pixels = np.full((200, 300, 3), 80, np.uint8)
    draw_faces(pixels, [face(20, 60, 80)], IBUG68)
    changed = (pixels != 80).any(axis=2)
    assert changed[60:140, 20:100].sum() > 200
    assert not changed[:, 150:].any()
    assert not changed[145:].any()


def write_overlay(
    path: Path, source: Path, selection: FrameSelection = ALL_FRAMES, fps: float = 0
) -> str:
    with VideoOverlay(path, source, selection=selection, fps=fps) as overlay:
        for frame in read_frames(source, selection):
            overlay.write(frame.pixels, frame.seconds)
    return overlay.silent


def test_a_video_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 12)
    found = set()
    for _ in range(30):
        write_overlay(tmp_path / "o.mp4", source)
        found.add((tmp_path / "o.mp4").read_bytes())
    assert len(found) == 1


def test_a_video_with_the_source_s_timing_that_browsers_play(tmp_path: Path) -> None:
    pts = [0, 20, 25, 60, 61, 300]
    source = write_video(tmp_path / "a.mkv", pts=pts, time_base=Fraction(1, 1000))
    write_overlay(tmp_path / "o.mp4", source)
    with av.open(str(tmp_path / "o.mp4")) as video:
        stream = video.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        frames = list(video.decode(video=0))
    assert [f.time for f in frames] == pytest.approx([p / 1000 for p in pts], abs=1e-6)
    for i, frame in enumerate(frames):
        got = frame.to_ndarray(format="rgb24").astype(int)
        assert np.abs(got - picture(64, 48, seed=i)).mean() < 12
    data = (tmp_path / "o.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "a browser could not start at once"


@pytest.mark.parametrize("name", clips.ODD)
def test_every_frame_of_odd_videos_at_its_time(tmp_path: Path, name: str) -> None:
    source = clips.ODD[name][0](tmp_path / name)
    write_overlay(tmp_path / "o.mp4", source)
    times = np.array([f.seconds for f in read_frames(source)])
    shown = np.array([f.seconds for f in read_frames(tmp_path / "o.mp4")])
    assert len(shown) == len(times)
    assert shown == pytest.approx(times - min(0, times[0]), abs=0.002)


@pytest.mark.parametrize("size", [(64, 48), (1280, 720)])
def test_the_colours_are_tagged_and_true(tmp_path: Path, size: tuple[int, int]) -> None:
    bars = np.zeros((size[1], size[0], 3), np.uint8)
    colours = [(200, 20, 20), (20, 200, 20), (20, 20, 200)]
    for i, colour in enumerate(colours):
        bars[:, i * size[0] // 3 : (i + 1) * size[0] // 3] = colour
    source = write_video(tmp_path / "a.mp4", frames=[bars] * 2, pts=[0, 20])
    with VideoOverlay(tmp_path / "o.mp4", source) as overlay:
        overlay.write(bars, 0)
    with av.open(str(tmp_path / "o.mp4")) as video:
        context = video.streams.video[0].codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1), "BT.709"
        assert context.color_range == 1, "16 to 235"
        frame = next(video.decode(video=0))
    planes = frame.to_ndarray(format="yuv444p").astype(float)
    for i, (red, green, blue) in enumerate(colours):
        y, cb, cr = planes[:, size[1] // 2, (2 * i + 1) * size[0] // 6]
        luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue  # ITU-R BT.709-6, 3.2
        assert y == pytest.approx(16 + 219 * luma / 255, abs=3)
        assert cb == pytest.approx(128 + 224 * (blue - luma) / 1.8556 / 255, abs=3)
        assert cr == pytest.approx(128 + 224 * (red - luma) / 1.5748 / 255, abs=3)


def test_odd_sides_are_made_even(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 3)
    with VideoOverlay(tmp_path / "o.mp4", source) as overlay:
        for i in range(3):
            overlay.write(picture(51, 37, seed=i), i / 30)
        overlay.write(picture(70, 37), 0.5)  # a frame of another size is fitted
    frames = list(read_frames(tmp_path / "o.mp4"))
    assert [f.pixels.shape for f in frames] == [(38, 52, 3)] * 4
    assert np.abs(frames[0].pixels[:37, :51].astype(int) - picture(51, 37)).mean() < 12


def test_an_animation_becomes_a_video(tmp_path: Path) -> None:
    source = write_animation(tmp_path / "a.gif", 3, [100, 300, 50])
    write_overlay(tmp_path / "o.mp4", source)
    seconds = [f.seconds for f in read_frames(tmp_path / "o.mp4")]
    assert seconds == pytest.approx([0, 0.1, 0.4], abs=0.002)


def seeds(path: Path) -> list[int]:
    """Which of the frames of `write_video` each frame shows."""
    pictures = [picture(64, 48, seed=i).astype(int) for i in range(60)]
    return [
        int(np.argmin([np.abs(f.pixels - p).mean() for p in pictures])) for f in read_frames(path)
    ]


def test_a_constant_rate_shows_what_the_source_shows_at_that_time(tmp_path: Path) -> None:
    pts = [0, 20, 25, 60, 61, 300]
    source = write_video(tmp_path / "a.mkv", pts=pts, time_base=Fraction(1, 1000))
    write_overlay(tmp_path / "o.mp4", source, fps=50)
    frames = list(read_frames(tmp_path / "o.mp4"))
    assert [f.seconds for f in frames] == pytest.approx([i / 50 for i in range(len(frames))])
    assert seeds(tmp_path / "o.mp4") == [0, 2, 2, *[4] * 12, 5, 5]


@pytest.mark.parametrize(("fps", "count"), [(10, 20), (15, 30), (29.97, 60), (30, 60), (60, 120)])
def test_a_constant_rate_keeps_the_length(tmp_path: Path, fps: float, count: int) -> None:
    source = write_video(tmp_path / "a.mp4", 60)
    write_overlay(tmp_path / "o.mp4", source, fps=fps)
    with av.open(str(tmp_path / "o.mp4")) as video:
        assert video.streams.video[0].frames == count
        assert float(video.streams.video[0].average_rate) == pytest.approx(fps)


def test_a_constant_rate_slower_than_the_whole_video_has_a_frame(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 3)
    write_overlay(tmp_path / "o.mp4", source, fps=1)
    assert seeds(tmp_path / "o.mp4") == [2]


def test_a_gap_without_end_is_not_filled(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", pts=[0, 1, 10**6], time_base=Fraction(1, 1))
    with pytest.raises(InputError, match="stays for more than 600 s"):
        write_overlay(tmp_path / "o.mp4", source, fps=30)


def sound(path: Path) -> list[tuple[float, int]]:
    """Time and size of each packet of sound."""
    with av.open(str(path)) as video:
        if not video.streams.audio:
            return []
        packets = [p for p in video.demux(audio=0) if p.pts is not None]
        return [(float(p.pts * p.time_base), p.size) for p in packets]


def test_sound_is_kept_packet_by_packet(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 60, audio="aac")
    assert len(sound(source)) > 20
    for fps in (0, 12):
        assert write_overlay(tmp_path / "o.mp4", source, fps=fps) == ""
        assert sound(tmp_path / "o.mp4") == sound(source)
    write_overlay(tmp_path / "o.mp4", source, FrameSelection(every=7))
    assert sound(tmp_path / "o.mp4") == sound(source), "the same stretch of time"


@pytest.mark.parametrize(
    "cut", [FrameSelection(start=1, end=1.5), FrameSelection(first=31, last=46, every=3)]
)
def test_a_cut_begins_at_0_with_its_sound(tmp_path: Path, cut: FrameSelection) -> None:
    source = write_video(tmp_path / "a.mp4", 60, audio="aac")
    write_overlay(tmp_path / "o.mp4", source, cut)
    seconds = [f.seconds for f in read_frames(tmp_path / "o.mp4")]
    assert seconds == pytest.approx([i / 30 for i in range(0, 16, cut.every)])
    expected = [(t - 1, size) for t, size in sound(source) if 1 - 1024 / 16000 < t <= 1.5]
    got = sound(tmp_path / "o.mp4")
    assert [size for _, size in got] == [size for _, size in expected]
    assert [t for t, _ in got] == pytest.approx([t for t, _ in expected], abs=1e-3)


def test_only_an_end_is_cut_off(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 60, audio="aac")
    write_overlay(tmp_path / "o.mp4", source, FrameSelection(last=31))
    assert sound(tmp_path / "o.mp4") == [(t, size) for t, size in sound(source) if t <= 1]


def test_sound_that_mp4_cannot_carry_is_named(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", 10, audio="pcm_s16le")
    assert sound(source)
    assert write_overlay(tmp_path / "o.mp4", source) == "pcm_s16le"
    assert sound(tmp_path / "o.mp4") == []
    assert len(list(read_frames(tmp_path / "o.mp4"))) == 10


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 3)
    with pytest.raises(InputError, match="cannot be written"):
        write_overlay(tmp_path / "none" / "o.mp4", source)
