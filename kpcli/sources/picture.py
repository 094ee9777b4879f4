"""Frames of one picture file: one of a still picture, all of an animation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from kpcli.errors import InputError
from kpcli.images import MAX_PIXELS, check_size, decode, open_image
from kpcli.options import ALL_FRAMES, FrameSelection
from kpcli.sources.selection import FrameChooser
from kpcli.types import Frame

ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
"""Formats whose further pictures are frames in time; of others (TIFF, MPO) the first counts."""


def picture_frames(
    path: Path, selection: FrameSelection = ALL_FRAMES, max_pixels: int = MAX_PIXELS
) -> Iterator[Frame]:
    """The frame of a still picture (index 1, 0 seconds), or the selected ones of an animation.

    An animation's times are the sums of its frames' durations.

    Raises
    ------
    InputError
        If the picture is unusable; after some frames, if an animation ends damaged.
    """
    with open_image(path, max_pixels) as image:
        if not _is_animation(image):
            yield Frame(path, 1, 0.0, decode(image, path))
            return
        chooser = FrameChooser(selection)
        milliseconds = 0.0
        for index in itertools.count(1):
            seconds = milliseconds / 1000
            if chooser.past(index, seconds) or not _seek(image, index - 1, path):
                return
            check_size(image.size, path, max_pixels)  # a damaged frame may promise anything
            pixels = decode(image, path)  # every frame: each may build upon the last
            milliseconds += float(image.info.get("duration") or 0)
            if chooser.wants(index, seconds):
                yield Frame(path, index, seconds, pixels, moving=True)


def _is_animation(image: Image.Image) -> bool:
    try:
        return image.format in ANIMATED and bool(getattr(image, "is_animated", False))
    except Exception:  # it looks for a second frame; what is wrong with the first, decoding tells
        return False


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
