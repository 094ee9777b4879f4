"""Small CNN on 96x96 gray pictures, for few points (CelebA's five).

Three blocks of convolution (32, 64, 128 wide, kernels 3, 2, 2, no padding), ReLU, 2x2 pooling and
dropout, then two dense layers of 500 units: the shape of Nouri's net for the Kaggle key points.
"""

from __future__ import annotations

import keras
from keras import layers

from kpcli.architectures.pretrained import load_weights
from kpcli.model_bundle import LANDMARKS

INPUT_SIZE = 96
COLOUR = "gray"
TASK = LANDMARKS
STRIDES = ()
BLOCKS = ((32, 3, 0.1), (64, 2, 0.2), (128, 2, 0.3))
"""(width, kernel, dropout) of each block."""


def build(n_points: int, *, weights: str = "none") -> keras.Model:
    """Model (B, 96, 96, 1) in 0..255 to a dict with ``points`` (B, N, 2), unit coordinates."""
    image = keras.Input((INPUT_SIZE, INPUT_SIZE, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    for width, kernel, dropout in BLOCKS:
        x = layers.Conv2D(width, kernel, activation="relu")(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(500, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(500, activation="relu")(x)
    x = layers.Dense(2 * n_points, dtype="float32")(x)
    points = layers.Reshape((n_points, 2), dtype="float32", name="points")(x)
    return load_weights(keras.Model(image, {"points": points}, name="cnn_gray96"), weights)
