"""MobileNetV2 (Sandler et al., arXiv:1801.04381) to its 14x14x64, then convolutions only.

The trunk ends behind Keras' ``block_8_add``; a 3x3 convolution to 16, one of stride 2 to 32 and
one of 7x7 over all that is left give the coordinates: fully convolutional, no dense layer.
"""

from __future__ import annotations

import keras
from keras import layers

from kpcli.architectures.pretrained import backbone
from kpcli.model_bundle import LANDMARKS

INPUT_SIZE = 224
COLOUR = "rgb"
TASK = LANDMARKS
STRIDES = ()
LAST_BLOCK = "block_8_add"


def build(n_points: int, *, weights: str = "none") -> keras.Model:
    """Model (B, 224, 224, 3) in 0..255 to a dict with ``points`` (B, N, 2), unit coordinates.

    ``weights`` are the whole backbone's; see `pretrained.backbone`.
    """
    whole = backbone(keras.applications.MobileNetV2, INPUT_SIZE, weights)
    trunk = keras.Model(whole.input, whole.get_layer(LAST_BLOCK).output, name="mobilenetv2_trunk")
    image = keras.Input((INPUT_SIZE, INPUT_SIZE, 3), name="image")
    x = trunk(layers.Rescaling(1 / 127.5, offset=-1.0)(image))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(2 * n_points, 7, dtype="float32")(x)
    points = layers.Reshape((n_points, 2), dtype="float32", name="points")(x)
    return keras.Model(image, {"points": points}, name="mobilenetv2_fcn")
