"""``kpcli train`` of a face detector: a CSV of boxes in, a run folder with a bundle out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kpcli import __version__
from kpcli.boxes import Graded, areas, average_precision, grade
from kpcli.catalogue import load
from kpcli.dataset_csv import BOXES, read_dataset, with_landmark_box
from kpcli.detectors.builtin import FaceDetector, size_feature
from kpcli.errors import InputError
from kpcli.model_bundle import ModelBundle, ModelCard
from kpcli.options import CUT_SEED, TrainOptions
from kpcli.runtimes.keras_runtime import compiled_call, device_line
from kpcli.splits import cut_by_group
from kpcli.training.batches import CropFormat, FaceStore
from kpcli.training.calibration import fit_logistic_of
from kpcli.training.detection import DetectionTrainer
from kpcli.training.detection_batches import DetectionBatches
from kpcli.training.detection_report import write_crops, write_detections
from kpcli.training.detection_scenes import SceneStore, scenes
from kpcli.training.fit import Checkpoint, EpochEnd, prepare_trainer, run
from kpcli.training.report import write_history
from kpcli.types import Sample
from kpcli.workflows.run_folder import (
    BUNDLE,
    CHECKPOINT,
    check_out,
    finish,
    follow,
    networks,
    plain,
    read_history,
    save_bundle,
    start_from,
    write_run,
)  # fmt: skip

GOAL = "val_error"
"""What the best epoch has least of: 1 - average precision of faces from the first of `SIZES` on."""
SIZES = (10, 24)
"""Least sides (root of the box's area, pixels) of the faces that are counted."""
LARGEST = 704
"""Long side at which training pictures are kept: more than at work, for crops of small faces."""
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
    import keras

    keras.utils.set_random_seed(options.seed)
    network, kept = networks(options, 0)
    if options.init:
        say(start_from(network, options.init))
    module = load("architecture", options.arch)
    batches = _batches(options, train_set, module.STRIDES)
    trainer = DetectionTrainer(network)
    prepare_trainer(trainer, options, len(batches))
    checkpoint = Checkpoint(options.out / CHECKPOINT, trainer)
    history = read_history(options, checkpoint)
    write_run(options, train_set, val_set, network)
    write_crops(options.out / "augmented.png", batches)
    card = _card(options, module, train_set, val_set, kept)
    validation = Validation(val_set, card, kept, options.cache_mb)

    def validate(network: Any) -> dict[str, float]:
        follow(kept, network)
        return validation.run()

    def on_epoch(rows: list[dict[str, float]], best: bool, _: Any) -> None:
        row = rows[-1]
        say(
            f"epoch {len(rows)}/{options.epochs}  loss {row['loss']:.4f}  val AP "
            f"{row['val_ap_10']:.3f} (10 px) {row['val_ap_24']:.3f} (24 px)"
            f"{' *' if best else ''}  {row['seconds']:.0f} s"
        )
        if best:
            save_bundle(kept, _measured(card, row, validation), options.out / BUNDLE)
            write_detections(options.out / "samples.png", validation.shown())
        write_history(options.out, rows, GOAL, "1 - AP")

    callback = EpochEnd(batches, validate, on_epoch, checkpoint, history, options.patience, GOAL)
    say(f"{len(train_set)} boxes to train, {len(val_set)} to validate, {len(batches)} steps")
    say(f"{options.arch}: {network.count_params():,} parameters, {device_line()}")
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
    cut = cut_by_group([s for s in samples if s.split == "train"], options.val, CUT_SEED)
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
        SceneStore(scenes(rows), options.cache_mb, LARGEST), faces, strides, detection,
        options.augment, options.batch_size, options.seed,
    )  # fmt: skip


class _Network:
    """The network in training as a `kpcli.catalogue.Runtime`."""

    line = "Keras, in training"

    def __init__(self, network: Any) -> None:
        self._predict = compiled_call(network)

    def run(self, pictures: Any) -> dict[str, Any]:
        outputs = self._predict(pictures.astype(np.float32))
        return {name: np.asarray(value) for name, value in outputs.items()}


class Validation:
    """Average precision of WIDER's boxes on whole pictures, found as at work."""

    def __init__(self, rows: Sequence[Sample], card: ModelCard, network: Any, cache_mb: int):
        self.store = SceneStore(scenes(rows), cache_mb)
        self.detector = FaceDetector(card, _Network(network), least_score=LEAST_SCORE)
        self._found: list[tuple[Any, Any]] = []

    def run(self) -> dict[str, float]:
        """Values of one epoch."""
        pictures = (self.store.pixels(i) for i in range(len(self.store)))
        self._found = [self.detector.arrays([pixels], "box")[0] for pixels in pictures]
        ap = {side: average_precision(self._graded(side)) for side in SIZES}
        return {GOAL: 1 - ap[SIZES[0]], **{f"val_ap_{side}": value for side, value in ap.items()}}

    def _graded(self, least_side: float) -> list[Graded]:
        graded = []
        for scene, (found, scores) in zip(self.store.scenes, self._found, strict=True):
            counted = np.sqrt(areas(scene.faces)) >= least_side
            ignored = np.concatenate([scene.ignored, scene.faces[~counted]])
            # A box much smaller than any counted face can be none of them.
            large = np.sqrt(areas(found)) >= 0.6 * least_side
            graded.append(grade(found[large], scores[large], scene.faces[counted], ignored))
        return graded

    def calibration(self) -> dict[str, float]:
        """What makes scores the chance that a box of `SIZES` is a face's, given its size."""
        graded = self._graded(SIZES[0])
        scores = np.concatenate([g.scores for g in graded])
        sides = np.concatenate([
            np.sqrt(areas(g.boxes)) * self.detector.zoom(self.store.pixels(i))
            for i, g in enumerate(graded)
        ])  # fmt: skip
        features = np.stack([np.log(scores / (1 - scores)), size_feature(np.log2(sides))], axis=1)
        correct = np.concatenate([g.correct for g in graded])
        slope, size, offset = fit_logistic_of(features, correct)
        names = ("score_slope", "score_size", "score_offset")
        return {n: round(v, 5) for n, v in zip(names, (slope, size, offset), strict=True)}

    def shown(self) -> list[tuple[Any, Any, Any]]:
        """Pictures, their boxes and scores, for a sheet."""
        chosen = np.linspace(0, len(self.store) - 1, min(16, len(self.store))).astype(int)
        return [(self.store.pixels(int(i)), *self._found[i]) for i in chosen]


def _card(
    options: TrainOptions, module: Any, train_set: Sequence[Sample], val_set: Sequence[Sample],
    network: Any,
) -> ModelCard:  # fmt: skip
    return ModelCard(
        name=options.out.name, task=module.TASK, architecture=options.arch,
        input_size=module.INPUT_SIZE, colour=module.COLOUR, crop_scale=1.0,
        face_box="landmarks" if options.faces else "file",
        strides=module.STRIDES, outputs=tuple(sorted(network.output)),
        training={
            "boxes": len(train_set), "validation_boxes": len(val_set),
            "parameters": int(network.count_params()),
            "options": plain(options), "kpcli": __version__,
        },
    )  # fmt: skip


def _measured(card: ModelCard, row: dict[str, float], validation: Validation) -> ModelCard:
    """The card with what the validation of this epoch says."""
    values = {name: round(row[name], 4) for name in (f"val_ap_{side}" for side in SIZES)}
    return replace(
        card,
        training={**card.training, "epoch": int(row["epoch"])},
        metrics={"validation": {"protocol": "AP at IoU 0.5", **values}},
        calibration=validation.calibration(),
    )
