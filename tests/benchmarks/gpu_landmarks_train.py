"""Train the landmark models on a GPU: a large teacher, then the students `default` and `large`.

Runs where kpcli is not: JAX, numpy and OpenCV are enough. `gpu_landmarks.py` makes what it reads::

    python gpu_landmarks_train.py --parts lm1 lm2 lm3 --out out --minutes 21

``--parts`` are folders of stages; a part counts once all is there that its file DONE names, and
parts that come later join the training (`--patience` seconds are waited for them before
pseudo-labels are made).

1. A teacher (11 M parameters, the shipped large model at twice its widths) learns 68 and 98 points
   from the true labels, and from what the shipped large model says of the plain faces.
2. Its looks, plain and mirrored, at three cuts label every face anew, mixed with the large
   model's by the share that is best on val; labels that people made stay.
3. The students go on from the shipped weights on all of it, with true labels ever more often; one
   trunk with a head for either mark-up, so that `wflw98` is the default's trunk once more.

Weights are averaged (EMA), the learning rate is a cosine over the time that is left; the folder
of results is refreshed at every validation.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

jax.config.update("jax_default_prng_impl", "rbg")

Tree = dict[str, Any]
SIDE = 288
"""Side of the squares that pictures lie in, in pixels."""
UNKNOWN, FINE = -32768, 64
CROP_SCALE = 1.3
HEADS = (68, 98)
EYES = {68: (36, 45), 98: (60, 72)}
LOOKS = ((1.0, 0.0, 0.0), (0.95, 0.02, -0.02), (1.06, -0.02, 0.02))
AGREED = 0.015
SLIDE = 0.08
WING_WIDTH, WING_EPSILON = 0.1, 0.02
SCALE_WEIGHT = FACE_WEIGHT = 0.02
ENOUGH = 2500
"""Steps from which on a training has its plan's full learning rate."""
START = time.monotonic()
DTYPE = jnp.bfloat16


# Networks: those of kpcli/architectures/heatmap_fpn.py, with one head a mark-up.


@dataclass(frozen=True)
class Spec:
    name: str
    size: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    pyramid: int

    def cells(self) -> int:
        return self.size // 4


TEACHER = Spec("teacher", 192, (48, 96, 192, 256, 256), (0, 2, 4, 3, 2), 128)
LARGE = Spec("large", 192, (24, 48, 96, 128, 128), (0, 1, 3, 2, 2), 64)
DEFAULT = Spec("default", 128, (24, 48, 96, 128, 128), (0, 1, 2, 1, 1), 64)


def initial(spec: Spec, seed: int = 0) -> tuple[Tree, Tree]:
    """Fresh weights and batch statistics, keyed as Keras' layers: NAME/NUMBER."""
    rng = np.random.default_rng(seed)
    weights: Tree = {}
    statistics: Tree = {}

    def conv(name: str, size: int, into: int, out: int, *, norm: bool, gamma: float = 1.0) -> None:
        deviation = math.sqrt((2 if norm else 1) / (size * size * into))
        weights[f"{name}/0"] = rng.normal(0, deviation, (size, size, into, out))
        if norm:
            weights[f"{name}_norm/0"] = np.full(out, gamma)
            weights[f"{name}_norm/1"] = np.zeros(out)
            statistics[f"{name}_norm/2"] = np.zeros(out)
            statistics[f"{name}_norm/3"] = np.ones(out)
        else:
            weights[f"{name}/1"] = np.zeros(out)

    into = 3
    for stage, (width, count) in enumerate(zip(spec.widths, spec.blocks, strict=True)):
        conv(f"stage{stage}_down", 3, into, width, norm=True)
        for i in range(count):
            conv(f"stage{stage}_block{i}_a", 3, width, width, norm=True)
            conv(f"stage{stage}_block{i}_b", 3, width, width, norm=True, gamma=0.2)
        into = width
    for stage in range(1, len(spec.widths)):
        conv(f"lateral{stage}", 1, spec.widths[stage], spec.pyramid, norm=False)
        if stage < len(spec.widths) - 1:
            conv(f"smooth{stage}", 3, spec.pyramid, spec.pyramid, norm=True)
    weights["face/0"] = rng.normal(0, 0.05, (spec.widths[-1], 1))
    weights["face/1"] = np.zeros(1)
    for n in HEADS:
        conv(f"heatmaps{n}", 1, spec.pyramid, n, norm=False)
        weights[f"refine{n}/0"] = rng.normal(0, 0.01, (1, n, 3, spec.pyramid))
        weights[f"refine{n}/1"] = np.zeros((1, n, 3))
    as_float = functools.partial(np.asarray, dtype=np.float32)
    return jax.tree.map(as_float, weights), jax.tree.map(as_float, statistics)


def shipped(spec: Spec, values: Mapping[str, Any], near: Any) -> tuple[Tree, Tree]:
    """The shipped model's weights; a head's point of 98 begins as that of 68 that lies next to it.

    ``near`` (98,): which one that is.
    """
    weights, statistics = initial(spec)
    for tree in (weights, statistics):
        for key, mine in tree.items():
            there = values[f"{spec.name}/{key.replace('68', '').replace('98', '')}"]
            if key.startswith("refine98"):
                there = there[:, near]
            elif key.startswith("heatmaps98"):
                there = there[..., near]
            if there.shape != mine.shape:
                raise ValueError(f"{spec.name}/{key}: {there.shape}, not {mine.shape}")
            tree[key] = there.astype(np.float32)
    return weights, statistics


def widened(weights: Tree, statistics: Tree, noise: float = 0.1) -> tuple[Tree, Tree]:
    """The large model as a teacher of twice its widths that says much the same.

    Every channel is there twice; what reads it divides its weight between the two by lot (Chen et
    al., "Net2Net", ICLR 2016), and noise sets the two apart. New blocks begin as the identity.
    """
    rng = np.random.default_rng(0)
    new, new_statistics = initial(TEACHER)
    for tree, old in ((new, weights), (new_statistics, statistics)):
        for key, mine in tree.items():
            if key not in old:
                if key.endswith("_b_norm/0"):
                    tree[key] = np.zeros_like(mine)
                continue
            value = old[key]
            reading = -1 if key.startswith("refine") else -2
            if value.ndim == 1:
                value = np.tile(value, mine.shape[0] // value.shape[0])
            elif not (key.startswith("refine") and key.endswith("/1")):
                if value.ndim == 4 and reading == -2:
                    value = np.concatenate([value] * (mine.shape[-1] // value.shape[-1]), axis=-1)
                if mine.shape[reading] == 2 * value.shape[reading]:
                    part = rng.uniform(0.25, 0.75, value.shape)
                    value = np.concatenate([value * part, value * (1 - part)], axis=reading)
                if key.startswith(("stage", "smooth", "lateral")):
                    value = value + rng.normal(0, noise * value.std(), value.shape)
            if value.shape != mine.shape:
                raise ValueError(f"{key}: {value.shape}, not {mine.shape}")
            tree[key] = value.astype(np.float32)
    return new, new_statistics


def forward(spec: Spec, weights: Tree, statistics: Tree, crops: Any, train: bool) -> Any:
    """Crops (B, S, S, 3) of 0..255 to outputs by mark-up, face logits, and new statistics."""
    new: Tree = {}

    def conv(x: Any, name: str, strides: int = 1) -> Any:
        kernel = weights[f"{name}/0"].astype(DTYPE)
        return lax.conv_general_dilated(
            x, kernel, (strides, strides), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def norm(x: Any, name: str) -> Any:
        mean, variance = statistics[f"{name}/2"], statistics[f"{name}/3"]
        x = x.astype(jnp.float32)
        if train:
            now = jnp.mean(x, axis=(0, 1, 2))
            spread = jnp.maximum(jnp.mean(jnp.square(x), axis=(0, 1, 2)) - jnp.square(now), 0.0)
            new[f"{name}/2"] = 0.98 * mean + 0.02 * lax.stop_gradient(now)
            new[f"{name}/3"] = 0.98 * variance + 0.02 * lax.stop_gradient(spread)
            mean, variance = now, spread
        factor = weights[f"{name}/0"] * lax.rsqrt(variance + 1e-3)
        return (x * factor + (weights[f"{name}/1"] - mean * factor)).astype(DTYPE)

    def unit(x: Any, name: str, strides: int = 1) -> Any:
        return jax.nn.relu(norm(conv(x, name, strides), f"{name}_norm"))

    x = (crops / 127.5 - 1.0).astype(DTYPE)
    stages = []
    for stage, count in enumerate(spec.blocks):
        x = unit(x, f"stage{stage}_down", 2)
        for i in range(count):
            name = f"stage{stage}_block{i}"
            y = norm(conv(unit(x, f"{name}_a"), f"{name}_b"), f"{name}_b_norm")
            x = jax.nn.relu(x + y)
        stages.append(x)
    context = jnp.mean(stages[-1].astype(jnp.float32), axis=(1, 2))
    face = context @ weights["face/0"] + weights["face/1"]

    def lateral(stage: int) -> Any:
        return conv(stages[stage], f"lateral{stage}") + weights[f"lateral{stage}/1"].astype(DTYPE)

    top = lateral(len(stages) - 1)
    for stage in range(len(stages) - 2, 0, -1):
        top = jnp.repeat(jnp.repeat(top, 2, axis=1), 2, axis=2) + lateral(stage)
        top = unit(top, f"smooth{stage}")
    heads = {n: head(weights, top, n) for n in HEADS}
    return heads, face[:, 0], new


def centres(cells: int) -> Any:
    return (np.arange(cells, dtype=np.float32) * 2 + 1) / cells - 1


def head(weights: Tree, top: Any, n: int) -> Tree:
    batch, cells, _, channels = top.shape
    flat = top.reshape(batch, cells * cells, channels).astype(jnp.float32)
    logits = jnp.einsum("bkc,cn->bnk", flat, weights[f"heatmaps{n}/0"][0, 0])
    logits = logits + weights[f"heatmaps{n}/1"][:, None]
    heat = jax.nn.softmax(logits, axis=-1)
    grid = np.stack(np.meshgrid(centres(cells), centres(cells)), axis=-1).reshape(-1, 2)
    coarse = jnp.einsum("bnk,kd->bnd", heat, grid, precision=lax.Precision.HIGHEST)
    pooled = jnp.einsum("bnk,bkc->bnc", heat, flat)
    refined = jnp.einsum("bnc,nuc->bnu", pooled, weights[f"refine{n}/0"][0],
                         precision=lax.Precision.HIGHEST)  # fmt: skip
    refined = refined + weights[f"refine{n}/1"]
    return {
        "points": coarse + refined[..., :2], "log_scale": refined[..., 2] * 4.0 - 4.0,
        "coarse": coarse, "logits": logits,
    }  # fmt: skip


# Losses: those of kpcli/training/landmarks/losses.py, and heatmaps drawn to a Gaussian.


def wing(distance: Any) -> Any:
    constant = WING_WIDTH - WING_WIDTH * math.log(1 + WING_WIDTH / WING_EPSILON)
    near = WING_WIDTH * jnp.log(1 + distance / WING_EPSILON)
    return jnp.where(distance < WING_WIDTH, near, distance - constant)


def masked_mean(values: Any, mask: Any) -> Any:
    return jnp.sum(values * mask) / jnp.maximum(jnp.sum(mask), 1.0)


def spread_loss(logits: Any, truth: Any, cells: int) -> Any:
    """Cross-entropy (B, N) of the heatmap to a Gaussian of one cell around the truth."""
    place = jnp.asarray(centres(cells))
    away = (place - jnp.clip(truth, -1, 1)[..., None]) * (cells / 2)  # (B, N, 2, cells)
    target = jax.nn.softmax(-0.5 * jnp.square(away), axis=-1)
    maps = logits.reshape(*logits.shape[:2], cells, cells)
    rows = jnp.einsum("bnyx,bnx->bny", maps, target[:, :, 0])
    wanted = jnp.sum(rows * target[:, :, 1], axis=-1)
    return jax.nn.logsumexp(logits, axis=-1) - wanted - 2.8


def point_loss(out: Tree, truth: Any, labels: Tree, along: Any, cells: int, heat: Any) -> Any:
    tangent = truth[:, along[:, 1]] - truth[:, along[:, 0]]
    length = jnp.linalg.norm(tangent + 1e-9, axis=-1, keepdims=True)
    slides = (labels["soft"] > 0)[..., None] & (length > 1e-4)
    tangent = jnp.where(slides, tangent / jnp.maximum(length, 1e-4), 0.0)
    shift = jnp.sum((lax.stop_gradient(out["points"]) - truth) * tangent, -1, keepdims=True)
    truth = truth + jnp.clip(shift, -SLIDE, SLIDE) * tangent
    loss = jnp.sum(wing(jnp.abs(out["points"] - truth)), -1)
    loss = loss + 0.5 * jnp.sum(wing(jnp.abs(out["coarse"] - truth)), -1)
    loss = loss + heat * spread_loss(out["logits"], truth, cells)
    total = masked_mean(loss, labels["weight"])
    distance = jnp.sqrt(jnp.sum(jnp.square(out["points"] - truth), -1) + 1e-12)
    scale = lax.stop_gradient(distance) * jnp.exp(-out["log_scale"]) + 2 * out["log_scale"]
    exact = labels["exact"] * labels["weight"]
    return total + SCALE_WEIGHT * masked_mean(scale, exact), masked_mean(distance, exact)


# Crops: kpcli/training/augment.py on the GPU.


def sample_picture(picture: Any, matrix: Any, size: int) -> Any:
    """Bilinear crop (size, size, 3) of packed pixels (SIDE, SIDE): matrix (2, 3) crop to picture.

    Outside the picture it is black, as cv2.warpAffine has it.
    """
    at = jnp.arange(size, dtype=jnp.float32)
    x = matrix[0, 0] * at[None, :] + matrix[0, 1] * at[:, None] + matrix[0, 2]
    y = matrix[1, 0] * at[None, :] + matrix[1, 1] * at[:, None] + matrix[1, 2]
    left, top = jnp.floor(x), jnp.floor(y)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    left, top = left.astype(jnp.int32), top.astype(jnp.int32)
    flat = picture.reshape(-1)

    def tap(dx: int, dy: int) -> Any:
        u, v = left + dx, top + dy
        inside = (u >= 0) & (u < SIDE) & (v >= 0) & (v < SIDE)
        packed = flat[jnp.clip(v, 0, SIDE - 1) * SIDE + jnp.clip(u, 0, SIDE - 1)]
        packed = jnp.where(inside, packed, 0)
        parts = [(packed >> shift) & 255 for shift in (0, 8, 16)]
        return jnp.stack(parts, axis=-1).astype(jnp.float32)

    above = tap(0, 0) * (1 - fx) + tap(1, 0) * fx
    below = tap(0, 1) * (1 - fx) + tap(1, 1) * fx
    return above * (1 - fy) + below * fy


def inverse(linear: Any, offset: Any) -> Any:
    """Matrix (2, 3) from crop to picture of crop = linear @ picture + offset."""
    a, b, c, d = linear[0, 0], linear[0, 1], linear[1, 0], linear[1, 1]
    back = jnp.array([[d, -b], [-c, a]]) / (a * d - b * c)
    return jnp.concatenate([back, -(back @ offset)[:, None]], axis=1)


def random_crop(key: Any, picture: Any, face: Tree, size: int, strength: Any, flips: Any) -> Any:
    """A crop and the unit points of both mark-ups; a background's has its own, wider, ranges."""
    k = jax.random.split(key, 12)
    normal = functools.partial(jax.random.normal)
    limit = 30.0 * strength
    usual = jnp.clip(normal(k[0]) * limit / 2, -limit, limit)
    far = jax.random.uniform(k[1], minval=-3.0, maxval=3.0) * limit
    angle = jnp.where(jax.random.uniform(k[2]) < 1 / 7, far, usual)
    background = face["negative"] > 0
    quarter = 90.0 * jax.random.randint(k[3], (), 0, 4)
    any_angle = jax.random.uniform(k[4], minval=-30.0, maxval=30.0) + quarter
    angle = jnp.deg2rad(jnp.where(background, any_angle, angle))
    mirror = jax.random.uniform(k[5]) < 0.5
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    turn = jnp.array([[cos, -sin], [sin, cos]])
    stretch, shear = normal(k[6], (2,)) * jnp.array([0.05, 0.04]) * strength
    odd = jax.random.uniform(k[7]) < 0.4
    stretch = jnp.where(odd, jnp.exp(stretch), 1.0)
    shear = jnp.where(odd, shear, 0.0)
    shape = jnp.array([[stretch, shear * stretch], [0.0, 1.0]])
    shape = shape / jnp.sqrt(stretch)
    linear = turn @ shape @ jnp.diag(jnp.array([jnp.where(mirror, -1.0, 1.0), 1.0]))
    corners = face["box"][jnp.array([[0, 1], [2, 1], [2, 3], [0, 3]])] @ linear.T
    there = face["points68"] @ linear.T
    known = face["boxed"] > 0
    some = jnp.sum(known) > 3
    low = jnp.min(jnp.where(known[:, None], there, jnp.inf), axis=0)
    high = jnp.max(jnp.where(known[:, None], there, -jnp.inf), axis=0)
    plain = face["box"][2:] - face["box"][:2]
    centre = jnp.where(some, (low + high) / 2, jnp.mean(corners, axis=0))
    side = jnp.where(some, jnp.max(high - low), jnp.max(plain))
    scale = CROP_SCALE * jnp.exp(normal(k[8]) * 0.06 * strength)
    scale = jnp.where(background, jax.random.uniform(k[9], minval=0.5, maxval=1.0), scale)
    jitter = jnp.where(background, 0.0, normal(k[10], (2,)) * 0.03 * strength)
    factor = size / (jnp.maximum(side, 1.0) * scale)
    offset = (size - 1) / 2 - factor * (centre + jitter * side)
    crop = sample_picture(picture, inverse(linear * factor, offset), size)
    units = {}
    for n in HEADS:
        points = face[f"points{n}"] @ (linear * factor).T + offset
        points = (2 * points + 1) / size - 1
        units[n] = jnp.where(mirror, points[flips[n]], points)
    return crop, units, mirror


def resampling(size: int) -> NDArray[np.float32]:
    """Matrices (K, size, size): nothing, shrunk and enlarged again (24), blurred (12)."""
    at = np.arange(size)
    tables = [np.eye(size)]
    for small in np.linspace(0.16, 0.6, 24) * size:
        small = int(small)
        f = size / small
        edges = np.arange(small) * f
        down = np.clip(np.minimum(at[None] + 1, edges[:, None] + f)
                       - np.maximum(at[None], edges[:, None]), 0, None) / f  # fmt: skip
        place = np.clip((at + 0.5) / f - 0.5, 0, small - 1)
        up = np.clip(1 - np.abs(place[:, None] - np.arange(small)[None]), 0, None)
        tables.append(up @ down)
    for sigma in np.linspace(0.4, 2.2, 12) * size / 128:
        kernel = np.exp(-0.5 * ((at[:, None] - at[None]) / sigma) ** 2)
        tables.append(kernel / kernel.sum(axis=1, keepdims=True))
    return np.asarray(np.stack(tables), np.float32)


LUMA_TABLE = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
], np.float32)  # fmt: skip
"""JPEG's quantisation of brightness at quality 50 (ITU-T T.81, table K.1)."""
TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)


def jpeg(crops: Any, quality: Any) -> Any:
    """What JPEG's quantisation leaves of crops, qualities (B,) from 15 to 70."""
    k = np.arange(8)
    dct = np.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * 0.5
    dct[0] /= math.sqrt(2)
    dct = dct.astype(np.float32)
    batch, size = crops.shape[:2]
    blocks = (crops @ TO_YCC.T).reshape(batch, size // 8, 8, size // 8, 8, 3)
    blocks = jnp.einsum("ui,bYiXjc,vj->bYXcuv", dct, blocks - np.array([128.0, 0, 0]), dct)
    factor = jnp.where(quality < 50, 50 / quality, 2 - quality / 50)[:, None, None]
    steps = jnp.maximum(jnp.asarray(LUMA_TABLE) * factor, 1.0)
    steps = steps[:, None, None, None] * jnp.array([1.0, 1.6, 1.6])[:, None, None]
    blocks = jnp.round(blocks / steps) * steps
    back = jnp.einsum("ui,bYXcuv,vj->bYiXjc", dct, blocks, dct).reshape(crops.shape)
    return (back + np.array([128.0, 0, 0])) @ np.linalg.inv(TO_YCC.T).astype(np.float32)


def photometric(key: Any, crops: Any, strength: Any, tables: Any) -> Any:
    """Colour, gray, occlusion, resolution, blur, JPEG and noise, each of some crops."""
    batch, size = crops.shape[:2]
    k = iter(jax.random.split(key, 32))
    uniform = functools.partial(jax.random.uniform, shape=(batch,))

    def some(share: float, new: Any, old: Any) -> Any:
        chosen = uniform(next(k)) < share * strength
        return jnp.where(chosen[:, None, None, None], new, old)

    def wide(values: Any) -> Any:
        return values[:, None, None, None]

    gamma = jnp.exp(0.35 * jax.random.normal(next(k), (batch, 1, 1, 1)))
    contrast = jnp.exp(0.25 * jax.random.normal(next(k), (batch, 1, 1, 1)))
    light = 0.12 * jax.random.normal(next(k), (batch, 1, 1, 1))
    gains = jnp.exp(0.08 * jax.random.normal(next(k), (batch, 1, 1, 3)))
    ramp = jnp.clip(crops / 255, 0.0, 1.0)
    coloured = (jnp.maximum(ramp, 1e-4) ** gamma) * (255 * contrast * gains)
    coloured = jnp.clip(coloured + 255 * (0.5 + light - 0.5 * contrast), 0, 255)
    crops = some(0.7, coloured, crops)
    luma = jnp.broadcast_to((crops @ TO_YCC[0])[..., None], crops.shape)
    crops = some(0.1, luma, crops)

    at = (jnp.arange(size) + 0.5) / size
    x = at[None, None, :] - uniform(next(k), minval=0.1, maxval=0.9)[:, None, None]
    y = at[None, :, None] - uniform(next(k), minval=0.1, maxval=0.9)[:, None, None]
    angle = uniform(next(k), maxval=math.pi)[:, None, None]
    u, v = x * jnp.cos(angle) + y * jnp.sin(angle), y * jnp.cos(angle) - x * jnp.sin(angle)
    u = u / uniform(next(k), minval=0.06, maxval=0.25)[:, None, None]
    v = v / uniform(next(k), minval=0.06, maxval=0.25)[:, None, None]
    kind = jax.random.randint(next(k), (batch, 1, 1), 0, 3)
    edge = uniform(next(k), minval=0.15, maxval=0.5)[:, None, None]
    way = jax.random.randint(next(k), (batch, 1, 1), 0, 4)
    across = jnp.where(way % 2 == 0, at[None, None, :], at[None, :, None])
    across = jnp.where(way < 2, across, 1 - across)
    mask = jnp.where(kind == 0, (jnp.abs(u) < 1) & (jnp.abs(v) < 1),
                     jnp.where(kind == 1, u * u + v * v < 1, across < edge))  # fmt: skip
    filling = jax.random.randint(next(k), (batch, 1, 1, 1), 0, 3)
    one = jax.random.uniform(next(k), (batch, 1, 1, 3), maxval=255.0)
    noise = [
        jax.image.resize(jax.random.uniform(next(k), (batch, c, c, 3), maxval=255.0),
                         crops.shape, "linear")
        for c in (4, 16)
    ]  # fmt: skip
    noise_of = jnp.where(wide(uniform(next(k)) < 0.5), noise[0], noise[1])
    other = jnp.roll(crops, 1, axis=0)[:, :, ::-1].swapaxes(1, 2)
    fill = jnp.where(filling == 0, one, jnp.where(filling == 1, noise_of, other))
    crops = some(0.35, jnp.where(mask[..., None], fill, crops), crops)

    shrunk = jax.random.randint(next(k), (batch,), 1, 25)
    blurred = jax.random.randint(next(k), (batch,), 25, 37)
    both = uniform(next(k))
    draw = uniform(next(k))
    rows = jnp.where(draw < 0.25 * strength, shrunk,
                     jnp.where((draw < 0.45 * strength) & (both < 0.8), blurred, 0))  # fmt: skip
    columns = jnp.where(draw < 0.25 * strength, shrunk,
                        jnp.where((draw < 0.45 * strength) & ((both < 0.6) | (both > 0.8)),
                                  blurred, 0))  # fmt: skip
    small = crops.astype(DTYPE)
    small = jnp.einsum("bij,bjkc->bikc", tables[rows], small)
    small = jnp.einsum("bkl,bilc->bikc", tables[columns], small).astype(jnp.float32)
    crops = jnp.where(wide((rows > 0) | (columns > 0)), small, crops)

    crops = some(0.2, jpeg(crops, uniform(next(k), minval=15.0, maxval=70.0)), crops)
    level = wide(uniform(next(k), minval=1.0, maxval=12.0))
    crops = some(0.12, crops + level * jax.random.normal(next(k), crops.shape), crops)
    return jnp.clip(crops, 0, 255)


# Faces.


@dataclass
class Faces:
    """All pictures and what is known of them; arrays on the host, pictures on the GPU too."""

    room: int
    flips: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    along: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    count: int = 0
    groups: dict[str, list[int]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        n = self.room
        self.pictures = jnp.zeros((n, SIDE, SIDE), jnp.uint32)
        self.host: Tree = {"box": np.zeros((n, 4), np.float32)}
        for m in HEADS:
            self.host[f"points{m}"] = np.zeros((n, m, 2), np.float32)
            for kind in ("weight", "soft", "exact"):
                self.host[f"{kind}{m}"] = np.zeros((n, m), np.float32)
        self.host["boxed"] = np.zeros((n, 68), np.float32)
        self.host["negative"] = np.zeros(n, np.float32)
        self.plain = np.zeros(n, bool)
        self.version = 0
        self._device: Tree | None = None
        self._put = jax.jit(
            lambda a, b, i: lax.dynamic_update_slice(a, b, (i, 0, 0)), donate_argnums=0
        )

    def device(self) -> Tree:
        """The labels on the GPU, of the last `changed`."""
        if self._device is None:
            self._device = {k: jnp.asarray(v) for k, v in self.host.items()}
        return self._device

    def changed(self) -> None:
        self._device = None

    def add(self, stage: Stage) -> slice:
        first, n = self.count, min(len(stage.pictures), self.room - self.count)
        for at in range(0, n, 128):  # in equal pieces, so that one program puts all
            piece = np.zeros((128, SIDE, SIDE), np.uint32)
            some = stage.pictures[at : min(at + 128, n)]
            piece[: len(some)] = some
            start = min(first + at, self.room - 128)
            if start < first + at:  # the last piece of all
                piece = np.roll(piece, first + at - start, axis=0)
                keep = np.asarray(self.pictures[start : first + at])
                piece[: len(keep)] = keep
            self.pictures = self._put(self.pictures, piece, start)
        rows = slice(first, first + n)
        for key, value in stage.labels.items():
            self.host[key][rows] = value[:n]
        self.plain[rows] = stage.plain
        self.names += stage.names[:n]
        self.groups.setdefault(stage.group, []).extend(range(first, first + n))
        self.count += n
        self.changed()
        return rows


@dataclass
class Stage:
    group: str
    pictures: NDArray[np.uint32]
    labels: Tree
    names: list[str]
    plain: bool


GROUPS = {
    "helen_more": "300w", "celeba": "portraits", "utk": "portraits", "aaf": "portraits",
    "youtube": "portraits", "wider_more": "wider",
}  # fmt: skip
PLAIN = ("wider", "portraits")


def read_stage(path: Path) -> list[Stage]:
    """A stage's pictures, packed, and labels; faces.npz holds 300-W and WFLW together."""
    data = dict(np.load(path))
    ends = np.cumsum(data["sizes"])
    blob = data["blob"]

    def decode(i: int) -> NDArray[np.uint32]:
        raw = blob[ends[i] - data["sizes"][i] : ends[i]]
        picture = cv2.cvtColor(cv2.imdecode(raw, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGBA)
        square = np.zeros((SIDE, SIDE), np.uint32)
        packed = np.ascontiguousarray(picture).view(np.uint32)[..., 0] & 0xFFFFFF
        square[: picture.shape[0], : picture.shape[1]] = packed[:SIDE, :SIDE]
        return square

    with ThreadPoolExecutor(12) as pool:
        pictures = np.stack(list(pool.map(decode, range(len(ends)))))
    names = [str(n) for n in data["names"]]
    labels: Tree = {"box": data["boxes"]}
    labels["negative"] = np.full(len(names), float(path.stem == "negatives"), np.float32)
    group = GROUPS.get(path.stem, path.stem)
    plain = group in PLAIN
    for n in HEADS:
        whole, seen = data[f"points{n}"], data[f"seen{n}"]
        known = whole[..., 0] != UNKNOWN
        labels[f"points{n}"] = np.where(known[..., None], whole / FINE, 0).astype(np.float32)
        exact = ((seen == 2) & ~np.bool_(plain)).astype(np.float32)
        labels[f"exact{n}"] = exact
        labels[f"soft{n}"] = ((seen == 1) & ~np.bool_(plain)).astype(np.float32)
        labels[f"weight{n}"] = np.where(exact > 0, 1.0, np.where(known, 0.25, 0)).astype(np.float32)
        if n == 68:
            labels["boxed"] = known.astype(np.float32)
    if path.stem not in ("faces", "val"):
        return [Stage(group, pictures, labels, names, plain)]
    stages = []
    for dataset in ("300w", "wflw"):
        rows = [i for i, name in enumerate(names) if name.startswith(dataset)]
        name = dataset if path.stem == "faces" else f"val_{dataset}"
        part = {k: v[rows] for k, v in labels.items()}
        stages.append(Stage(name, pictures[rows], part, [names[i] for i in rows], plain))
    return stages


def pose_of(points: NDArray[np.float32], known: NDArray[Any] | None = None) -> NDArray[np.float32]:
    """Centre, side and angle (B, 4) of the upright box around points (B, 68, 2)."""
    mask = np.ones(points.shape[:2], bool) if known is None else known > 0
    left, right = points[:, 36:42].mean(axis=1), points[:, 42:48].mean(axis=1)
    eyes = right - left
    enough = mask[:, 36:48].all(axis=1) & (np.linalg.norm(eyes, axis=-1) > 6)
    angle = np.where(enough, np.arctan2(eyes[:, 1], eyes[:, 0]), 0.0)
    angle = np.where(np.abs(angle) > math.radians(15), angle, 0.0)
    return posed(points, mask, angle)


def posed(points: Any, mask: Any, angle: Any) -> NDArray[np.float32]:
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x = points[..., 0] * cos + points[..., 1] * sin
    y = points[..., 1] * cos - points[..., 0] * sin
    low = np.stack([np.where(mask, v, np.inf).min(axis=1) for v in (x, y)], axis=-1)
    high = np.stack([np.where(mask, v, -np.inf).max(axis=1) for v in (x, y)], axis=-1)
    mx, my = ((low + high) / 2).T
    side = np.maximum((high - low).max(axis=1), 1.0)
    centre = np.stack([mx * cos[:, 0] - my * sin[:, 0], mx * sin[:, 0] + my * cos[:, 0]], axis=-1)
    pose = np.concatenate([centre, side[:, None], angle[:, None]], axis=1)
    return np.nan_to_num(pose, posinf=SIDE / 2, neginf=SIDE / 2).astype(np.float32)


# Looking: crops without any lot, for validation and labels.


@dataclass
class Looker:
    """A network's looks at faces: points in the picture's pixels, logarithms of scales, faces."""

    spec: Spec
    batch: int
    flips: Mapping[int, Any]

    def __post_init__(self) -> None:
        self._look = jax.jit(functools.partial(self._traced))

    def _traced(self, weights: Tree, statistics: Tree, pictures: Any, index: Any, pose: Any,
                cut: Any, mirror: Any) -> Any:  # fmt: skip
        size = self.spec.size

        def place(p: Any) -> tuple[Any, Any]:
            cos, sin = jnp.cos(p[3]), jnp.sin(p[3])
            upright = jnp.array([[cos, sin], [-sin, cos]])
            upright = jnp.diag(jnp.array([jnp.where(mirror, -1.0, 1.0), 1.0])) @ upright
            factor = size / (p[2] * CROP_SCALE * cut[0])
            centre = p[:2] + cut[1:] * p[2]
            return upright * factor, (size - 1) / 2 - factor * (upright @ centre)

        with jax.default_matmul_precision("highest"):
            linear, offset = jax.vmap(place)(pose)
            back = jax.vmap(inverse)(linear, offset)
        crops = jax.vmap(lambda p, m: sample_picture(p, m, size))(pictures[index], back)
        heads, face, _ = forward(self.spec, weights, statistics, jnp.round(crops), False)
        result = {"face": face}
        for n, out in heads.items():
            unit, scale = out["points"], out["log_scale"]
            unit = jnp.where(mirror, unit[:, self.flips[n]], unit)
            result[f"scale{n}"] = jnp.where(mirror, scale[:, self.flips[n]], scale)
            crop = ((unit + 1) * size - 1) / 2
            result[f"points{n}"] = (
                jnp.einsum("bij,bnj->bni", back[..., :2], crop, precision=lax.Precision.HIGHEST)
                + back[:, None, :, 2]
            )
        return result

    def __call__(
        self, weights: Tree, statistics: Tree, faces: Faces, rows: NDArray[Any],
        pose: NDArray[np.float32], cut: Sequence[float] = LOOKS[0], mirror: bool = False,
    ) -> Tree:  # fmt: skip
        parts: list[Tree] = []
        for first in range(0, len(rows), self.batch):
            index = np.zeros(self.batch, np.int32)
            where = np.full((self.batch, 4), SIDE / 2, np.float32)
            where[:, 3] = 0
            some = rows[first : first + self.batch]
            index[: len(some)], where[: len(some)] = some, pose[first : first + self.batch]
            out = self._look(weights, statistics, faces.pictures, index, where,
                             np.array(cut, np.float32), np.bool_(mirror))  # fmt: skip
            parts.append({k: v[: len(some)] for k, v in out.items()})
        return {k: np.concatenate([np.asarray(p[k]) for p in parts]) for k in parts[0]}


def nme(points: Any, truth: Any, known: Any, n: int) -> NDArray[np.float64]:
    distance = np.linalg.norm(points - truth, axis=-1)
    a, b = EYES[n]
    eyes = np.linalg.norm(truth[:, a] - truth[:, b], axis=-1)
    mean = (distance * known).sum(axis=1) / known.sum(axis=1)
    return np.asarray(100 * mean / eyes)


class Validation:
    """Errors on the val faces as `kpcli eval` has them; by 68 points and by 98."""

    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    def rows(self, group: str) -> NDArray[np.int64]:
        return np.array(self.faces.groups.get(group, []), np.int64)

    def errors(self, look: Callable[[NDArray[Any], NDArray[np.float32]], Tree]) -> dict[str, float]:
        """``look`` takes rows and poses."""
        result: dict[str, float] = {}
        everything = []
        for group, n in (("val_300w", 68), ("val_wflw", 68), ("val98", 98)):
            rows = self.rows(group)
            if not len(rows):
                continue
            truth = self.faces.host[f"points{n}"][rows]
            known = self.faces.host[f"exact{n}"][rows] + self.faces.host[f"soft{n}"][rows]
            pose = posed(truth, known > 0, np.zeros(len(rows)))
            errors = nme(look(rows, pose)[f"points{n}"], truth, known, n)
            result[group] = float(errors.mean())
            if n == 68:
                everything.append(errors)
        if everything:
            result["val"] = float(np.concatenate(everything).mean())
        return result


# Training.


@dataclass(frozen=True)
class Plan:
    """How one network is trained; a share of the batch goes from its first to its last value."""

    spec: Spec
    batch: int
    rate: float
    decay: float
    ema: float
    heat: float
    heads: tuple[float, float]
    shares: Mapping[str, tuple[float, float]]
    strength: tuple[float, float]
    warmup: int = 200


TEACHING = {
    "300w": (0.36, 0.44), "wflw": (0.13, 0.16), "partial": (0.10, 0.10), "synth": (0.03, 0.03),
    "scut": (0.03, 0.02), "turned": (0.06, 0.06), "wider": (0.18, 0.12), "portraits": (0.14, 0.07),
}  # fmt: skip
LEARNING = {
    "300w": (0.22, 0.40), "wflw": (0.08, 0.14), "partial": (0.05, 0.06), "synth": (0.02, 0.02),
    "scut": (0.03, 0.01), "turned": (0.06, 0.06), "wider": (0.23, 0.11), "portraits": (0.19, 0.08),
    "negatives": (0.12, 0.12),
}  # fmt: skip
FINER = {
    "300w": (0.2, 0.14), "wflw": (0.2, 0.34), "partial": (0.04, 0.03), "turned": (0.04, 0.04),
    "wider": (0.26, 0.24), "portraits": (0.14, 0.09), "negatives": (0.12, 0.12),
}  # fmt: skip
PLANS = {
    "teacher": Plan(TEACHER, 256, 1.5e-3, 0.05, 0.998, 0.03, (1.0, 0.5), TEACHING, (1.0, 0.8)),
    "large": Plan(LARGE, 256, 2e-3, 0.01, 0.999, 0.01, (1.0, 0.3), LEARNING, (1.0, 0.75)),
    "default": Plan(DEFAULT, 320, 2.5e-3, 0.005, 0.999, 0.01, (1.0, 0.4), LEARNING, (0.9, 0.7)),
    "wflw98": Plan(DEFAULT, 320, 8e-4, 0.005, 0.999, 0.01, (0.2, 1.0), FINER, (0.8, 0.7), 50),
}


def decayed(key: str, value: Any) -> bool:
    return value.ndim >= 2 and not key.startswith("refine")


@dataclass
class Program:
    """The compiled step of one plan."""

    plan: Plan
    faces: Faces
    compiled: Any = None

    def state(self, weights: Tree, statistics: Tree) -> Tree:
        zeros = functools.partial(jax.tree.map, jnp.zeros_like)
        weights, statistics = (jax.tree.map(jnp.array, t) for t in (weights, statistics))
        return {
            "weights": weights, "statistics": statistics, "first": zeros(weights),
            "second": zeros(weights), "mean": jax.tree.map(jnp.array, (weights, statistics)),
        }  # fmt: skip

    def traced(self, state: Tree, pictures: Any, labels: Tree, index: Any, tables: Any,
               numbers: Tree) -> Any:  # fmt: skip
        plan, spec = self.plan, self.plan.spec
        flips, along = self.faces.flips, self.faces.along
        key = jax.random.key(numbers["seed"])
        keys = jax.random.split(key, len(index) + 1)
        some = {k: v[index] for k, v in labels.items()}
        crop = functools.partial(random_crop, size=spec.size, strength=numbers["strength"],
                                 flips=flips)  # fmt: skip
        with jax.default_matmul_precision("highest"):  # places need all of float32's digits
            crops, units, mirrored = jax.vmap(crop)(keys[1:], pictures[index], some)
        crops = photometric(keys[0], crops, numbers["strength"], tables)
        crops = jnp.round(crops)
        wanted = {}
        for n in HEADS:
            one = {k: some[f"{k}{n}"] for k in ("weight", "soft", "exact")}
            wanted[n] = {k: jnp.where(mirrored[:, None], v[:, flips[n]], v) for k, v in one.items()}
        is_face = 1.0 - some["negative"]

        def loss_of(weights: Tree) -> Any:
            heads, face, new = forward(spec, weights, state["statistics"], crops, True)
            total, distances = 0.0, []
            for i, n in enumerate(HEADS):
                share = numbers["heads"][i]
                loss, distance = point_loss(heads[n], units[n], wanted[n], along[n], spec.cells(),
                                            plan.heat)  # fmt: skip
                total = total + share * loss
                distances.append(distance)
            entropy = jax.nn.softplus(face) - face * is_face
            return total + FACE_WEIGHT * jnp.mean(entropy), (new, distances)

        (loss, (new, distances)), slope = jax.value_and_grad(loss_of, has_aux=True)(
            state["weights"]
        )
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(slope)))
        fine = jnp.isfinite(norm)
        clip = jnp.where(fine, jnp.minimum(1.0, 5.0 / jnp.maximum(norm, 1e-9)), 0.0)
        slope = jax.tree.map(lambda g: jnp.where(fine, g * clip, 0.0), slope)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state["first"], slope)
        second = jax.tree.map(lambda m, g: 0.999 * m + 0.001 * g * g, state["second"], slope)
        t = numbers["step"] + 1.0
        rate = numbers["rate"]
        weights = {}
        for name, value in state["weights"].items():
            step = first[name] / (1 - 0.9**t)
            step = step / (jnp.sqrt(second[name] / (1 - 0.999**t)) + 1e-8)
            if decayed(name, value):
                step = step + plan.decay * value
            weights[name] = value - rate * step
        keep = jnp.minimum(plan.ema, (1 + t) / (10 + t))
        new = jax.tree.map(lambda a, b: jnp.where(jnp.isfinite(a), a, b), new, state["statistics"])
        mean = jax.tree.map(lambda a, b: keep * a + (1 - keep) * b, state["mean"], (weights, new))
        state = {"weights": weights, "statistics": new, "first": first, "second": second,
                 "mean": mean}  # fmt: skip
        return state, jnp.stack([loss, norm, *distances])

    def compile(self, weights: Tree, statistics: Tree) -> None:
        """Ahead of time, so that it can happen beside another training."""
        shape = functools.partial(
            jax.tree.map, lambda x: jax.ShapeDtypeStruct(np.shape(x), np.asarray(x).dtype)
        )
        state = {
            "weights": shape(weights), "statistics": shape(statistics), "first": shape(weights),
            "second": shape(weights), "mean": (shape(weights), shape(statistics)),
        }  # fmt: skip
        n = self.faces.room
        labels = {k: jax.ShapeDtypeStruct(v.shape, v.dtype) for k, v in self.faces.host.items()}
        size = self.plan.spec.size
        began = time.monotonic()
        self.compiled = (
            jax.jit(self.traced, donate_argnums=0)
            .lower(
                state,
                jax.ShapeDtypeStruct((n, SIDE, SIDE), jnp.uint32),
                labels,
                jax.ShapeDtypeStruct((self.plan.batch,), jnp.int32),
                jax.ShapeDtypeStruct((37, size, size), DTYPE),
                {
                    "heads": jax.ShapeDtypeStruct((2,), jnp.float32),
                    "seed": jax.ShapeDtypeStruct((), jnp.int32),
                    **dict.fromkeys(
                        ("strength", "step", "rate"), jax.ShapeDtypeStruct((), jnp.float32)
                    ),
                },
            )
            .compile()
        )
        say(f"compiled {self.plan.spec.name}, batch {self.plan.batch}: "
            f"{time.monotonic() - began:.0f} s")  # fmt: skip


class Lots:
    """Which faces a batch has: groups by share, each group's faces by lot."""

    def __init__(self, faces: Faces, plan: Plan, seed: int) -> None:
        self.faces, self.plan = faces, plan
        self.rng = np.random.default_rng(seed)
        self.known: dict[str, NDArray[np.int64]] = {}

    def of(self, group: str) -> NDArray[np.int64]:
        there = self.faces.groups[group]
        if group not in self.known or len(self.known[group]) != len(there):
            self.known[group] = np.array(there)
        return self.known[group]

    def draw(self, done: float) -> NDArray[np.int32]:
        there = {g: s for g, s in self.plan.shares.items() if self.faces.groups.get(g)}
        shares = {g: a + (b - a) * done for g, (a, b) in there.items()}
        total = sum(shares.values())
        counts = self.rng.multinomial(self.plan.batch, [s / total for s in shares.values()])
        rows = [
            self.of(g)[self.rng.integers(0, len(self.of(g)), n)]
            for g, n in zip(shares, counts, strict=True)
        ]
        index = np.concatenate(rows).astype(np.int32)
        self.rng.shuffle(index)
        return index


LOG: list[Path] = []


def say(text: str) -> None:
    line = f"[{time.monotonic() - START:6.1f} s] {text}"
    print(line, flush=True)
    for path in LOG:
        with path.open("a") as file:
            file.write(line + "\n")


def short(row: Mapping[str, float]) -> str:
    return " ".join(f"{k} {v:.3f}" for k, v in row.items())


def save(path: Path, weights: Tree, statistics: Tree, facts: Mapping[str, Any]) -> None:
    """At once or not at all, as it may be copied at any moment."""
    values = {k: np.asarray(v, np.float32) for k, v in {**weights, **statistics}.items()}
    temporary = path.with_name("." + path.name)
    with temporary.open("wb") as file:
        np.savez(file, facts=np.array(json.dumps(dict(facts))), **values)
    os.replace(temporary, path)


def train(
    plan: Plan, program: Program, weights: Tree, statistics: Tree, seconds: float, evaluate: Any,
    keep: Callable[[Tree, Tree, dict[str, Any]], None], between: Callable[[], None], every: float,
) -> tuple[Tree, Tree]:  # fmt: skip
    """The averaged weights after ``seconds``; they are validated and kept ``every`` seconds."""
    plan, faces = replace(plan, batch=program.plan.batch), program.faces
    state = program.state(weights, statistics)
    tables = jnp.asarray(resampling(plan.spec.size), DTYPE)
    lots = Lots(faces, plan, seed=round(1e6 * plan.rate))
    began = last = time.monotonic()
    waiting: deque[Any] = deque()
    losses: list[NDArray[Any]] = []
    step = bad = 0
    tame = 1.0
    while True:
        done = (time.monotonic() - began) / seconds
        if step == 1:
            began = last = time.monotonic()  # the first step's own start does not count
        if done >= 1:
            break
        if done > 0.03:  # a slow machine's few steps are smaller ones
            tame = min(1.0, math.sqrt(step / done / ENOUGH))
        rate = plan.rate * tame * min(1.0, (step + 1) / plan.warmup)
        rate *= 0.5 * (1 + math.cos(math.pi * done))
        strength = plan.strength[0] + (plan.strength[1] - plan.strength[0]) * done
        numbers = {
            "seed": np.int32(step), "strength": np.float32(strength), "step": np.float32(step),
            "rate": np.float32(rate), "heads": np.array(plan.heads, np.float32),
        }  # fmt: skip
        state, row = program.compiled(
            state, faces.pictures, faces.device(), lots.draw(done), tables, numbers
        )
        waiting.append(row)
        step += 1
        if len(waiting) > 8:
            losses.append(np.asarray(waiting.popleft()))
            bad = bad + 1 if not np.isfinite(losses[-1][0]) else 0
            if bad > 20:
                raise FloatingPointError("the loss is no number")
        between()
        if time.monotonic() - last > every:
            last = time.monotonic()
            report(plan, state, evaluate, keep, losses, step, last - began, done)
            losses.clear()
    report(plan, state, evaluate, keep, losses, step, time.monotonic() - began, 1.0)
    return jax.tree.map(np.asarray, state["mean"])


def report(plan: Plan, state: Tree, evaluate: Any, keep: Any, losses: list[Any], step: int,
           seconds: float, done: float) -> None:  # fmt: skip
    mean = jax.tree.map(np.asarray, state["mean"])
    row = evaluate(*mean)
    loss = np.mean(losses, axis=0) if losses else np.zeros(4)
    speed = step * plan.batch / max(seconds, 1e-6)
    say(
        f"{plan.spec.name} {100 * done:3.0f} %, step {step}, {speed:.0f} crops/s: loss "
        f"{loss[0]:.4f} norm {loss[1]:.2f} distance {loss[2]:.4f} {loss[3]:.4f} | {short(row)}"
    )
    keep(*mean, {"steps": step, "batch": plan.batch, "seconds": round(seconds), "val": row})


def whole(part: Path) -> bool:
    """Whether all has come that the part's DONE names: a file's name and its size, line by line."""
    try:
        lines = [line.split() for line in (part / "DONE").read_text().splitlines()]
        return all((part / name).stat().st_size == int(size) for name, size in lines)
    except (OSError, ValueError):
        return False


class Session:
    """The whole: parts as they come, the teacher, the labels, the students."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.out: Path = options.out
        self.out.mkdir(parents=True, exist_ok=True)
        LOG.append(self.out / "log.txt")
        self.waiting = list(options.parts)
        self.values: Tree = {}
        self.faces = Faces(options.room)
        self.validation = Validation(self.faces)
        self.polled = 0.0
        self.lookers: dict[str, Looker] = {}
        self.thread: threading.Thread | None = None
        self.arrived: deque[list[Stage]] = deque()
        self.programs: dict[str, Program] = {}
        specs = (TEACHER, LARGE, DEFAULT)
        self.locks = {spec.name: threading.Lock() for spec in specs}
        self.batches = {s.name: options.batch or PLANS[s.name].batch for s in specs}
        self.near: Any = np.zeros(98, np.int64)

    # Parts.

    def poll(self, block: bool = False) -> None:
        """Read what parts have come since (in a thread), and take in what has been read."""
        if self.arrived:
            for stage in self.arrived.popleft():
                rows = self.faces.add(stage)
                say(f"{stage.group}: {len(stage.names)} pictures")
                if stage.plain:
                    self.first_labels(rows)
        if self.thread is not None and self.thread.is_alive():
            if not block:
                return
            self.thread.join()
            self.poll()
        if not block and time.monotonic() - self.polled < 2:
            return
        self.polled = time.monotonic()
        ready = [p for p in self.waiting if whole(p)]
        for part in ready:
            self.waiting.remove(part)
        if ready:
            self.thread = threading.Thread(target=self.read, args=(ready,), daemon=True)
            self.thread.start()
            if block:
                self.poll(block=True)

    def read(self, parts: Sequence[Path]) -> None:
        for part in parts:
            for path in sorted(part.glob("*.npz")):
                try:
                    if path.stem.startswith(("weights", "schemes")):
                        self.values.update(np.load(path))
                        continue
                    for stage in read_stage(path):
                        self.arrived.append([stage])
                except Exception:
                    say(f"{path}: {traceback.format_exc()}")

    def drain(self) -> None:
        while self.arrived or (self.thread is not None and self.thread.is_alive()):
            self.poll(block=True)

    def looker(self, spec: Spec) -> Looker:
        if spec.name not in self.lookers:
            self.lookers[spec.name] = Looker(spec, self.options.looks, self.faces.flips)
        return self.lookers[spec.name]

    def first_labels(self, rows: slice) -> None:
        """What the shipped large model says of plain faces, until the teacher knows more."""
        if f"{LARGE.name}/stage0_down/0" not in self.values:
            return
        try:
            weights, statistics = shipped(LARGE, self.values, self.near)
            index = np.arange(rows.start, rows.stop)
            points, spread, _ = self.looks([(1.0, LARGE, weights, statistics)], index)
            self.faces.host["points68"][index] = points[68]
            self.faces.host["weight68"][index] = np.where(spread[68] < AGREED, 0.5, 0.2)
            self.faces.changed()
        except Exception:
            say(traceback.format_exc())

    # Labels.

    def looks(self, nets: Sequence[tuple[float, Spec, Tree, Tree]], index: NDArray[Any]) -> Any:
        """Mean points of several looks of several nets with shares; their spread; face logits.

        The 98 points are those of the first net alone.
        """
        faces = self.faces
        pose = pose_of(faces.host["points68"][index], faces.host["boxed"][index])
        first = self.looker(nets[0][1])(*nets[0][2:], faces, index, pose)
        pose = pose_of(first["points68"])
        total: dict[int, Any] = dict.fromkeys(HEADS, 0.0)
        square: dict[int, Any] = dict.fromkeys(HEADS, 0.0)
        for i, (share, spec, weights, statistics) in enumerate(nets):
            for cut in LOOKS:
                for mirror in (False, True):
                    out = self.looker(spec)(weights, statistics, faces, index, pose, cut, mirror)
                    for n, part in ((68, share), (98, float(not i))):
                        if part:
                            there = out[f"points{n}"].astype(np.float64)
                            total[n] = total[n] + part / 6 * there
                            square[n] = square[n] + part / 6 * there**2
        spread = {
            n: np.sqrt(np.maximum(square[n] - total[n] ** 2, 0).sum(axis=-1)) / pose[:, 2:3]
            for n in HEADS
        }
        return total, spread, first["face"]

    def relabel(self, teacher: tuple[Tree, Tree]) -> None:
        """Every face but val's: missing points and plain faces by the teacher (and `large`)."""
        faces = self.faces
        large = shipped(LARGE, self.values, self.near) if self.values else None
        share = 1.0
        if large is not None:
            share = self.best_share(teacher, large)
        nets: list[tuple[float, Spec, Tree, Tree]] = []
        if share > 0:
            nets.append((share, TEACHER, *teacher))
        if large is not None and share < 1:  # alone if the teacher came to nothing
            nets.append((1 - share, LARGE, *large))
        index = np.array([
            i for g, rows in faces.groups.items() if g != "negatives" and "val" not in g
            for i in rows
        ])  # fmt: skip
        points, spread, _ = self.looks(nets, index)
        plain = faces.plain[index][:, None]
        box = pose_of(points[68].astype(np.float32))[:, 2]
        for n in HEADS if share > 0 else HEADS[:1]:
            host = faces.host
            told = (host[f"exact{n}"][index] + host[f"soft{n}"][index]) > 0
            new = np.isfinite(points[n]).all(axis=-1) & ~told & (box > 8)[:, None]
            weight = np.where(spread[n] < AGREED, 0.6, 0.3) * np.where(plain, 1.0, 0.7)
            host[f"points{n}"][index] = np.where(
                new[..., None], points[n], host[f"points{n}"][index]
            )
            host[f"weight{n}"][index] = np.where(new, weight, host[f"weight{n}"][index])
            if n == 68:
                host["boxed"][index] = np.where(plain, 1.0, host["boxed"][index])
        faces.changed()
        stored = {f"points{n}": np.clip(np.round(np.nan_to_num(points[n]) * FINE), -32768, 32767)
                  .astype(np.int16) for n in HEADS}  # fmt: skip
        np.savez_compressed(self.out / "pseudo.npz", **stored,
                            names=np.array([faces.names[i] for i in index]))  # fmt: skip
        agreed = {n: float((spread[n] < AGREED).mean()) for n in HEADS}
        say(f"labelled {len(index)} faces anew; looks agree on {agreed}")

    def best_share(self, teacher: tuple[Tree, Tree], large: tuple[Tree, Tree]) -> float:
        """How much of the mean is the teacher's, the rest the large model's: best on val."""
        nets = ((TEACHER, *teacher), (LARGE, *large))
        memory: dict[tuple[int, int], Any] = {}

        def look(which: int, rows: NDArray[Any], pose: NDArray[np.float32]) -> Tree:
            key = which, int(rows[0])
            if key not in memory:
                spec, weights, statistics = nets[which]
                outs = [self.looker(spec)(weights, statistics, self.faces, rows, pose, c, m)
                        for c in LOOKS for m in (False, True)]  # fmt: skip
                memory[key] = {k: np.mean([o[k] for o in outs], axis=0) for k in outs[0]}
            return dict(memory[key])

        best = (math.inf, 1.0)
        for share in (1.0, 0.8, 0.65, 0.5, 0.0):

            def mixed(rows: Any, pose: Any, share: float = share) -> Tree:
                a, b = look(0, rows, pose), look(1, rows, pose)
                return {"points68": share * a["points68"] + (1 - share) * b["points68"],
                        "points98": a["points98"]}  # fmt: skip

            row = self.validation.errors(mixed)
            say(f"teacher's share {share}, six looks: {short(row)}")
            if row and row["val"] < best[0]:
                best = row["val"], share
        return best[1]

    # Networks.

    def evaluation(self, spec: Spec) -> Callable[[Tree, Tree], dict[str, float]]:
        def evaluate(weights: Tree, statistics: Tree) -> dict[str, float]:
            try:
                look = functools.partial(self.looker(spec), weights, statistics, self.faces)
                return self.validation.errors(look)
            except Exception:
                say(traceback.format_exc())
                return {"val": math.nan}

        return evaluate

    def program(self, spec: Spec) -> Program:
        """The compiled step of a network: plans that differ in shares only have the same."""
        with self.locks[spec.name]:
            if spec.name not in self.programs:
                batch = self.batches[spec.name]
                program = Program(replace(PLANS[spec.name], batch=batch), self.faces)
                program.compile(*initial(spec))
                self.programs[spec.name] = program
            return self.programs[spec.name]

    def ahead(self, specs: Sequence[Spec]) -> None:
        """Compile beside the first training."""

        def look(spec: Spec) -> None:
            pose = np.array([[SIDE / 2, SIDE / 2, SIDE / 2, 0]], np.float32)
            self.looker(spec)(*initial(spec), self.faces, np.zeros(1, np.int64), pose)

        def work() -> None:
            for spec in (TEACHER, LARGE):
                self.attempt(look, spec)
            for spec in specs:
                self.attempt(self.program, spec)
                self.attempt(look, spec)
            say("compiled ahead")

        threading.Thread(target=work, daemon=True).start()

    def attempt(self, action: Callable[[Any], Any], argument: Any) -> None:
        try:
            action(argument)
        except Exception:
            say(traceback.format_exc())

    def run(self, name: str, weights: Tree, statistics: Tree, seconds: float,
            between: Callable[[], None]) -> tuple[Tree, Tree] | None:  # fmt: skip
        """One training, with half the batch where memory is short; None if there is no way."""
        spec = PLANS[name].spec
        path = self.out / f"{name}.npz" if name != "teacher" else self.options.work / "teacher.npz"

        def keep(weights: Tree, statistics: Tree, facts: dict[str, Any]) -> None:
            try:
                facts = {**facts, "pictures": self.counts()}
                save(path, weights, statistics, facts)
            except Exception:
                say(traceback.format_exc())

        end = time.monotonic() + seconds
        for _ in range(4):
            left = end - time.monotonic()
            if left < 5:
                return None
            try:
                program = self.program(spec)
                left = max(end - time.monotonic(), 0.5 * left)
                say(f"{name}: {left:.0f} s, batch {program.plan.batch}, {self.counts()}")
                return train(PLANS[name], program, weights, statistics, left,
                             self.evaluation(spec), keep, between, self.options.every)  # fmt: skip
            except Exception as e:
                say(f"{name}: {type(e).__name__} {str(e)[:600]}")
                say(traceback.format_exc()[-1500:])
                self.programs.pop(spec.name, None)
                self.batches[spec.name] = max(self.batches[spec.name] // 2, 4)
        return None

    def counts(self) -> dict[str, int]:
        return {g: len(rows) for g, rows in self.faces.groups.items()}

    def main(self) -> None:
        options = self.options
        end = START + options.minutes * 60
        if options.until:
            end = time.monotonic() + options.until - time.time()
        say(f"JAX {jax.__version__}, {jax.devices()}")
        began = time.monotonic()
        while not self.faces.groups.get("300w"):  # the first part is what all begins with
            self.poll(block=True)
            self.load_tables()
            self.drain()
            time.sleep(0.2)
            if time.monotonic() - began > 240:
                raise SystemExit("no first part")
        say(f"first part: {self.counts()}")
        self.near = self.neighbours()
        shares = dict(zip(("teacher", "default", "wflw98", "large"), options.shares, strict=True))
        for name in options.skip:
            shares[name] = 0.0
        whole = sum(shares.values())
        left = end - time.monotonic()
        seconds = {n: left * s / whole for n, s in shares.items()}
        teacher = self.teach(seconds["teacher"])
        deadline = time.monotonic() + options.patience
        while self.waiting and time.monotonic() < deadline:
            if f"{DEFAULT.name}/stage0_down/0" not in self.values:
                deadline = min(deadline + 1, began + 600)  # students start from shipped weights
            self.poll(block=True)
            self.drain()
            time.sleep(0.5)
        self.drain()
        if self.waiting:
            say(f"without {[str(p) for p in self.waiting]}")
        if teacher is not None:
            try:
                self.relabel(teacher)
            except Exception:
                say(traceback.format_exc())
        rest = ("default", "wflw98", "large")
        starts: dict[str, tuple[Tree, Tree]] = {}
        for i, name in enumerate(rest):
            if not shares[name]:
                continue
            left = end - time.monotonic()
            mine = left * shares[name] / sum(shares[n] for n in rest[i:])
            start = starts.get(name) or self.start(PLANS[name].spec)
            try:
                say(f"{name} before: {short(self.evaluation(PLANS[name].spec)(*start))}")
                result = self.run(name, *start, mine, self.poll)
            except Exception:
                say(traceback.format_exc())
                continue
            if name == "default" and result is not None:
                starts["wflw98"] = result
        say("all done")
        (self.out / "FINISHED").write_text("")

    def neighbours(self) -> NDArray[np.int64]:
        """Of each of WFLW's points, which of iBUG's lies next to it in the mean face."""
        rows = [i for i in self.faces.groups.get("wflw", []) if self.faces.host["exact98"][i].all()]
        if not rows:
            return np.zeros(98, np.int64)
        pose = pose_of(self.faces.host["points68"][rows])
        mean = {n: ((self.faces.host[f"points{n}"][rows] - pose[:, None, :2])
                    / pose[:, None, 2:3]).mean(axis=0) for n in HEADS}  # fmt: skip
        away = np.linalg.norm(mean[98][:, None] - mean[68][None], axis=-1)
        return np.asarray(away.argmin(axis=1))

    def load_tables(self) -> None:
        if "flip68" in self.values:
            for n in HEADS:
                self.faces.flips[n] = np.asarray(self.values[f"flip{n}"])
                self.faces.along[n] = np.asarray(self.values[f"along{n}"])

    def start(self, spec: Spec) -> tuple[Tree, Tree]:
        try:
            return shipped(spec, self.values, self.near)
        except Exception:
            say(f"{spec.name} starts from nothing: {traceback.format_exc()[-300:]}")
            return initial(spec)

    def teach(self, seconds: float) -> tuple[Tree, Tree] | None:
        saved = self.options.work / "teacher.npz"
        if self.options.taught and saved.exists():
            data = dict(np.load(saved))
            data.pop("facts")
            weights, statistics = initial(TEACHER)
            return ({k: data[k].astype(np.float32) for k in weights},
                    {k: data[k].astype(np.float32) for k in statistics})  # fmt: skip
        if seconds <= 0:
            return None
        try:
            self.ahead((DEFAULT, LARGE))
            self.attempt(self.program, TEACHER)
            start = initial(TEACHER)
            if f"{LARGE.name}/stage0_down/0" in self.values:
                start = widened(*self.start(LARGE))
            return self.run("teacher", *start, seconds, self.poll)
        except Exception:
            say(traceback.format_exc())
            return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("/tmp"))
    parser.add_argument("--minutes", type=float, default=21.0)
    parser.add_argument("--until", type=float, default=0, help="seconds since 1970, not minutes")
    parser.add_argument("--shares", type=float, nargs=4, default=(6.5, 5.0, 1.3, 6.7),
                        help="of the time: teacher, default, wflw98, large")  # fmt: skip
    parser.add_argument("--patience", type=float, default=45.0)
    parser.add_argument("--every", type=float, default=40.0)
    parser.add_argument("--room", type=int, default=25000)
    parser.add_argument("--looks", type=int, default=256)
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--skip", nargs="*", default=[])
    parser.add_argument("--float32", action="store_true", help="for a trial on a processor")
    parser.add_argument("--taught", action="store_true", help="take the teacher that is there")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.float32:
        global DTYPE
        DTYPE = jnp.float32
    Session(options).main()


if __name__ == "__main__":
    main()
