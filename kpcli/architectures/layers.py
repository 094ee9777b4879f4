"""Keras layers of our own architectures; sums, products and reshapes only, so that they export."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="kpcli")
class SoftArgmax(layers.Layer):
    """Heatmap logits to expected coordinates and pooled features.

    Call with (logits (B, H, W, N), features (B, H, W, C)); returns

    - points (B, N, 2) in unit coordinates: each cell's centre weighted by its softmax,
    - pooled (B, N, C): the features under each point's softmax.
    """

    def __init__(self, **kwargs: Any) -> None:
        # The logits stay float32 in a mixed precision: they are positions.
        super().__init__(autocast=False, **kwargs)
        self.softmax = layers.Softmax(dtype="float32")

    def call(self, inputs: tuple[Any, Any]) -> tuple[Any, Any]:
        logits, features = inputs
        _, height, width, n = logits.shape
        heat = ops.transpose(ops.reshape(logits, (-1, height * width, n)), (0, 2, 1))
        heat = self.softmax(heat)  # over the last axis, which is the fast one everywhere
        x = (np.arange(width, dtype="float32") * 2 + 1) / width - 1
        y = (np.arange(height, dtype="float32") * 2 + 1) / height - 1
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(height * width, 2)
        points = ops.matmul(heat, ops.convert_to_tensor(grid))
        flat = ops.reshape(features, (-1, height * width, features.shape[-1]))
        return points, ops.matmul(ops.cast(heat, flat.dtype), flat)

    def compute_output_shape(self, input_shape: Any) -> Any:
        (batch, _, _, n), (_, _, _, channels) = input_shape
        return (batch, n, 2), (batch, n, channels)


@keras.saving.register_keras_serializable(package="kpcli")
class PointwiseDense(layers.Layer):
    """A dense layer of its own for every point: (B, N, C) to (B, N, units), float32."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: Any) -> None:
        _, n, channels = input_shape
        self.kernel = self.add_weight(
            name="kernel",
            shape=(1, n, self.units, channels),
            initializer=keras.initializers.RandomNormal(stddev=0.01),
        )
        self.bias = self.add_weight(name="bias", shape=(1, n, self.units), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        product = ops.expand_dims(inputs, 2) * ops.cast(self.kernel, inputs.dtype)
        return ops.cast(ops.sum(product, axis=-1), "float32") + ops.cast(self.bias, "float32")

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:2], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
