"""Pillow images of any mode as 8-bit RGB, strip by strip: little more memory than the result."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpcli.types import Pixels

STRIP = 1 << 15
"""Pixels of one strip: a picture is converted strip by strip, so that memory stays bounded. What a
strip needs stays in the processor's cache, and malloc need not ask the system for it."""
SMALL = 1 << 19
"""Pixels up to which a picture is converted at once, which then is the sooner way."""
FULL = 65535
FOURTEEN_BITS = 16383
"""Largest value up to which a 16-bit picture is stretched: cameras put 10, 12 or 14 bits into 16,
and thermal ones a few hundred steps somewhere in it.
"""
USED = (0.1, 99.9)
"""Percentiles of the values that are stretched to black and white: a hot or dead pixel beyond them
sets no range.
"""
_SAMPLE = 1 << 20
_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def to_rgb(image: Image.Image) -> Pixels:
    """A loaded image as (H, W, 3) uint8 RGB.

    Alpha is blended over white; gray of 16 or 32 bits or floats is scaled as `stretched` says.
    """
    if image.mode.startswith(("I", "F")):
        return np.repeat(stretched(np.asarray(image))[..., None], 3, axis=2)
    width, height = image.size
    if width * height <= SMALL:
        return _narrow(image)
    rows = max(1, STRIP // max(1, width))
    rgb = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        rgb[top:bottom] = _narrow(image.crop((0, top, width, bottom)))
    return rgb


def _narrow(image: Image.Image) -> Pixels:
    """An image of 8 bits or less a channel."""
    if image.mode in _ALPHA or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"), np.uint8)


def stretched(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Samples (H, W, ...) of more than 8 bits, or floats, as uint8.

    16 bits keep their scale where they use more than a quarter of their range, as do floats from
    0 to 255; all others are stretched from the darkest to the brightest, NaN and infinity left out.
    """
    low, high = _bounds(values)
    scale = 255 / (high - low) if high > low else 0.0
    result = np.empty(values.shape, np.uint8)
    rows = max(1, STRIP // max(1, values[0].size if len(values) else 1))
    for top in range(0, len(values), rows):
        strip = (values[top : top + rows].astype(np.float64) - low) * scale
        strip = np.nan_to_num(strip, nan=0.0, posinf=255.0, neginf=0.0)
        result[top : top + rows] = np.clip(strip + 0.5, 0, 255)
    return result


def _bounds(values: NDArray[np.generic]) -> tuple[float, float]:
    """What becomes black, and what white."""
    step = max(1, round((values.size / _SAMPLE) ** 0.5))
    sample = values[::step, ::step].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 0.0
    low, high = float(sample.min()), float(sample.max())
    floats = np.issubdtype(values.dtype, np.floating)
    if (
        (values.dtype == np.uint16 or not floats)
        and low >= 0
        and FOURTEEN_BITS < high - low <= FULL
    ):
        return 0.0, float(FULL)
    if floats and low >= 0 and 1 < high <= 255:
        return 0.0, 255.0
    used = np.percentile(sample, USED)
    return (float(used[0]), float(used[1])) if used[1] > used[0] else (low, high)
