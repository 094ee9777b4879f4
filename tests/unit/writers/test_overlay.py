from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media import picture, write_animation, write_video

from kpcli.errors import InputError
from kpcli.schemes import IBUG68
from kpcli.sources import read_frames
from kpcli.types import FaceBox, Prediction
from kpcli.writers.overlay import VideoOverlay, draw_faces, overlay_name


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
def test_names(tmp_path: Path, file: str, moving: bool, name: str) -> None:
    assert overlay_name(file, moving=moving, root=tmp_path) == name


def test_a_name_that_another_file_has_is_avoided(tmp_path: Path) -> None:
    for name in ("b.gif", "b.gif.jpg", "b.gif.overlay.jpg"):
        (tmp_path / name).touch()
    names = [overlay_name(f.name, moving=False, root=tmp_path) for f in tmp_path.iterdir()]
    assert len(set(names)) == 3


def face(left: float, top: float, side: float) -> Prediction:
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([np.cos(angle), np.sin(angle)], 1) * side / 3 + [
        left + side / 2,
        top + side / 2,
    ]
    box = FaceBox(left, top, left + side, top + side)
    return Prediction(Path("a"), 1, 0, box, points.astype(np.float32), np.ones(68), 0.9, 0)


def test_drawing_changes_the_face_and_leaves_the_rest() -> None:
    pixels = np.full((200, 300, 3), 80, np.uint8)
    draw_faces(pixels, [face(20, 60, 80)], IBUG68)
    changed = (pixels != 80).any(axis=2)
    assert changed[60:140, 20:100].sum() > 200
    assert not changed[:, 150:].any()
    assert not changed[145:].any()


def write_overlay(path: Path, source: Path, *, audio: bool = False) -> None:
    with VideoOverlay(path, source, audio=audio) as overlay:
        for frame in read_frames(source):
            overlay.write(frame.pixels, frame.seconds)


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


def test_odd_sides_are_made_even(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 3)
    with VideoOverlay(tmp_path / "o.mp4", source, audio=False) as overlay:
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


def sound(path: Path) -> list[tuple[int, int]]:
    with av.open(str(path)) as video:
        if not video.streams.audio:
            return []
        return [(p.pts, p.size) for p in video.demux(audio=0) if p.pts is not None]


def test_sound_is_kept_packet_by_packet(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 60, audio=True)
    write_overlay(tmp_path / "o.mp4", source, audio=True)
    assert len(sound(source)) > 20
    assert sound(tmp_path / "o.mp4") == sound(source)
    write_overlay(tmp_path / "silent.mp4", source, audio=False)
    assert sound(tmp_path / "silent.mp4") == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 3)
    with pytest.raises(InputError, match="cannot be written"):
        write_overlay(tmp_path / "none" / "o.mp4", source)
