"""``kpcli train``: a normalised CSV in, a run folder with a model bundle out.

Wrong options are refused here, before anything loads Keras.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from kpcli.catalogue import ARCHITECTURES
from kpcli.errors import InputError, UsageError
from kpcli.exporters import foreign_exports
from kpcli.model_bundle import CARD, DETECTION, WEIGHTS, ModelBundle
from kpcli.options import FACE_BOXES, LOSS_NAMES, PRECISIONS, SCHEDULES, TrainOptions
from kpcli.outputs import Outputs


def train(
    options: TrainOptions, say: Callable[[str], None] = print, given: Collection[str] | None = None
) -> ModelBundle:
    """Train, validate after every epoch and keep the best model so far under ``out/model``.

    A run that is resumed goes on with its own options; of these, only ``given`` ones are looked
    at: they must agree with the run's. None: those that are not the defaults.

    Raises
    ------
    InputError, UsageError, ModelError
        For data, options or weights that cannot be used; nothing written before is lost.
    """
    from kpcli.training.run_folder import RunFolder

    if not options.resume:
        _check(options)
    folder = RunFolder.open(options, given)
    options = folder.options
    outputs = Outputs(options.out, "train")
    check_run(options, outputs)
    _check(options)
    from kpcli.architectures import architecture_task
    from kpcli.runtimes.keras_runtime import start_keras

    start_keras(training=True)
    try:
        with outputs.recording():
            if architecture_task(options.arch) == DETECTION:
                from kpcli.training.detection.train import train_detector

                return train_detector(folder, say)
            from kpcli.training.landmarks.train import train_landmarks

            return train_landmarks(folder, say)
    finally:  # several trainings in one process leave little behind
        if "keras" in sys.modules:
            sys.modules["keras"].utils.clear_session()
        gc.collect()


BUNDLE = "model"

RUN_FILES = (
    "run.json", "history.csv", "curves.png", "checkpoint.npz", "augmented.png", "samples.png",
    "tensorboard", f"{BUNDLE}/{WEIGHTS}", f"{BUNDLE}/{CARD}",
)  # fmt: skip
"""Files and folders that a training writes into its folder."""

BUNDLE_EXPORTS = "an export that `kpcli export` wrote there, and that card.json records"


def check_run(options: TrainOptions, outputs: Outputs) -> None:
    """See that nothing of the user's is in the way of the run.

    Raises
    ------
    InputError
        Naming the file.
    """
    # A run that goes on reads its checkpoint first, and says better what is wrong with it.
    outputs.check(n for n in RUN_FILES if not (options.resume and n == "checkpoint.npz"))
    outputs.spare([options.csv])
    bundle = options.out / BUNDLE
    for export in foreign_exports(bundle):
        raise InputError(
            f"{export}: in the way of the model", expected=f"nothing there, or {BUNDLE_EXPORTS}",
            next_step="move it away, or choose another --out",
        )  # fmt: skip


def _check(options: TrainOptions) -> None:
    """Refuse unknown names, weights that the architecture does not take, and a missing bundle."""
    for what, name, known in (
        ("architecture", options.arch, ARCHITECTURES),
        ("loss", options.loss, LOSS_NAMES),
        ("schedule", options.schedule, SCHEDULES),
        ("precision", options.precision, PRECISIONS),
        ("face box", options.face_box, FACE_BOXES),
    ):
        if name not in known:
            raise UsageError(f"unknown {what} {name!r}", expected=", ".join(known))
    weights, taken = options.weights, ARCHITECTURES[options.arch].weights
    kind = weights if weights in ("none", "imagenet") else "file"
    if kind not in taken:
        raise UsageError(
            f"--weights {weights} does not apply to {options.arch}",
            expected=", ".join(taken), next_step="start from a bundle with --init",
        )  # fmt: skip
    if kind == "file" and not Path(weights).is_file():
        raise UsageError(f"--weights {weights}: there is no such file", expected=", ".join(taken))
    if options.init and not options.resume:
        ModelBundle.open(options.init)
