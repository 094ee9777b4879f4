"""``kpcli train`` of a face detector: a CSV of boxes in, a run folder with a bundle out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kpcli.boxes import Graded, areas, average_precision, grade
from kpcli.catalogue import ARCHITECTURES
from kpcli.dataset_csv import BOXES, read_dataset, with_landmark_box
from kpcli.detectors.builtin import FaceDetector, size_feature
from kpcli.errors import InputError
from kpcli.model_bundle import ModelBundle, ModelCard
from kpcli.options import TrainOptions
from kpcli.runtimes.keras_runtime import compiled_call, device_line
from kpcli.training.detection.batches import DetectionBatches
from kpcli.training.detection.calibration import fit_logistic
from kpcli.training.detection.model import DetectionTrainer
from kpcli.training.detection.scenes import Scene, SceneStore, scenes
from kpcli.training.detection.sheets import write_crops, write_detections
from kpcli.training.faces import CropFormat, FaceStore, boxed_as
from kpcli.training.fit import EpochEnd, prepare_trainer, run
from kpcli.training.networks import follow, networks, start_from
from kpcli.training.run_folder import AUGMENTED, SAMPLES, RunFolder
from kpcli.training.run_options import plain
from kpcli.training.split import train_and_val
from kpcli.types import Sample
from kpcli.version import __version__

GOAL = "val_error"
"""Column of the history of which the best epoch has least: 1 - average precision of faces from the
first of `SIZES` on.
"""
SIZES = (10, 24)
"""Least sides (root of the box's area, pixels) of the faces that are counted."""
SEEN = 48
"""Training pictures whose error the history has beside that of validation."""
LARGEST = 704
"""Long side at which training pictures are kept: more than at work, for crops of small faces."""
LEAST_SCORE = 0.02
"""Score below which a cell gives no box when average precision is measured."""


def train_detector(folder: RunFolder, say: Callable[[str], None] = print) -> ModelBundle:
    """Train, validate after every epoch and keep the best detector in the run's folder.

    Raises
    ------
    InputError, UsageError, ModelError
        For data or options that cannot be used; nothing written before is lost.
    """
    options = folder.options
    train_set, val_set = _boxes(options)
    import keras

    keras.utils.set_random_seed(options.seed)
    network, kept = networks(options, 0)
    if options.init and not folder.goes_on:
        say(start_from(network, options.init))
    module = ARCHITECTURES.load(options.arch)
    batches = _batches(options, train_set, module.STRIDES)
    pictures = SceneStore(scenes(val_set), options.cache_mb)
    trainer = DetectionTrainer(network)
    prepare_trainer(trainer, options, len(batches))
    folder.begin(trainer, {
        "device": device_line(), "parameters": int(network.count_params()),
        "faces": {"train": len(train_set), "val": len(val_set)},
    })  # fmt: skip
    write_crops(folder.path / AUGMENTED, batches)
    card = _card(options, module, train_set, val_set, kept)
    validation = Validation(pictures, card, kept)
    seen = Validation(batches.boxed.some(SEEN), card, kept)

    def validate(network: Any) -> dict[str, float]:
        follow(kept, network)
        return {"train_error": seen.run()[GOAL], **validation.run()}

    def on_epoch(best: bool) -> None:
        row = folder.history[-1]
        say(
            f"epoch {len(folder.history)}/{options.epochs}  loss {row['loss']:.4f}  AP "
            f"{1 - row['train_error']:.3f} train, {row['val_ap_10']:.3f} val (10 px) "
            f"{row['val_ap_24']:.3f} (24 px){' *' if best else ''}  {row['seconds']:.0f} s, "
            f"{folder.time_left()} left"
        )
        if best:
            folder.keep(kept, _measured(card, row, validation))
            write_detections(folder.path / SAMPLES, validation.shown())
        folder.show(GOAL, "1 - AP")

    say(f"{len(train_set)} boxes to train, {len(val_set)} to validate, {len(batches)} steps")
    say(f"{options.arch}: {network.count_params():,} parameters, {device_line()}")
    run(trainer, EpochEnd(folder, batches, validate, on_epoch, GOAL))
    return folder.finish(GOAL)


def _boxes(options: TrainOptions) -> tuple[list[Sample], list[Sample]]:
    """Training and validation rows of boxes; of landmarks, the boxes that ``face_box`` says.

    WIDER FACE's own val is its test set by custom, so rows of split val stay unused there.
    """
    samples = read_dataset(options.csv, root=options.root)
    landmarks = bool(samples) and samples[0].scheme != BOXES
    parts = train_and_val(samples, options, own_val=landmarks)
    if not landmarks:
        return parts
    train_set, val_set = (boxed_as(part, options.face_box) for part in parts)
    return [_without_points(s) for s in train_set], [_without_points(s) for s in val_set]


def _without_points(sample: Sample) -> Sample:
    nothing = np.zeros((0, 2), np.float32), np.zeros(0, bool)
    return replace(sample, points=nothing[0], visible=nothing[1], scheme=BOXES)


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
    """The network in training as a `kpcli.plug_ins.Runtime`."""

    line = "Keras, in training"

    def __init__(self, network: Any) -> None:
        self._predict = compiled_call(network)

    def run(self, pictures: Any) -> dict[str, Any]:
        outputs = self._predict(pictures.astype(np.float32))
        return {name: np.asarray(value) for name, value in outputs.items()}


class Validation:
    """Average precision of the labels' boxes on whole pictures, found as at work."""

    def __init__(self, store: SceneStore, card: ModelCard, network: Any) -> None:
        self.store = store
        self.detector = FaceDetector(card, _Network(network), least_score=LEAST_SCORE)
        self._scenes: list[Scene] = []
        self._found: list[tuple[Any, Any]] = []

    def run(self) -> dict[str, float]:
        """Values of one epoch."""
        self._scenes, self._found = [], []
        for i in range(len(self.store)):
            scene, pixels = self.store[i]  # where the store scales a picture down, its boxes too
            self._scenes.append(scene)
            self._found.append(self.detector.arrays([pixels], "box")[0])
        ap = {side: average_precision(self._graded(side)) for side in SIZES}
        return {GOAL: 1 - ap[SIZES[0]], **{f"val_ap_{side}": value for side, value in ap.items()}}

    def _graded(self, least_side: float) -> list[Graded]:
        graded = []
        for scene, (found, scores) in zip(self._scenes, self._found, strict=True):
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
        slope, size, offset = fit_logistic(features, correct)
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
        face_box="landmarks" if options.faces else "dataset",
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
