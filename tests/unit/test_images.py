from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import PIL
import pytest
from helpers.dataset_builders import picture
from PIL import Image

from kpcli import colours
from kpcli.errors import InputError
from kpcli.images import open_image, read_image, write_image

RGB = picture(seed=3, size=32)


def test_rgb_in_every_common_format(tmp_path: Path) -> None:
    for ending in ("png", "bmp", "tiff", "webp", "ppm"):
        path = tmp_path / f"a.{ending}"
        Image.fromarray(RGB).save(path, **({"lossless": True} if ending == "webp" else {}))
        np.testing.assert_array_equal(read_image(path), RGB)
    Image.fromarray(RGB).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - RGB).mean() < 4


def test_bytes_count_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "größe 漢字 .jpg"
    Image.fromarray(RGB).convert("RGBA").save(path, format="PNG")
    np.testing.assert_array_equal(read_image(path), RGB)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
def test_every_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    if mode == "YCbCr" and int(PIL.__version__.split(".")[0]) < 13:
        pytest.skip("Pillow before 13 reads no YCbCr TIFF: such a file is `failed`")
    gray = Image.fromarray(RGB).convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    elif mode == "1":
        image = gray.convert("1", dither=Image.Dither.NONE)
    else:
        image = (gray if mode in ("L", "LA", "F") else Image.fromarray(RGB)).convert(mode)
    path = tmp_path / "a.tiff"
    if mode in ("P", "LA"):
        path = tmp_path / "a.png"
    image.save(path)
    pixels = read_image(path)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (32, 32, 3)
    expected = np.asarray(gray) if mode in ("L", "LA", "I;16", "F") else None
    if expected is not None:
        for channel in range(3):
            np.testing.assert_array_equal(pixels[..., channel], expected)
    elif mode == "1":
        assert set(np.unique(pixels)) == {0, 255}
    else:
        assert np.abs(pixels.astype(int) - RGB).mean() < 20


def test_alpha_is_blended_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = (255, 0, 128)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    values = read_image(tmp_path / "a.png")[0]
    assert values[0].tolist() == [0, 0, 0]
    assert values[1].tolist() == [255, 255, 255]
    assert abs(int(values[2, 0]) - 127) <= 1


def test_transparent_palette(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 255, 255], [40, 50, 60]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    """Stored so that the orientation brings it upright: the bright corner is top left."""
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:6, :6] = 250
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), upright)


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (8, 8), c) for c in ((200, 0, 0), (0, 200, 0)))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert read_image(tmp_path / "a.gif")[4, 4].tolist() == [200, 0, 0]


def test_float_and_wide_gray_span_the_range(tmp_path: Path) -> None:
    for values in (
        np.linspace(-3, 7, 64, dtype=np.float32).reshape(8, 8),
        np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8),
        np.linspace(0, 65535, 64, dtype=np.float32).reshape(8, 8),
    ):
        Image.fromarray(values).save(tmp_path / "a.tiff")
        pixels = read_image(tmp_path / "a.tiff")
        assert pixels.min() == 0
        assert pixels.max() == 255
    Image.fromarray(np.full((4, 4), 3.5, np.float32)).save(tmp_path / "flat.tiff")
    assert read_image(tmp_path / "flat.tiff").std() == 0


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_few_bits_in_sixteen_are_stretched(tmp_path: Path, bits: int, ending: str) -> None:
    most = 2**bits - 1
    values = np.linspace(0, most, 4096).reshape(64, 64).astype(np.uint16)
    values[3, 3] = most  # and a dead pixel
    Image.fromarray(values).save(tmp_path / f"a.{ending}")
    pixels = read_image(tmp_path / f"a.{ending}")
    assert np.abs(pixels[..., 0] - values * (255 / most)).max() < 1.5


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_few_bits_in_sixteen_of_colour_are_stretched(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    wide = RGB.astype(np.uint16)[..., ::-1] * 16 + 5  # 12 bits
    cv2.imwrite(str(path), wide)
    low, high = np.percentile(wide, (0.1, 99.9))
    expected = np.clip((wide[..., ::-1] - low) * 255 / (high - low), 0, 255)
    assert np.abs(read_image(path) - expected).max() < 1
    cv2.imwrite(str(path), RGB.astype(np.uint16)[..., ::-1] * 257)
    np.testing.assert_array_equal(read_image(path), RGB)


def test_thermal_pictures_and_holes_in_them(tmp_path: Path) -> None:
    warm = np.linspace(29000, 30020, 4096).reshape(64, 64)
    Image.fromarray(warm.astype(np.uint16)).save(tmp_path / "a.tiff")
    pixels = read_image(tmp_path / "a.tiff")
    assert (pixels.min(), pixels.max()) == (0, 255)
    for hole in (np.nan, np.inf, -np.inf):
        kelvin = (warm / 100).astype(np.float32)
        kelvin[10, 10] = hole
        Image.fromarray(kelvin).save(tmp_path / "b.tiff")
        near = np.abs(read_image(tmp_path / "b.tiff").astype(int) - pixels)
        near[10, 10] = 0
        assert near.max() <= 1
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(tmp_path / "c.tiff")
    assert read_image(tmp_path / "c.tiff").max() == 0


def test_strips_are_seamless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (31, 17, 4), np.uint8)
    wide = np.random.default_rng(1).integers(0, 65536, (31, 17), np.uint16)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    Image.fromarray(wide).save(tmp_path / "b.png")
    whole = [read_image(tmp_path / name) for name in ("a.png", "b.png")]
    monkeypatch.setattr(colours, "STRIP", 40)
    monkeypatch.setattr(colours, "SMALL", 40)
    for name, pixels in zip(("a.png", "b.png"), whole, strict=True):
        np.testing.assert_array_equal(read_image(tmp_path / name), pixels)


def test_heic_and_avif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pillow_heif

    smooth = picture(seed=3, size=64)
    pillow_heif.from_pillow(Image.fromarray(smooth)).save(tmp_path / "a.HEIC", quality=95)
    Image.fromarray(smooth).save(tmp_path / "a.avif", quality=95)
    for name in ("a.HEIC", "a.avif"):
        (tmp_path / name).rename(tmp_path / "b.jpg")  # bytes count, not the name
        assert np.abs(read_image(tmp_path / "b.jpg").astype(int) - smooth).mean() < 6, name
        (tmp_path / "b.jpg").rename(tmp_path / name)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(InputError, match="HEIC") as error:
        read_image(tmp_path / "a.HEIC")
    assert error.value.next_step == "pip install pillow-heif"
    assert read_image(tmp_path / "a.avif").shape == (64, 64, 3)


def test_postscript_is_no_picture_and_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*args: object, **settings: object) -> None:
        raise AssertionError("a program is started")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    path = tmp_path / "a.png"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n")
    with pytest.raises(InputError, match="not a readable picture"):
        read_image(path)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    wide = np.zeros((1, 20000, 3), np.uint8)
    with pytest.raises(InputError, match="cannot be written"):
        write_image(tmp_path / "a.webp", wide)
    with pytest.raises(InputError, match="cannot be written"):
        write_image(tmp_path / "a.nonsense", RGB)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp", "tiff"])
def test_a_full_disk_is_noticed(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"a.{ending}").symlink_to("/dev/full")
    with pytest.raises(InputError, match="No space left"):
        write_image(tmp_path / f"a.{ending}", RGB)


def test_unusable_files_say_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with pytest.raises(InputError, match="no such file"):
        read_image(path)
    path.touch()
    with pytest.raises(InputError, match="not a readable picture") as error:
        read_image(path)
    assert error.value.actual == "an empty file"
    path.write_text("<html>not found</html>")
    with pytest.raises(InputError, match="not a readable picture"):
        read_image(path)
    with pytest.raises(InputError, match="not a readable picture"):
        read_image(tmp_path)
    Image.fromarray(RGB).save(path, quality=95)
    raw = path.read_bytes()
    path.write_bytes(raw[:-60])
    assert read_image(path).shape == RGB.shape, "its end is missing: what there is"
    path.write_bytes(raw[:200])
    with pytest.raises(InputError, match=r"damaged|not a readable"):
        read_image(path)
    path.write_bytes(raw)
    with pytest.raises(InputError, match="too large") as error:
        open_image(path, max_pixels=1000)
    assert error.value.actual == "32 x 32"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="not a readable picture") as error:
        read_image(tmp_path / "a.jpg")
    assert "pipe" in error.value.actual


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "a/b.jpg/c"])
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jpg").touch()
    with pytest.raises(InputError):
        read_image(tmp_path / name)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"])
def test_damaged_bytes_never_raise_anything_else(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    Image.fromarray(RGB).save(path, format=kind)
    whole = path.read_bytes()
    pick = random.Random(kind)
    refused = 0
    for _ in range(150):
        raw = bytearray(whole)
        for _ in range(pick.choice((1, 4, 16))):
            raw[pick.randrange(pick.choice((40, len(raw))))] = pick.randrange(256)
        path.write_bytes(raw[: pick.choice((len(raw), pick.randrange(len(raw))))])
        try:
            assert read_image(path, max_pixels=1_000_000).shape[2] == 3
        except InputError:
            refused += 1
    assert refused > 0


def test_written_pictures_come_back(tmp_path: Path) -> None:
    write_image(tmp_path / "new" / "a.png", RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), RGB)
    write_image(tmp_path / "a.jpg", RGB, quality=95)
    assert read_image(tmp_path / "a.jpg").shape == RGB.shape
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write_image(tmp_path / "file" / "a.png", RGB)
