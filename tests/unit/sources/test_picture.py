from pathlib import Path

import numpy as np
import pytest
from helpers.media import drain, picture, write_animation, write_picture
from PIL import Image

from kpcli.errors import InputError
from kpcli.options import FrameSelection
from kpcli.sources import read_frames


def test_a_still_picture_is_one_frame(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", picture(20, 10))
    (frame,) = read_frames(path)
    assert (frame.source, frame.index, frame.seconds, frame.moving) == (path, 1, 0.0, False)
    np.testing.assert_array_equal(frame.pixels, picture(20, 10))


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_may_be_read_at_half_its_size(tmp_path: Path, orientation: int) -> None:
    smooth = picture(61, 41, seed=3)
    image = Image.fromarray(smooth).resize((321, 483))
    exif = Image.Exif()
    exif[274] = orientation
    for ending in ("jpg", "png"):
        image.save(tmp_path / f"a.{ending}", quality=95, exif=exif)
    asked = []

    def half(width: int, height: int) -> int:
        asked.append((width, height))
        return 2

    (frame,) = read_frames(tmp_path / "a.jpg", shrink=half)
    (whole,) = read_frames(tmp_path / "a.jpg")
    size = (321, 483) if orientation == 1 else (483, 321)
    assert frame.size == whole.size == asked[0] == size
    assert (frame.shrunk, whole.shrunk) == (2, 1)
    assert frame.pixels.shape[:2] == (-(-size[1] // 2), -(-size[0] // 2))
    np.testing.assert_array_equal(frame.whole().pixels, whole.pixels)
    assert whole.whole() is whole
    rows, columns = size[1] // 2, size[0] // 2  # a small pixel is the mean of four
    blocks = whole.pixels[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, 3)
    off = frame.pixels[:rows, :columns].astype(float) - blocks.mean(axis=(1, 3))
    assert np.abs(off).mean() < 2
    (png,) = read_frames(tmp_path / "a.png", shrink=half)
    assert png.shrunk == 1, "a PNG cannot be"
    Image.fromarray(smooth).save(
        tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[Image.fromarray(smooth)]
    )
    (phone,) = read_frames(tmp_path / "phone.jpg", shrink=half)
    assert (phone.shrunk, phone.size) == (2, (61, 41)), "as phones write it, with a second picture"


def test_a_cut_jpeg_is_read_at_its_full_size(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.jpg", picture(400, 400, seed=1), quality=95)
    path.write_bytes(path.read_bytes()[:-2000])
    frames, error = drain(read_frames(path, shrink=lambda *_: 2))
    assert error
    assert [(frame.shrunk, frame.pixels.shape) for frame in frames] == [(1, (400, 400, 3))]


def test_selections_are_about_videos_not_stills(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png")
    assert len(list(read_frames(path, FrameSelection(first=5, every=3, start=2.0)))) == 1


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_an_animation_is_frames_at_the_sums_of_their_durations(tmp_path: Path, ending: str) -> None:
    path = write_animation(tmp_path / f"a.{ending}", 3, [100, 250, 50])
    frames = list(read_frames(path))
    assert [f.index for f in frames] == [1, 2, 3]
    assert [f.seconds for f in frames] == pytest.approx([0, 0.1, 0.35])
    assert all(f.moving for f in frames)
    for i, frame in enumerate(frames):
        difference = np.abs(frame.pixels.astype(int) - picture(seed=i)).mean()
        assert difference < 12, f"frame {i} is another picture"


def test_selection_of_an_animation(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "a.gif", 6, 100)
    selection = FrameSelection(first=2, last=5, every=2)
    assert [f.index for f in read_frames(path, selection)] == [2, 4]
    assert [f.index for f in read_frames(path, FrameSelection(start=0.2, end=0.4))] == [3, 4, 5]


def test_every_page_of_a_tiff_is_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "pages.tiff"
    pages = [Image.fromarray(picture(seed=i)) for i in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    frames = list(read_frames(path))
    assert [(f.index, f.seconds, f.moving) for f in frames] == [
        (1, 0.0, True),
        (2, 1.0, True),
        (3, 2.0, True),
    ]
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.pixels, picture(seed=i))
    assert [f.index for f in read_frames(path, FrameSelection(first=2))] == [2, 3]


def test_a_thumbnail_in_a_tiff_is_no_page(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    small = Image.fromarray(picture(12, 10))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    Image.fromarray(picture()).save(path, save_all=True, append_images=[small])
    with Image.open(path) as image:
        image.seek(1)
        assert image.tag_v2[254] == 1, "the test's own file"
    (frame,) = read_frames(path)
    assert frame.pixels.shape == (40, 48, 3)


def test_a_frame_without_a_duration_is_shown_as_browsers_do(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "a.gif", 4, [0, 10, 20, 100])
    assert [f.seconds for f in read_frames(path)] == pytest.approx([0, 0.1, 0.2, 0.22])


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_without_its_end_is_a_frame_then_the_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    Image.fromarray(picture(96, 80)).save(path, format=kind)
    whole = next(iter(read_frames(path))).pixels
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    (frame,), error = drain(read_frames(path))
    assert "ends early" in error
    assert np.abs(frame.pixels[:30].astype(int) - whole[:30]).mean() < 1
    path.write_bytes(data[:-2])
    (frame,), error = drain(read_frames(path))
    np.testing.assert_array_equal(frame.pixels, whole)


def test_an_animation_that_ends_early_gives_its_frames_then_the_error(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "a.gif", 4)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"\x21\xf9") + 60])
    frames, error = drain(read_frames(path))
    assert [f.index for f in frames] == [1, 2, 3]
    assert "damaged" in error


def test_a_later_frame_that_promises_too_many_pixels(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "a.gif", 3)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"\x2c\x00\x00\x00\x00")  # the last frame's place and size
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(data))
    frames, error = drain(read_frames(path))
    assert len(frames) == 2
    assert "too large" in error


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0"])
def test_no_picture(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.jpg"):
        list(read_frames(path))
