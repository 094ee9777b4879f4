"""Our own face detector: fully convolutional, anchor-free, four scales, plain convolutions.

A residual encoder down to stride 64, a top-down path back to stride 8 (Lin et al., "Feature
pyramid networks", CVPR 2017) and one head whose convolutions all scales share, each with a batch
normalisation of its own. A cell gives one face: what YuNet (Wu et al., MIR 2023) and YOLOX (Ge et
al., arXiv:2107.08430) do, with 3x3 convolutions instead of depthwise ones, which train faster.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

from kpcli.errors import UsageError
from kpcli.model_bundle import DETECTION

TASK = DETECTION
INPUT_SIZE = 640
"""Long side of the picture at work; the network takes any multiples of `MULTIPLE`."""
COLOUR = "rgb"
STRIDES = (8, 16, 32, 64)
MULTIPLE = 64
STEM = (16, 24)
WIDTHS = (48, 64, 64, 48)
BLOCKS = (1, 1, 1, 0)
PYRAMID = 32
FIRST_SIDE = 4.0
"""Side of the box, in strides, that an untrained network gives."""
FIRST_SCORE = 0.01


def build(n_points: int = 0, *, weights: str = "none") -> keras.Model:
    """Model (B, H, W, 3) in 0..255 to a dict, cells of all scales behind one another.

    ``score`` (B, cells) logits; ``box`` and ``landmark_box`` (B, cells, 4): centre minus the
    cell's centre, in strides, and natural logarithms of width and height in strides. The first is
    a face as WIDER FACE boxes it, the second is tight around the 68 points.
    """
    if weights != "none":
        raise UsageError(
            f"--weights {weights} does not apply to face_detector",
            next_step="start from a bundle with --init",
        )
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    for i, width in enumerate(STEM):
        x = _conv(x, width, 3, strides=2, name=f"stem{i}")
    stages = []
    for stage, (width, count) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
        x = _conv(x, width, 3, strides=2, name=f"stage{stage}_down")
        for i in range(count):
            x = _residual(x, width, name=f"stage{stage}_block{i}")
        stages.append(x)
    return keras.Model(image, _heads(_top_down(stages)), name="face_detector")


def _top_down(stages: list[Any]) -> list[Any]:
    """Maps of `PYRAMID` channels, finest first."""
    maps = [_conv(x, PYRAMID, 1, name=f"lateral{i}") for i, x in enumerate(stages)]
    for i in range(len(maps) - 2, -1, -1):
        up = layers.UpSampling2D(name=f"up{i}")(maps[i + 1])
        maps[i] = layers.Add(name=f"merge{i}")([up, maps[i]])
    return maps


def _heads(maps: list[Any]) -> dict[str, Any]:
    first = layers.Conv2D(
        PYRAMID, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name="head"
    )
    second = layers.Conv2D(
        PYRAMID, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name="head2"
    )
    score = layers.Conv2D(
        1, 1, name="head_score", kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(math.log(FIRST_SCORE / (1 - FIRST_SCORE))),
    )  # fmt: skip
    kinds = {"box": _box_layer("head_box"), "landmark_box": _box_layer("head_landmark_box")}
    scores: list[Any] = []
    numbers: dict[str, list[Any]] = {kind: [] for kind in kinds}
    for i, x in enumerate(maps):
        for n, conv in enumerate((first, second)):
            x = layers.BatchNormalization(name=f"head{n}_norm{i}")(conv(x))
            x = layers.ReLU(name=f"head{n}_relu{i}")(x)
        scores.append(layers.Reshape((-1,), name=f"score{i}")(score(x)))
        for kind, layer in kinds.items():
            numbers[kind].append(layers.Reshape((-1, 4), name=f"{kind}{i}")(layer(x)))
    return {
        name: layers.Concatenate(axis=1, dtype="float32", name=name)(levels)
        for name, levels in {"score": scores, **numbers}.items()
    }


def _box_layer(name: str) -> Any:
    """Four numbers a cell: at first a box of `FIRST_SIDE` in the middle of it."""
    side = math.log(FIRST_SIDE)
    return layers.Conv2D(
        4, 1, name=name, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant([0.0, 0.0, side, side]), dtype="float32",
    )  # fmt: skip


def _conv(x: Any, width: int, size: int, *, strides: int = 1, name: str, relu: bool = True) -> Any:
    x = layers.Conv2D(
        width, size, strides, padding="same", use_bias=False, kernel_initializer="he_normal",
        name=name,
    )(x)  # fmt: skip
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _residual(x: Any, width: int, *, name: str) -> Any:
    y = _conv(x, width, 3, name=f"{name}_a")
    y = _conv(y, width, 3, name=f"{name}_b", relu=False)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, y]))
