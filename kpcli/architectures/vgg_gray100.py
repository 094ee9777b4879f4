"""VGG-like stack on 100x100 gray pictures: pairs of 3x3 convolutions, then dense layers.

Six pairs of convolutions (32, 64, 96, 128, 256, 512 wide), each followed by LeakyReLU and batch
normalisation, a 2x2 pooling between the pairs, Dense 512, Dropout, Dense 2 N; L2 on all kernels.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from kpcli.architectures.pretrained import load_weights
from kpcli.model_bundle import LANDMARKS

INPUT_SIZE = 100
COLOUR = "gray"
TASK = LANDMARKS
STRIDES = ()
WIDTHS = (32, 64, 96, 128, 256, 512)
L2 = 1e-5


def build(n_points: int, *, weights: str = "none") -> keras.Model:
    """Model (B, 100, 100, 1) in 0..255 to a dict with ``points`` (B, N, 2), unit coordinates."""
    image = keras.Input((INPUT_SIZE, INPUT_SIZE, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    for stage, width in enumerate(WIDTHS):
        if stage:
            x = layers.MaxPooling2D()(x)
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_regularizer=_l2())(x)
            x = layers.LeakyReLU(0.1)(x)
            x = layers.BatchNormalization()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu", kernel_regularizer=_l2())(x)
    x = layers.Dropout(0.1)(x)
    x = layers.Dense(2 * n_points, kernel_regularizer=_l2(), dtype="float32")(x)
    points = layers.Reshape((n_points, 2), dtype="float32", name="points")(x)
    return load_weights(keras.Model(image, {"points": points}, name="vgg_gray100"), weights)


def _l2() -> Any:
    return keras.regularizers.L2(L2)
