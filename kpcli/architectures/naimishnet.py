"""NaimishNet (Agarwal et al., arXiv:1710.00977) on 224x224 gray pictures.

The paper's four blocks - convolution (32, 64, 128, 256 wide, kernels 4, 3, 2, 1, no padding),
ELU, 2x2 pooling, dropout 0.1 to 0.4 - and its three dense layers with dropout 0.5 and 0.6, the
second one linear. The paper has 96x96 pixels and 1000 units; ours has 224x224, 2048 and 1024.
"""

from __future__ import annotations

import keras
from keras import layers

from kpcli.architectures.pretrained import load_weights
from kpcli.model_bundle import LANDMARKS

INPUT_SIZE = 224
COLOUR = "gray"
TASK = LANDMARKS
STRIDES = ()
BLOCKS = ((32, 4, 0.1), (64, 3, 0.2), (128, 2, 0.3), (256, 1, 0.4))
"""(width, kernel, dropout) of each block."""


def build(n_points: int, *, weights: str = "none") -> keras.Model:
    """Model (B, 224, 224, 1) in 0..255 to a dict with ``points`` (B, N, 2), unit coordinates."""
    image = keras.Input((INPUT_SIZE, INPUT_SIZE, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    for width, kernel, dropout in BLOCKS:
        x = layers.Conv2D(width, kernel, activation="elu")(x)
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(2048, activation="elu")(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(1024)(x)
    x = layers.Dropout(0.6)(x)
    x = layers.Dense(2 * n_points, dtype="float32")(x)
    points = layers.Reshape((n_points, 2), dtype="float32", name="points")(x)
    return load_weights(keras.Model(image, {"points": points}, name="naimishnet"), weights)
