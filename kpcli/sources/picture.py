"""Frames of one picture file: one of a still picture, all of an animation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from kpcli.errors import InputError
from kpcli.images import decode, open_image
from kpcli.options import ALL_FRAMES, FrameSelection
from kpcli.sources.selection import FrameChooser
from kpcli.types import Frame

ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
"""Formats whose further pictures are frames in time; of others (TIFF, MPO) the first counts."""


def _n_frames(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1)) if image.format in ANIMATED else 1


def picture_frames(path: Path, selection: FrameSelection = ALL_FRAMES) -> Iterator[Frame]:
    """The frame of a still picture (index 1, 0 seconds), or the selected ones of an animation.

    An animation's times are the sums of its frames' durations.

    Raises
    ------
    InputError
        If the picture is unusable; after some frames, if an animation ends damaged.
    """
    with open_image(path) as image:
        try:
            count = _n_frames(image)
        except Exception as e:  # counting walks through the damaged file's blocks
            raise InputError(f"{path}: the picture is damaged", actual=repr(e)) from e
        if count == 1:
            yield Frame(path, 1, 0.0, decode(image, path))
            return
        chooser = FrameChooser(selection)
        milliseconds = 0.0
        for index in range(1, count + 1):
            seconds = milliseconds / 1000
            if chooser.past(index, seconds):
                return
            _seek(image, index - 1, path)
            pixels = decode(image, path)  # every frame: each may build upon the last
            milliseconds += float(image.info.get("duration") or 0)
            if chooser.wants(index, seconds):
                yield Frame(path, index, seconds, pixels, moving=True)


def _seek(image: Image.Image, index: int, path: Path) -> None:
    try:
        image.seek(index)
    except Exception as e:
        raise InputError(
            f"{path}: the animation is damaged", actual=f"frame {index + 1}: {e!r}"
        ) from e
