"""Losses on landmarks: functions of keras.ops, masked where a point is unlabelled.

Each takes the true points (B, N, 2), the model's outputs (a dict with ``points`` (B, N, 2) and
what else the architecture gives) and returns one loss a point (B, N). Units: the crop's unit
coordinates (2.0 is the crop's side).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from keras import ops

from kpcli.errors import UsageError

Tensor = Any
Outputs = Mapping[str, Tensor]
Loss = Callable[[Tensor, Outputs], Tensor]

WING_WIDTH, WING_EPSILON = 0.1, 0.02
SLIDE = 0.08
"""Distance along the outline, in unit coordinates, that a point may slide at little cost: about
half that of two points of the jaw.
"""


def mse(truth: Tensor, outputs: Outputs) -> Tensor:
    """Squared distance."""
    return ops.sum(ops.square(outputs["points"] - truth), axis=-1)


def l1(truth: Tensor, outputs: Outputs) -> Tensor:
    """Sum of the absolute differences in x and y."""
    return ops.sum(ops.abs(outputs["points"] - truth), axis=-1)


def smooth_l1(truth: Tensor, outputs: Outputs, beta: float = 0.02) -> Tensor:
    """Huber's: squared below ``beta``, linear above (Girshick, "Fast R-CNN", ICCV 2015)."""
    d = ops.abs(outputs["points"] - truth)
    return ops.sum(ops.where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta), axis=-1)


def wing_of(distance: Tensor, width: float = WING_WIDTH, epsilon: float = WING_EPSILON) -> Tensor:
    """Wing function of absolute differences (Feng et al., "Wing loss", CVPR 2018, eq. 5)."""
    constant = width - width * math.log(1 + width / epsilon)
    return ops.where(distance < width, width * ops.log(1 + distance / epsilon), distance - constant)


def wing(truth: Tensor, outputs: Outputs) -> Tensor:
    """Wing loss on the points, and at half weight on ``coarse`` where the model gives it."""
    loss = ops.sum(wing_of(ops.abs(outputs["points"] - truth)), axis=-1)
    if "coarse" in outputs:
        loss = loss + 0.5 * ops.sum(wing_of(ops.abs(outputs["coarse"] - truth)), axis=-1)
    return loss


def gaussian_nll(truth: Tensor, outputs: Outputs) -> Tensor:
    """Negative log-likelihood of an isotropic Gaussian whose sigma is exp(``log_scale``)."""
    log_sigma = _required(outputs, "log_scale", "gaussian_nll")
    squared = ops.sum(ops.square(outputs["points"] - truth), axis=-1)
    return 0.5 * squared * ops.exp(-2 * log_sigma) + 2 * log_sigma


def adaptive_wing(truth: Tensor, outputs: Outputs) -> Tensor:
    """Adaptive wing on Gaussian heatmaps (Wang et al., ICCV 2019, eq. 3), plus `wing` on points.

    alpha 2.1, omega 14, epsilon 1, theta 0.5 and the weighted mask (W = 10) of the paper; the
    heatmap is the sigmoid of the model's logits, the target a Gaussian of sigma one cell.
    """
    logits = _required(outputs, "heatmaps", "adaptive_wing")
    height, width = logits.shape[1:3]
    target = _gaussians(truth, height, width)
    alpha, omega, epsilon, theta = 2.1, 14.0, 1.0, 0.5
    d = ops.abs(ops.sigmoid(logits) - target)
    power = alpha - target
    ratio = theta / epsilon
    a = omega / (1 + ratio**power) * power * ratio ** (power - 1) / epsilon
    c = theta * a - omega * ops.log(1 + ratio**power)
    # The small floor keeps the gradient of 0 ** power finite.
    near = omega * ops.log(1 + ops.maximum(d / epsilon, 1e-6) ** power)
    loss = ops.where(d < theta, near, a * d - c)
    weight = 1 + 10 * ops.cast(target > 0.2, loss.dtype)
    return ops.mean(loss * weight, axis=(1, 2)) + wing(truth, outputs)


def _gaussians(truth: Tensor, height: int, width: int) -> Tensor:
    """Gaussians (B, H, W, N) of sigma one cell around points (B, N, 2)."""
    x = (np.arange(width, dtype="float32") * 2 + 1) / width - 1
    y = (np.arange(height, dtype="float32") * 2 + 1) / height - 1
    dx = (ops.reshape(x, (1, 1, width, 1)) - truth[:, None, None, :, 0]) * (width / 2)
    dy = (ops.reshape(y, (1, height, 1, 1)) - truth[:, None, None, :, 1]) * (height / 2)
    return ops.exp(-0.5 * (dx * dx + dy * dy))


def scale_nll(truth: Tensor, outputs: Outputs) -> Tensor:
    """Fit ``log_scale`` to the error made: -log of exp(-d / b) / b^2 with d held constant."""
    distance = ops.sqrt(ops.sum(ops.square(outputs["points"] - truth), axis=-1) + 1e-12)
    log_scale = outputs["log_scale"]
    return ops.stop_gradient(distance) * ops.exp(-log_scale) + 2 * log_scale


def slid(truth: Tensor, points: Tensor, tangent: Tensor) -> Tensor:
    """The truth (B, N, 2) moved along ``tangent`` (B, N, 2) to where it is closest to ``points``.

    Tangents are unit vectors, or 0 where a point stays. What is left of the error is across the
    outline; it moves by `SLIDE` at most. A hard form of STAR loss's tolerance along the direction
    in which labels are ambiguous (Zhou et al., CVPR 2023).
    """
    along = ops.sum((ops.stop_gradient(points) - truth) * tangent, axis=-1, keepdims=True)
    return truth + ops.clip(along, -SLIDE, SLIDE) * tangent


def _required(outputs: Outputs, name: str, loss: str) -> Tensor:
    if name not in outputs:
        raise UsageError(
            f"--loss {loss} needs an architecture that gives {name}",
            next_step="choose --arch heatmap_fpn or another --loss",
        )
    return outputs[name]


LOSSES: Mapping[str, Loss] = {
    loss.__name__: loss for loss in (mse, l1, smooth_l1, wing, adaptive_wing, gaussian_nll)
}
"""Losses by the names of `kpcli.options.LOSS_NAMES`."""


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values (B, N) where mask (B, N) is 1; 0 if nothing is."""
    return ops.sum(values * mask) / ops.maximum(ops.sum(mask), 1.0)
