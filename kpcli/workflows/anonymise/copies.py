"""The anonymised copy of a picture or video: its pixels, times and sound, and nothing else."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from kpcli.images import open_image, write_image
from kpcli.options import Cover as How
from kpcli.types import Frame, Pixels
from kpcli.workflows.anonymise.covers import cover
from kpcli.workflows.anonymise.selection import Cover
from kpcli.writers.overlay import overlay_name

OUTPUT = "copies"
QUALITY = 95
"""Of JPEG."""


def copy_name(name: str, *, moving: bool) -> str:
    """Relative to the output folder; ``name`` is the file's, or what its outputs begin with."""
    return f"{OUTPUT}/{overlay_name(name, moving=moving)}"


def temporary(staging: Path, name: str) -> Path:
    """A place of this process's own to make a file of this ending in."""
    return staging / f"{os.getpid()}-copy-{next(_counter)}{Path(name).suffix}"


def draw(pixels: Pixels, covers: Iterable[Cover], how: How) -> None:
    """Cover what is to be covered, in place."""
    for one in covers:
        if one.area is not None:
            cover(pixels, one.area, how)


def write_still(path: Path, frame: Frame) -> None:
    """Write a covered picture; colours of another profile become sRGB's, for none is kept.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    write_image(path, _srgb(frame), QUALITY)


def _srgb(frame: Frame) -> Pixels:
    """The frame's pixels as sRGB: a profile may name a person or a device, and does not stay."""
    with open_image(frame.source, max_pixels=2**62) as image:
        profile = image.info.get("icc_profile")
    if not profile:
        return frame.pixels
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB":  # of CMYK, what was made of it is sRGB
            return frame.pixels
        target = ImageCms.createProfile("sRGB")
        image = Image.fromarray(frame.pixels)
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged profile: viewers ignore it too
        return frame.pixels
    return np.asarray(converted, np.uint8)


_counter = itertools.count()
