"""A landmark network with its loss, as Keras' own fit() trains it on every backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kpcli.options import TrainOptions
from kpcli.training.fit import prepare_trainer
from kpcli.training.landmarks.losses import (
    LOSSES,
    Loss,
    gaussian_nll,
    masked_mean,
    scale_nll,
    slid,
)  # fmt: skip

AUXILIARY = ("coarse", "heatmaps")
"""Outputs that only training sees."""

SCALE_WEIGHT = 0.02
FACE_WEIGHT = 0.02


class LandmarkTrainer(keras.Model):
    """Wraps a network that maps crops to a dict of outputs."""

    def __init__(self, network: keras.Model, loss: Loss) -> None:
        super().__init__()
        self.network = network
        self.point_loss = loss

    def call(self, crops: Any, training: bool | None = None) -> Any:
        return self.network(crops, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
        training: bool = True,
    ) -> Any:  # fmt: skip
        outputs: Mapping[str, Any] = {k: ops.cast(v, "float32") for k, v in y_pred.items()}
        truth = y["points"]
        if "tangent" in y:
            truth = slid(truth, outputs["points"], y["tangent"])
        loss = masked_mean(self.point_loss(truth, outputs), y["mask"])
        if "log_scale" in outputs and self.point_loss is not gaussian_nll:
            loss = loss + SCALE_WEIGHT * masked_mean(scale_nll(truth, outputs), y["mask"])
        if "face_logit" in outputs:
            logit = outputs["face_logit"]
            entropy = ops.softplus(logit) - logit * y["face"]
            loss = loss + FACE_WEIGHT * ops.mean(entropy)
        for penalty in self.losses:
            loss = loss + penalty
        return loss


def deployed(network: keras.Model) -> keras.Model:
    """The network without the outputs that only training needs; weights are shared."""
    outputs = {k: v for k, v in network.output.items() if k not in AUXILIARY}
    return keras.Model(network.input, outputs, name=network.name)


def compiled(network: keras.Model, options: TrainOptions, steps: int) -> LandmarkTrainer:
    """The trainer of a landmark network, ready for `fit.run`; ``steps`` is that of an epoch."""
    trainer = LandmarkTrainer(network, LOSSES[options.loss])
    prepare_trainer(trainer, options, steps)
    return trainer
