"""NaimishNet's lighter form: five blocks with batch normalisation, a third of the parameters.

Blocks of 3x3 convolution (32 to 512 wide), batch normalisation, ELU and 2x2 pooling, so that
7x7x512 reach the dense layers of 1024, 512 and 2 N units. Those are normalised too: of 25,088
inputs that are mostly positive, a step of the optimiser would move them all by several deviations.
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
WIDTHS = (32, 64, 128, 256, 512)


def build(n_points: int, *, weights: str = "none") -> keras.Model:
    """Model (B, 224, 224, 1) in 0..255 to a dict with ``points`` (B, N, 2), unit coordinates."""
    image = keras.Input((INPUT_SIZE, INPUT_SIZE, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    for width in WIDTHS:
        x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ELU()(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    for units in (1024, 512):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ELU()(x)
        x = layers.Dropout(0.3)(x)
    x = layers.Dense(2 * n_points, dtype="float32")(x)
    points = layers.Reshape((n_points, 2), dtype="float32", name="points")(x)
    return load_weights(keras.Model(image, {"points": points}, name="naimishnet_light"), weights)
