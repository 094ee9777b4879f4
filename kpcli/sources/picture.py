"""Frames of one picture file: one of a still picture, all of an animation, the pages of a TIFF."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from kpcli.errors import InputError
from kpcli.images import (
    MAX_PIXELS,
    SIDEWAYS,
    check_size,
    decode,
    decode_to_its_end,
    open_image,
    orientation_of,
    read_image,
    shrink_to,
)
from kpcli.options import ALL_FRAMES, FrameSelection
from kpcli.sources.room import Room, unlimited
from kpcli.sources.selection import FrameChooser, Shrink, not_at_all
from kpcli.types import Frame

ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
"""Formats whose further pictures are frames in time; of others (MPO, HEIC) the first counts."""
SHORTEST = 10.0
"""Milliseconds up to which a frame's delay in an animation is not taken at its word but as
`INSTEAD`.
"""
INSTEAD = 100.0
"""Milliseconds that a frame of an animation stays whose delay is `SHORTEST` or less, as in browsers
(Blink's BitmapImage, Gecko's FrameTimeout).
"""
PAGE = 1000.0
"""Milliseconds between two pages of a TIFF, which have no times."""
_SUBFILE_TYPE = 254
_REDUCED_OR_MASK = 0b101


def picture_frames(
    path: Path,
    selection: FrameSelection = ALL_FRAMES,
    max_pixels: int = MAX_PIXELS,
    passed: Callable[[], None] = lambda: None,
    room: Room = unlimited,
    shrink: Shrink = not_at_all,
) -> Iterator[Frame]:
    """The frame of a still picture (index 1, 0 seconds), or the selected ones of several.

    An animation's times are the sums of its frames' durations; the pages of a TIFF come one a
    second, less its thumbnails and masks. ``passed`` is called for frames that are passed over;
    ``room`` is held while a picture is decoded, and until the next is asked for; ``shrink`` is
    that of `kpcli.sources.read_frames`.

    Raises
    ------
    InputError
        If the picture is unusable; after some frames, if it ends early or damaged.
    """
    image = open_image(path, max_pixels)
    with room(image.width * image.height):
        with image:
            if _has_several(image):
                yield from _several(image, path, FrameChooser(selection), max_pixels, passed)
                return
            full = image.size[::-1] if orientation_of(image) in SIDEWAYS else image.size
            times = shrink_to(image, shrink(*full))
            pixels, lacking = decode_to_its_end(image, path)
        if lacking or times == 1:
            yield Frame(path, 1, 0.0, pixels)  # Pillow's own copy of it is gone
        else:
            reread = partial(read_image, path, max_pixels)
            yield Frame(path, 1, 0.0, pixels, shrunk=times, full=full, reread=reread)
    if lacking:
        raise InputError(f"{path}: the picture ends early", actual=lacking)


def _several(
    image: Image.Image,
    path: Path,
    chooser: FrameChooser,
    max_pixels: int,
    passed: Callable[[], None],
) -> Iterator[Frame]:
    """The wanted ones of the frames or pages of an open picture."""
    milliseconds = 0.0
    for index in _places(image, path):
        seconds = milliseconds / 1000
        if chooser.past(index, seconds):
            return
        check_size(image.size, path, max_pixels)  # a damaged frame may promise anything
        pixels = decode(image, path)  # every frame: each may build upon the last
        milliseconds += _duration(image)
        if chooser.wants(index, seconds):
            yield Frame(path, index, seconds, pixels, moving=True)
        else:
            passed()


def _places(image: Image.Image, path: Path) -> Iterator[int]:
    """Numbers from 1 of all frames or pages; ``image`` is at each in turn."""
    number = 0
    for place in itertools.count():
        if not _seek(image, place, path):
            return
        if image.format != "TIFF" or not _is_auxiliary(image):
            number += 1
            yield number


def _duration(image: Image.Image) -> float:
    """Milliseconds for which the current frame is shown."""
    if image.format == "TIFF":
        return PAGE
    asked = float(image.info.get("duration") or 0)
    return asked if asked > SHORTEST else INSTEAD


def _has_several(image: Image.Image) -> bool:
    try:
        if image.format == "TIFF":
            return int(getattr(image, "n_frames", 1)) > 1
        return image.format in ANIMATED and bool(getattr(image, "is_animated", False))
    except Exception:  # it looks for a second frame; what is wrong with the first, decoding tells
        return False


def _is_auxiliary(page: Image.Image) -> bool:
    """Whether a page of a TIFF is a smaller copy of another, or its mask (TIFF 6.0, tag 254)."""
    kind = getattr(page, "tag_v2", {}).get(_SUBFILE_TYPE, 0)
    return isinstance(kind, int) and bool(kind & _REDUCED_OR_MASK)


def _seek(image: Image.Image, index: int, path: Path) -> bool:
    """Go to a frame; False after the last."""
    try:
        image.seek(index)
    except EOFError:
        return False
    except Exception as e:
        raise InputError(
            f"{path}: the animation is damaged", actual=f"frame {index + 1}: {e!r}"
        ) from e
    return True
