"""Read and write one picture: upright RGB uint8, whatever the file's mode, name or ending."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageFile

from kpcli.colours import stretched, to_rgb
from kpcli.errors import InputError
from kpcli.media import HEIF, PICTURE_FORMATS, needs_heif, register_heif
from kpcli.types import Pixels

MAX_PIXELS = 200_000_000
"""Most pixels of a picture that is decoded: a header can promise more memory than there is."""

SHRINKINGS = (1, 2, 4, 8)
"""Parts of its size at which a JPEG can be decoded: the fewer coefficients, the sooner."""

SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations by which width and height change places."""

Image.MAX_IMAGE_PIXELS = None  # the limit above is checked here, with our own message

_READ_WITHOUT_END = ("JPEG", "MPO", "PNG")
_FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF",
    ".tiff": "TIFF",
}  # fmt: skip


def open_image(path: Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open a picture lazily (header only); of the formats that kpcli names, whatever its ending.

    Raises
    ------
    InputError
        If it is missing, empty, no picture, or larger than ``max_pixels``.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise OSError("a folder, pipe or device")
        heif = needs_heif(path)
        if heif:
            register_heif(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path, formats=(HEIF,) if heif else PICTURE_FORMATS)
    except InputError:
        raise
    except FileNotFoundError as e:
        raise InputError(f"{path}: there is no such file") from e
    except Exception as e:  # plug-ins raise RuntimeError and others on damaged headers
        actual = "an empty file" if _is_empty(path) else str(e)
        raise InputError(
            f"{path}: not a readable picture",
            expected="JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF, BMP ...",
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
        return path.is_file() and path.stat().st_size == 0
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


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> Pixels:
    """One picture as (H, W, 3) uint8 RGB, turned upright by its EXIF orientation.

    Alpha is blended over white, 16-bit and float gray are scaled to 8 bits, CMYK and palettes
    are converted; of an animation, the first frame; of a JPEG or PNG whose end is missing, what
    there is.

    Raises
    ------
    InputError
        If it is missing, empty, damaged or larger than ``max_pixels``.
    """
    with open_image(path, max_pixels) as image:
        return decode_to_its_end(image, path)[0]


def shrink_to(image: Image.Image, times: int) -> int:
    """Have an open picture decoded at a part of its size, if its format can; at which part.

    Each pixel is then the mean of so many along either side, by the DCT's own coefficients (ITU-T
    T.81; libjpeg's ``scale_denom``).
    """
    if image.format not in ("JPEG", "MPO") or times not in SHRINKINGS[1:]:
        return 1
    width, height = image.size
    image.draft(image.mode, (width // times, height // times))
    return times if image.size == (-(-width // times), -(-height // times)) else 1


def decode(image: Image.Image, path: Path) -> Pixels:
    """The current frame of an open picture as (H, W, 3) uint8 RGB; see `read_image`."""
    try:
        wide_colour = ";16" in str(getattr(image, "tile", ""))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        pixels = to_rgb(image)
        if wide_colour and not image.mode.startswith("I"):
            pixels = _wide_colour(pixels, path)
        return _turned(pixels, orientation)
    except Exception as e:  # decoders of damaged files raise struct.error, zlib.error and others
        raise InputError(f"{path}: the picture is damaged", actual=str(e) or repr(e)) from e


def decode_to_its_end(image: Image.Image, path: Path) -> tuple[Pixels, str]:
    """As `decode`, but of a JPEG or PNG whose end is missing, what there is, as viewers show it.

    Returns
    -------
    (array, str)
        The picture, and what is wrong with it ("" of a whole one).
    """
    try:
        return decode(image, path), ""
    except InputError as e:
        if image.format not in _READ_WITHOUT_END or "truncated" not in e.actual.lower():
            raise
        with _without_end(), open_image(path) as again:
            return decode(again, path), e.actual


_SWITCH = threading.Lock()


@contextmanager
def _without_end() -> Iterator[None]:
    """Have Pillow read pictures that are cut short; the switch is one for all threads."""
    with _SWITCH:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def _wide_colour(pixels: Pixels, path: Path) -> Pixels:
    """A 16-bit colour picture, of which Pillow keeps the upper 8 bits, where those are too few."""
    if pixels.max(initial=0) > 63:  # more than 14 bits
        return pixels
    values = cv2.imdecode(
        np.frombuffer(path.read_bytes(), np.uint8),
        cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    )
    if values is None or values.dtype != np.uint16 or values.shape != pixels.shape:
        return pixels
    return np.ascontiguousarray(stretched(values)[..., ::-1])


def _turned(pixels: Pixels, orientation: object) -> Pixels:
    """Upright, by the EXIF orientation (EXIF 2.32, tag 0x112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    down = -1 if orientation in (3, 4, 7, 8) else 1
    right = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(pixels[::down, ::right])


def to_gray(pixels: Pixels) -> Pixels:
    """RGB (..., H, W, 3) to BT.601 luma (..., H, W, 1), uint8."""
    rows = pixels.reshape(-1, *pixels.shape[-2:])
    return np.asarray(cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY), np.uint8).reshape(
        *pixels.shape[:-1], 1
    )


def write_image(path: Path, pixels: Pixels, quality: int = 90) -> None:
    """Write (H, W, 3) uint8 RGB; the format follows the path's ending.

    Raises
    ------
    InputError
        If it cannot be encoded so, or not all of it be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = _encoded(path.suffix.lower(), pixels, quality)
        # Encoders that write to the disk themselves do not notice when it is full.
        path.write_bytes(data)
        if path.stat().st_size != len(data):
            raise OSError(f"{path.stat().st_size} of {len(data)} bytes were written")
    except Exception as e:  # encoders raise ValueError, struct.error and others
        raise InputError(f"{path}: cannot be written", actual=str(e) or repr(e)) from e


def _encoded(ending: str, pixels: Pixels, quality: int) -> bytes:
    kind = _FORMATS.get(ending) or Image.registered_extensions().get(ending)
    if kind is None:
        raise ValueError(f"no picture format has the ending {ending!r}")
    buffer = io.BytesIO()
    # Formats without a quality setting ignore it.
    Image.fromarray(pixels).save(buffer, format=kind, quality=quality)
    return buffer.getvalue()
