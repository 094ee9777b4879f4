"""MobileNet (Howard et al., arXiv:1704.04861), its pooled features to coordinates by one layer."""

from __future__ import annotations

import keras
from keras import layers

from kpcli.architectures.pretrained import backbone
from kpcli.model_bundle import LANDMARKS

INPUT_SIZE = 224
COLOUR = "rgb"
TASK = LANDMARKS
STRIDES = ()


def build(n_points: int, *, weights: str = "none") -> keras.Model:
    """Model (B, 224, 224, 3) in 0..255 to a dict with ``points`` (B, N, 2), unit coordinates.

    ``weights`` are the backbone's; see `pretrained.backbone`.
    """
    trunk = backbone(keras.applications.MobileNet, INPUT_SIZE, weights)
    image = keras.Input((INPUT_SIZE, INPUT_SIZE, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = layers.GlobalAveragePooling2D()(trunk(x))
    x = layers.Dense(2 * n_points, dtype="float32")(x)
    points = layers.Reshape((n_points, 2), dtype="float32", name="points")(x)
    return keras.Model(image, {"points": points}, name="mobilenet_regression")
