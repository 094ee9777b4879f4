"""Read and write one picture: upright RGB uint8, whatever the file's mode, name or ending."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from kpcli.errors import InputError
from kpcli.types import Pixels

MAX_PIXELS = 200_000_000
"""Larger pictures are refused: a header can promise more memory than there is."""

SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations by which width and height change places."""

Image.MAX_IMAGE_PIXELS = None  # the limit above is checked here, with our own message


def open_image(path: Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open a picture lazily (header only).

    Raises
    ------
    InputError
        If it is missing, empty, no picture, or larger than ``max_pixels``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path)
    except FileNotFoundError as e:
        raise InputError(f"{path}: there is no such file") from e
    except Exception as e:  # plug-ins raise RuntimeError and others on damaged headers
        actual = "an empty file" if _is_empty(path) else str(e)
        raise InputError(
            f"{path}: not a readable picture",
            expected="JPEG, PNG, WebP, TIFF, GIF, BMP ...",
            actual=actual,
        ) from e
    try:
        check_size(image.size, path, max_pixels)
    except InputError:
        image.close()
        raise
    return image


def check_size(size: tuple[int, int], path: Path, max_pixels: int = MAX_PIXELS) -> None:
    """Raise InputError if a picture of this width and height has too many pixels."""
    width, height = size
    if width * height > max_pixels:
        raise InputError(
            f"{path}: the picture is too large",
            expected=f"at most {max_pixels} pixels",
            actual=f"{width} x {height}",
            next_step="shrink it first",
        )


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except (OSError, ValueError):  # a name that no file can have
        return False


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) of a picture turned upright by its EXIF orientation; its header tells.

    Raises
    ------
    InputError
        If it is missing, empty, no picture or too large.
    """
    with open_image(path) as image:
        width, height = image.size
        return (height, width) if orientation_of(image) in SIDEWAYS else (width, height)


def orientation_of(image: Image.Image) -> int:
    """EXIF's orientation of an open picture, 1 (upright) to 8."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a damaged EXIF header
        return 1
    return int(found) if found in range(1, 9) else 1


def read_image(path: Path) -> Pixels:
    """One picture as (H, W, 3) uint8 RGB, turned upright by its EXIF orientation.

    Alpha is blended over white, 16-bit and float gray are scaled to 8 bits, CMYK and palettes
    are converted; of an animation, the first frame.

    Raises
    ------
    InputError
        If it is missing, empty, damaged, truncated or too large.
    """
    with open_image(path) as image:
        return decode(image, path)


def decode(image: Image.Image, path: Path) -> Pixels:
    """The current frame of an open picture as (H, W, 3) uint8 RGB; see `read_image`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return to_rgb(ImageOps.exif_transpose(image) if turned else image)
    except Exception as e:  # decoders of damaged files raise struct.error, zlib.error and others
        raise InputError(f"{path}: the picture is damaged", actual=str(e) or repr(e)) from e


def to_rgb(image: Image.Image) -> Pixels:
    """A Pillow image of any mode as (H, W, 3) uint8 RGB."""
    if image.mode.startswith(("I", "F")):
        return _wide_gray(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"), np.uint8)


def _wide_gray(values: NDArray[np.generic]) -> Pixels:
    """16-bit, 32-bit or float gray (H, W) as RGB: 16 bits by their range, others by their span."""
    gray = values.astype(np.float64)
    if values.dtype == np.uint16 or (gray.min() >= 0 and 255 < gray.max() <= 65535):
        gray = gray / 257
    elif gray.min() < 0 or gray.max() > 255 or gray.max() <= 1:
        span = float(gray.max() - gray.min())
        gray = (gray - gray.min()) * (255 / span if span else 0)
    return np.repeat(np.clip(gray + 0.5, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def to_gray(pixels: Pixels) -> Pixels:
    """RGB (..., H, W, 3) to BT.601 luma (..., H, W, 1), uint8."""
    rows = pixels.reshape(-1, *pixels.shape[-2:])
    return np.asarray(cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY), np.uint8).reshape(
        *pixels.shape[:-1], 1
    )


def write_image(path: Path, pixels: Pixels, quality: int = 90) -> None:
    """Write (H, W, 3) uint8 RGB; the format follows the path's ending."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Formats without a quality setting ignore it.
        Image.fromarray(pixels).save(path, quality=quality)
    except OSError as e:
        raise InputError(f"{path}: cannot be written", actual=str(e)) from e
