"""The training loop of every task: schedule, averaged weights, the end of an epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from kpcli.errors import InputError
from kpcli.options import TrainOptions
from kpcli.training.run_folder import RunFolder

STEP_AT, STEP_FACTOR = (0.6, 0.85), 0.1
STATISTICS_MOMENTUM = 0.98
"""Most that batch normalisation may keep of its statistics in a step. With MobileNetV2's 0.999 they
still hold a third of what they began with after 1,000 steps, a whole training on few faces."""


@keras.saving.register_keras_serializable(package="kpcli")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then cosine to zero, two steps down to a tenth each, or constant.

    ``kind`` is one of `kpcli.options.SCHEDULES`.
    """

    def __init__(self, kind: str, peak: float, warmup: int, total: int) -> None:
        self.kind, self.peak, self.warmup, self.total = kind, peak, warmup, total

    def __call__(self, step: Any) -> Any:
        step = keras.ops.cast(step, "float32")
        ramp = keras.ops.minimum(1.0, (step + 1) / max(1, self.warmup))
        done = keras.ops.clip((step - self.warmup) / max(1, self.total - self.warmup), 0.0, 1.0)
        if self.kind == "cosine":
            factor = 0.5 * (1 + keras.ops.cos(math.pi * done))
        elif self.kind == "step":
            drops = sum(keras.ops.cast(done >= at, "float32") for at in STEP_AT)
            factor = STEP_FACTOR**drops
        else:
            factor = keras.ops.ones_like(done)
        return self.peak * ramp * factor

    def get_config(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "peak": self.peak, "warmup": self.warmup, "total": self.total
        }  # fmt: skip


class EpochBatches(Protocol):
    """A keras PyDataset that shuffles anew for every epoch."""

    def start_epoch(self, epoch: int) -> None:
        """Shuffle for this epoch (numbered from 0)."""


def prepare_trainer(trainer: Any, options: TrainOptions, steps: int) -> None:
    """Give a trainer (a keras.Model around a ``network``) its optimiser, ready for `run`."""
    schedule = Schedule(
        options.schedule, options.learning_rate,
        round(options.warmup_epochs * steps), options.epochs * steps,
    )  # fmt: skip
    for layer in _layers(trainer.network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, STATISTICS_MOMENTUM)
    momentum = averaging_momentum(options.ema, options.epochs * steps)
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=options.weight_decay,
        global_clipnorm=options.clip_norm or None,
        use_ema=momentum > 0, ema_momentum=momentum or 0.99, ema_overwrite_frequency=None,
    )  # fmt: skip
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    # XLA on a CPU is half as fast as oneDNN here (measured); on a GPU Keras decides.
    jit = "auto" if keras.backend.backend() != "tensorflow" else False
    trainer.compile(optimizer=optimizer, jit_compile=jit)
    trainer.build((None, *trainer.network.input.shape[1:]))
    optimizer.build(trainer.trainable_variables)


def _layers(model: Any) -> Iterator[keras.Layer]:
    """Every layer, those of models within the model too."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _layers(layer)


def averaging_momentum(wanted: float, steps: int) -> float:
    """The momentum, lowered in short trainings so that the average forgets the first weights."""
    return max(0.0, min(wanted, 1 - 10 / steps))


class EpochEnd(keras.callbacks.Callback):
    """After every epoch: validate with averaged weights, report, keep the best, checkpoint.

    Parameters
    ----------
    folder : RunFolder
        Has begun; its history grows by a row an epoch.
    batches : EpochBatches
    validate : callable
        Of the network with averaged weights: the row's values.
    on_epoch : callable
        Told whether the epoch is the best one so far, when its row is in the history.
    goal : str
        Value of the row of which the best epoch has least.
    """

    def __init__(
        self,
        folder: RunFolder,
        batches: EpochBatches,
        validate: Callable[[keras.Model], dict[str, float]],
        on_epoch: Callable[[bool], None],
        goal: str,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.batches = batches
        self.validate = validate
        self.report = on_epoch
        self.goal = goal

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.start_epoch(epoch)
        self.started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if logs and not math.isfinite(logs["loss"]):
            epoch = len(self.folder.history) + 1
            raise InputError(
                f"the loss is {logs['loss']} in batch {batch} of epoch {epoch}",
                expected="a finite loss",
                next_step="start another run with a lower --learning-rate or --clip-norm and "
                "another --out",
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        network, history = self.model.network, self.folder.history
        raw = self._average(network)
        row = {"epoch": float(epoch + 1), "loss": float(logs["loss"]), **self.validate(network)}
        row["seconds"] = time.monotonic() - self.started
        history.append(row)
        self.report(self.folder.best(self.goal) is row)
        for variable, value in zip(network.trainable_variables if raw else (), raw, strict=True):
            variable.assign(value)
        self.folder.checkpoint()
        if self.folder.out_of_patience(self.goal):
            self.model.stop_training = True

    def _average(self, network: keras.Model) -> list[NDArray[Any]]:
        """Put the averaged weights in place and return the raw ones, to be put back.

        Nothing is done (and returned) without averaging, or while the average still holds more
        than a hundredth of the first weights.
        """
        optimizer = self.model.optimizer
        if not optimizer.use_ema or optimizer.ema_momentum ** int(optimizer.iterations) > 0.01:
            return []
        raw = [np.asarray(keras.ops.convert_to_numpy(v)) for v in network.trainable_variables]
        optimizer.finalize_variable_values(self.model.trainable_variables)
        return raw


def run(trainer: Any, callback: EpochEnd) -> None:
    """Train until the run's last epoch, starting behind those in its history."""
    folder = callback.folder
    if folder.out_of_patience(callback.goal):  # a run that ended early is resumed
        return
    trainer.fit(
        callback.batches, epochs=folder.options.epochs, initial_epoch=len(folder.history),
        callbacks=[callback], verbose=0, shuffle=False,
    )  # fmt: skip
