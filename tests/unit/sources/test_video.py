from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.media import drain, picture, turn_clockwise, write_video

from kpcli.options import FrameSelection
from kpcli.sources import read_frames


def test_frames_and_true_timestamps_of_a_variable_rate(tmp_path: Path) -> None:
    pts = [0, 20, 25, 60, 61, 300]
    path = write_video(tmp_path / "a.mp4", pts=pts, time_base=Fraction(1, 600))
    frames = list(read_frames(path))
    assert [f.index for f in frames] == [1, 2, 3, 4, 5, 6]
    assert [f.seconds for f in frames] == pytest.approx([p / 600 for p in pts], abs=1e-9)
    assert all(f.moving and f.pixels.shape == (48, 64, 3) for f in frames)
    for i, frame in enumerate(frames):
        assert np.abs(frame.pixels.astype(int) - picture(64, 48, seed=i)).mean() < 8


def test_a_first_timestamp_that_is_not_zero_is_kept(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", pts=[300, 320, 340])
    assert next(iter(read_frames(path))).seconds == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_display_matrix_is_applied(tmp_path: Path, degrees: int) -> None:
    path = write_video(tmp_path / "a.mp4", 2)
    turn_clockwise(path, degrees)
    frame = next(iter(read_frames(path)))
    upright = np.rot90(picture(64, 48, seed=0), -degrees // 90)
    assert frame.pixels.shape == upright.shape
    assert np.abs(frame.pixels.astype(int) - upright).mean() < 8
    assert frame.pixels.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (FrameSelection(every=4), [1, 5, 9]),
        (FrameSelection(first=3, last=5), [3, 4, 5]),
        (FrameSelection(first=2, every=3), [2, 5, 8]),
        (FrameSelection(start=0.1, end=0.2), [4, 5, 6, 7]),
        (FrameSelection(start=0.11, every=2, last=8), [5, 7]),
        (FrameSelection(first=11), []),
        (FrameSelection(start=99), []),
    ],
)
def test_selection(tmp_path: Path, selection: FrameSelection, expected: list[int]) -> None:
    path = write_video(tmp_path / "a.mp4", 10)  # a frame every 1/30 s
    assert [f.index for f in read_frames(path, selection)] == expected


def test_other_containers_and_codecs(tmp_path: Path) -> None:
    for name, codec in (("a.avi", "mpeg4"), ("a.webm", "libvpx"), ("a.mpg", "mpeg2video")):
        size = (64, 48)
        frames = [picture(*size, seed=i) for i in range(5)]
        path = write_video(
            tmp_path / name, frames=frames, pts=range(5), time_base=Fraction(1, 30), codec=codec
        )
        assert len(list(read_frames(path))) == 5, name


def test_a_name_that_looks_like_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "x.mp4", 3).rename(tmp_path / "http:ü %d.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(list(read_frames(Path("http:ü %d.mp4")))) == 3


def read_all(path: Path) -> tuple[int, str]:
    frames, error = drain(read_frames(path))
    assert error
    return len(frames), error


def test_a_video_that_ends_early(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 60, options={"movflags": "+faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.7)])
    count, message = read_all(path)
    assert 10 < count < 60
    assert "a.mp4" in message


def test_a_video_with_a_hole(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 60, options={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 600] = bytes(600)
    path.write_bytes(bytes(data))
    count, message = read_all(path)
    assert count > 20
    assert "damaged" in message


@pytest.mark.parametrize("data", [b"", b"no video at all", b"\x00\x00\x00\x18ftypmp42" * 20])
def test_no_video(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    count, message = read_all(path)
    assert count == 0
    assert "a.mp4" in message


def test_missing(tmp_path: Path) -> None:
    assert read_all(tmp_path / "none.mp4") == (0, f"{tmp_path}/none.mp4: there is no such file")


def test_sound_without_pictures(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 16000, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert "no video stream" in read_all(path)[1]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("face_then_no_face.mov", 169, 0.0, 6.360352),
        ("portrait_long.mp4", 472, 0.0, 19.644625),
        ("single_face.mp4", 72, 0.0, 2.366667),
        ("two_people.mp4", 275, 0.852019, 9.994494),
    ],
)
def test_real_clips(shared: Path, name: str, count: int, first: float, last: float) -> None:
    seconds = [f.seconds for f in read_frames(shared / "videos" / name)]
    assert len(seconds) == count
    assert (seconds[0], seconds[-1]) == pytest.approx((first, last), abs=1e-5)
    assert seconds == sorted(seconds)
