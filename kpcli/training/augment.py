"""Random changes to a training face: geometry on picture and points together, then the picture.

Everything is drawn from a numpy Generator, so an epoch repeats exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from kpcli.geometry import CropTransform, flip_points, turned_box
from kpcli.options import AugmentOptions
from kpcli.schemes import LandmarkScheme
from kpcli.types import FaceBox, Pixels, Points

Rng = np.random.Generator
RAMP = np.arange(256)[:, None] / 255


def scaled(options: AugmentOptions) -> AugmentOptions:
    """The options with ``strength`` multiplied in (probabilities stay at most 1)."""
    k = options.strength
    if k == 1.0:
        return options
    values = {name: getattr(options, name) * k for name in ("rotation", "scale", "shift")} | {
        name: min(1.0, getattr(options, name) * k)
        for name in ("flip", "colour", "gray", "blur", "shrink", "jpeg", "occlude")
    }
    return replace(options, **values, strength=1.0)


def random_rotation(rng: Rng, limit: float) -> float:
    """Degrees: normal, deviation half the limit; one face in seven uniform to thrice the limit."""
    if rng.random() < 1 / 7:
        return float(rng.uniform(-3 * limit, 3 * limit))
    return float(np.clip(rng.normal(0, limit / 2), -limit, limit))


def geometric(
    rng: Rng,
    pixels: Pixels,
    points: Points,
    box: FaceBox,
    scheme: LandmarkScheme,
    options: AugmentOptions,
    size: int,
    crop_scale: float,
    *,
    box_from_points: bool = True,
) -> tuple[Pixels, Points, bool]:
    """A random crop (size, size, 3), its points (N, 2) in unit coordinates, whether mirrored.

    With ``box_from_points`` the face box is taken anew from the turned points, as a detector's
    box of the turned picture would be; then scale and shift imitate the detector's errors.
    """
    rotation = random_rotation(rng, options.rotation) if options.rotation else 0.0
    mirror = bool(scheme.flip_order) and bool(rng.random() < options.flip)
    shift = (0.0, 0.0)
    if box_from_points and rotation:
        box, shift = turned_box(points, box, scheme, rotation)
    scale = crop_scale * math.exp(rng.normal(0, options.scale / 2)) if options.scale else crop_scale
    jitter = rng.normal(0, options.shift / 2, 2) if options.shift else (0.0, 0.0)
    transform = CropTransform.from_box(
        box, size, scale, rotation=rotation, mirror=mirror,
        shift=(shift[0] + jitter[0], shift[1] + jitter[1]),
    )  # fmt: skip
    unit = transform.to_unit(points).astype(np.float32)
    return transform.to_crop(pixels), flip_points(unit, scheme) if mirror else unit, mirror


def photometric(rng: Rng, crop: Pixels, options: AugmentOptions) -> Pixels:
    """Random colour, gray, occlusion, resolution, blur and JPEG noise; geometry is unchanged."""
    steps: tuple[tuple[float, Callable[[Rng, Pixels], Pixels]], ...] = (
        (options.colour, colour),
        (options.gray, gray),
        (options.occlude, occlude),
        (options.shrink, shrink),
        (options.blur, blur),
        (options.jpeg, jpeg),
    )
    for probability, step in steps:
        if rng.random() < probability:
            crop = step(rng, crop)
    return crop


def colour(rng: Rng, crop: Pixels) -> Pixels:
    """Gain a channel, contrast, gamma and brightness: one look-up table a channel."""
    gamma = math.exp(rng.normal(0, 0.35))
    contrast, brightness = math.exp(rng.normal(0, 0.25)), rng.normal(0, 0.12)
    gains = np.exp(rng.normal(0, 0.08, 3))
    table = RAMP**gamma * (255 * contrast * gains) + 255 * (0.5 + brightness - 0.5 * contrast)
    return np.asarray(cv2.LUT(crop, np.clip(table, 0, 255).astype(np.uint8)[None]), np.uint8)


def gray(rng: Rng, crop: Pixels) -> Pixels:
    """Luma on all three channels."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def occlude(rng: Rng, crop: Pixels) -> Pixels:
    """Cover a part: a turned rectangle, an ellipse, or one side, with noise, colour or a patch."""
    size = crop.shape[0]
    mask = np.zeros((size, size), np.uint8)
    kind = rng.integers(3)
    centre = tuple(float(v) for v in rng.uniform(0.1 * size, 0.9 * size, 2))
    extent = tuple(float(v) for v in rng.uniform(0.12 * size, 0.5 * size, 2))
    angle = float(rng.uniform(0, 180))
    if kind == 0:
        corners = cv2.boxPoints((centre, extent, angle))
        cv2.fillConvexPoly(mask, corners.astype(np.int32), 1)
    elif kind == 1:
        cv2.ellipse(mask, (centre, extent, angle), 1, -1)
    else:
        mask[: int(rng.uniform(0.15, 0.5) * size)] = 1
        mask = _quarter_turn(rng, mask)
    return np.asarray(cv2.copyTo(_filling(rng, crop), mask, crop.copy()))


def _filling(rng: Rng, crop: Pixels) -> Pixels:
    """One colour, smooth noise, or the crop itself, moved and turned."""
    kind = rng.integers(3)
    if kind == 2:
        shift = rng.integers(crop.shape[0] // 4, crop.shape[0], 2)
        return _quarter_turn(rng, np.roll(crop, shift, axis=(0, 1)))
    cells = 1 if kind == 0 else int(rng.integers(2, 24))
    coarse = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, crop.shape[:2][::-1]), np.uint8)


def _quarter_turn(rng: Rng, square: Pixels) -> Pixels:
    """The square turned by 90, 180, 270 (OpenCV's 0, 1, 2) or no degrees."""
    turn = int(rng.integers(4))
    return np.asarray(cv2.rotate(square, turn), np.uint8) if turn < 3 else square


def shrink(rng: Rng, crop: Pixels) -> Pixels:
    """As from a small face: down to 18..64 px a side and back up."""
    size = crop.shape[0]
    small = int(size * rng.uniform(0.16, 0.6))
    down = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
    up = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(down, (size, size), interpolation=up), np.uint8)


def blur(rng: Rng, crop: Pixels) -> Pixels:
    """Gaussian blur, or motion along a line."""
    if rng.random() < 0.6:
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(0.4, 2.2))), np.uint8)
    length = int(rng.integers(3, 10)) | 1
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5,) * 2, float(rng.uniform(0, 180)), 1.0)
    line = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return np.asarray(cv2.filter2D(crop, -1, line / max(float(line.sum()), 1e-6)), np.uint8)


def jpeg(rng: Rng, crop: Pixels) -> Pixels:
    """Write as JPEG of quality 15..70 and read back."""
    quality = int(rng.integers(15, 71))
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
