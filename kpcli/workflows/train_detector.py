"""``kpcli train`` of a face detector: a CSV of boxes in, a run folder with a bundle out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kpcli import __version__
from kpcli.architectures import build_architecture
from kpcli.boxes import Graded, average_precision, cell_grid, decode, grade, suppress
from kpcli.catalogue import load
from kpcli.dataset_csv import BOXES, read_dataset, with_landmark_box
from kpcli.errors import InputError
from kpcli.model_bundle import ModelBundle, ModelCard
from kpcli.options import TrainOptions
from kpcli.runtimes.keras_runtime import compiled_call, quiet
from kpcli.splits import cut_by_group
from kpcli.training.batches import CropFormat, FaceStore
from kpcli.training.detection import DetectionTrainer
from kpcli.training.detection_batches import DetectionBatches, SceneStore, letterboxes, scenes
from kpcli.training.detection_report import write_crops, write_detections
from kpcli.training.fit import Checkpoint, EpochEnd, prepare_trainer, run
from kpcli.training.report import write_history
from kpcli.types import Sample
from kpcli.workflows.run_folder import (
    BUNDLE,
    CHECKPOINT,
    check_out,
    device,
    finish,
    plain,
    read_history,
    save_bundle,
    start_from,
    write_run,
)  # fmt: skip

GOAL = "val_error"
"""What the best epoch has least of: 1 - average precision of faces of 10 px and more."""
NMS_IOU = 0.45
LEAST_SCORE = 0.02
"""Cells below give no box when average precision is measured."""


def train_detector(options: TrainOptions, say: Callable[[str], None] = print) -> ModelBundle:
    """Train, validate after every epoch and keep the best detector under ``out/model``.

    Raises
    ------
    InputError, UsageError, ModelError
        For data or options that cannot be used; nothing written before is lost.
    """
    check_out(options)
    train_set, val_set = _boxes(options)
    quiet()
    import keras

    keras.utils.set_random_seed(options.seed)
    if options.precision != "auto":
        keras.mixed_precision.set_global_policy(options.precision)
    module = load("architecture", options.arch)
    network = build_architecture(options.arch, 0, weights=options.weights)
    if options.init:
        say(start_from(network, options.init))
    batches = _batches(options, train_set, module.STRIDES)
    trainer = DetectionTrainer(network)
    prepare_trainer(trainer, options, len(batches))
    checkpoint = Checkpoint(options.out / CHECKPOINT, trainer)
    history = read_history(options, checkpoint)
    write_run(options, train_set, val_set, network)
    write_crops(options.out / "augmented.png", batches)
    validation = Validation(val_set, compiled_call(network), module, options.cache_mb)

    def on_epoch(rows: list[dict[str, float]], best: bool, network: Any) -> None:
        row = rows[-1]
        say(
            f"epoch {len(rows)}/{options.epochs}  loss {row['loss']:.4f}  val AP "
            f"{row['val_ap_10']:.3f} (10 px) {row['val_ap_24']:.3f} (24 px)"
            f"{' *' if best else ''}  {row['seconds']:.0f} s"
        )
        if best:
            card = _card(options, module, train_set, val_set, rows, network)
            save_bundle(network, card, options.out / BUNDLE)
            write_detections(options.out / "samples.png", validation.shown())
        write_history(options.out, rows, GOAL, "1 - AP")

    callback = EpochEnd(
        batches, lambda _: validation.run(), on_epoch, checkpoint, history, options.patience, GOAL
    )
    say(f"{len(train_set)} boxes to train, {len(val_set)} to validate, {len(batches)} steps")
    say(f"{options.arch}: {network.count_params():,} parameters, {device()}")
    run(trainer, batches, callback, options.epochs)
    finish(options, history, GOAL)
    return ModelBundle.open(options.out / BUNDLE)


def _boxes(options: TrainOptions) -> tuple[list[Sample], list[Sample]]:
    """Training and validation rows; validation is always cut from train.

    WIDER FACE's own val is its test set by custom, so rows of split val stay unused.
    """
    samples = read_dataset(options.csv, root=options.root)
    if not samples or samples[0].scheme != BOXES:
        raise InputError(
            f"{options.csv}: holds landmarks, or nothing",
            expected=f"face boxes, for --arch {options.arch}",
            next_step="prepare a dataset of boxes, such as widerface; landmarks go to --faces",
        )
    cut = cut_by_group([s for s in samples if s.split == "train"], options.val, options.seed)
    train_set = [s for s in cut if s.split == "train"]
    val_set = [s for s in cut if s.split == "val"]
    for name, part in (("train", train_set), ("validate", val_set)):
        if not part:
            raise InputError(
                f"{options.csv}: no boxes to {name} on",
                expected="rows of split train, of several groups",
                next_step="use a CSV with more pictures, or another --val",
            )
    return train_set, val_set


def _batches(
    options: TrainOptions, rows: Sequence[Sample], strides: Sequence[int]
) -> DetectionBatches:
    detection = options.detection
    faces = None
    if options.faces is not None:
        samples = [with_landmark_box(s) for s in read_dataset(options.faces, split="train")]
        if not samples or not len(samples[0].points):
            raise InputError(
                f"{options.faces}: no landmarks of split train",
                expected="a CSV of 68-point faces for --faces",
            )
        crop = CropFormat(detection.crop_size, 1.3, "rgb")
        faces = FaceStore(samples, crop, options.cache_mb)
    return DetectionBatches(
        SceneStore(scenes(rows), options.cache_mb), faces, strides, detection, options.augment,
        options.batch_size, options.seed,
    )  # fmt: skip


class Validation:
    """Average precision on whole pictures as they are at work."""

    def __init__(
        self, rows: Sequence[Sample], predict: Callable[[Any], Any], module: Any, cache_mb: int
    ) -> None:
        self.store = SceneStore(scenes(rows), cache_mb)
        self.boxes = letterboxes(self.store, module.INPUT_SIZE, module.MULTIPLE)
        self.predict = predict
        self.strides = module.STRIDES
        self._found: list[tuple[Any, Any]] = []

    def run(self) -> dict[str, float]:
        """Values of one epoch."""
        self._found = [self._detect(i) for i in range(len(self.store))]
        ap = {side: self._precision(side) for side in (10, 24)}
        return {GOAL: 1 - ap[10], "val_ap_10": ap[10], "val_ap_24": ap[24]}

    def _detect(self, index: int) -> tuple[Any, Any]:
        """Boxes (D, 4) in pixels of the picture, and scores (D,)."""
        box = self.boxes[index]
        outputs = self.predict(box.pixels[None].astype(np.float32))
        score = 1 / (1 + np.exp(-np.asarray(outputs["score"])[0]))
        sure = score > LEAST_SCORE
        cells = cell_grid(box.pixels.shape[0], box.pixels.shape[1], self.strides)
        found = decode(np.asarray(outputs["box"])[0][sure], cells[sure])
        kept = suppress(found, score[sure], NMS_IOU)
        return box.to_picture(found[kept]), score[sure][kept]

    def _precision(self, least_side: float) -> float:
        graded: list[Graded] = []
        for scene, (found, scores) in zip(self.store.scenes, self._found, strict=True):
            side = np.sqrt(np.prod(scene.faces[:, 2:] - scene.faces[:, :2], axis=1))
            ignored = np.concatenate([scene.ignored, scene.faces[side < least_side]])
            large = np.sqrt(np.prod(found[:, 2:] - found[:, :2], axis=1)) >= 0.6 * least_side
            graded.append(
                grade(found[large], scores[large], scene.faces[side >= least_side], ignored)
            )
        return average_precision(graded)

    def shown(self) -> list[tuple[Any, Any, Any]]:
        """Pictures, their boxes and scores, for a sheet."""
        chosen = np.linspace(0, len(self.store) - 1, min(16, len(self.store))).astype(int)
        return [(self.store.pixels(int(i)), *self._found[i]) for i in chosen]


def _card(
    options: TrainOptions, module: Any, train_set: Sequence[Sample], val_set: Sequence[Sample],
    rows: Sequence[dict[str, float]], network: Any,
) -> ModelCard:  # fmt: skip
    row = rows[-1]
    return ModelCard(
        name=options.out.name, task=module.TASK, architecture=options.arch,
        input_size=module.INPUT_SIZE, colour=module.COLOUR, crop_scale=1.0,
        face_box="landmarks" if options.faces else "file",
        strides=module.STRIDES, outputs=tuple(sorted(network.output)),
        training={
            "boxes": len(train_set), "validation_boxes": len(val_set),
            "parameters": int(network.count_params()), "epoch": len(rows),
            "options": plain(options), "kpcli": __version__,
        },
        metrics={
            "validation": {k: round(row[k], 4) for k in ("val_ap_10", "val_ap_24")}
        },
    )  # fmt: skip
