"""``kpcli train`` of a landmark model: a CSV of landmarks in, a run folder with a bundle out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kpcli import __version__
from kpcli.architectures import architecture_facts
from kpcli.dataset_csv import BOXES, read_dataset, with_landmark_box
from kpcli.detectors.builtin import BUNDLE as FACE_DETECTOR
from kpcli.detectors.builtin import open_detector
from kpcli.errors import InputError
from kpcli.model_bundle import LANDMARKS, ModelBundle, ModelCard
from kpcli.options import CUT_SEED, TrainOptions
from kpcli.runtimes.keras_runtime import compiled_call, device_line
from kpcli.schemes import LandmarkScheme, get_scheme
from kpcli.splits import cut_by_group
from kpcli.training.faces import CropFormat, FaceStore
from kpcli.training.fit import Checkpoint, EpochEnd, compiled, run
from kpcli.training.landmarks.batches import TrainingBatches, validation_arrays
from kpcli.training.landmarks.model import deployed
from kpcli.training.landmarks.negatives import negative_patches
from kpcli.training.landmarks.validation import Validation
from kpcli.training.report import write_augmented, write_history, write_samples
from kpcli.training.run_folder import (
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
from kpcli.types import FaceBox, Frame, Pixels, Sample

NEGATIVES = 3000
"""Backgrounds of either kind, see `kpcli.training.landmarks.negatives`."""
LOOK_ALIKE = 0.15
"""Score from which on the embedded detector's box of no face is one to learn from."""


def train_landmarks(options: TrainOptions, say: Callable[[str], None] = print) -> ModelBundle:
    """Train, validate after every epoch and keep the best model so far under ``out/model``.

    Raises
    ------
    InputError, UsageError, ModelError
        For data, options or weights that cannot be used; nothing written before is lost.
    """
    check_out(options)
    train_set, val_set = _faces(options)
    scheme = get_scheme(train_set[0].scheme)
    import keras

    keras.utils.set_random_seed(options.seed)
    size, colour = architecture_facts(options.arch)
    crop = CropFormat(size, options.crop_scale, colour)
    network, kept = networks(options, scheme.n_points)
    if options.init:
        say(start_from(network, options.init))
    batches = _batches(options, train_set, scheme, crop)
    crops, truth = validation_arrays(FaceStore(val_set, crop, options.cache_mb))
    trainer = compiled(network, options, len(batches))
    checkpoint = Checkpoint(options.out / CHECKPOINT, trainer)
    history = read_history(options, checkpoint)
    write_run(options, train_set, val_set, network)
    write_augmented(options.out / "augmented.png", batches, scheme)

    predict = compiled_call(kept)
    validation = Validation(predict, crops, truth, scheme, options.crop_scale)

    def validate(network: Any) -> dict[str, float]:
        follow(kept, network)
        return validation()

    def on_epoch(rows: list[dict[str, float]], best: bool, _: Any) -> None:
        row = rows[-1]
        say(
            f"epoch {len(rows)}/{options.epochs}  loss {row['loss']:.4f}  val NME "
            f"{row['val_nme']:.3f} %{' *' if best else ''}  {row['seconds']:.0f} s"
        )
        if best:
            card = _card(options, scheme, crop, train_set, val_set, rows, kept)
            save_bundle(kept, card, options.out / BUNDLE)
            write_samples(options.out / "samples.png", predict, crops, truth, scheme)
        write_history(options.out, rows)

    callback = EpochEnd(batches, validate, on_epoch, checkpoint, history, options.patience)
    say(f"{len(train_set)} faces to train, {len(val_set)} to validate, scheme {scheme.name}")
    say(f"{options.arch}: {network.count_params():,} parameters, {device_line()}")
    try:
        run(trainer, batches, callback, options.epochs)
    finally:  # TensorFlow keeps the batches of every fit: let go of the faces in them
        batches.release()
    finish(options, history, "val_nme")
    return ModelBundle.open(options.out / BUNDLE)


def _faces(options: TrainOptions) -> tuple[list[Sample], list[Sample]]:
    """Training and validation faces; validation is cut from train if the CSV has none."""
    samples = read_dataset(options.csv, root=options.root)
    if samples and samples[0].scheme == BOXES:
        raise InputError(
            f"{options.csv}: holds face boxes, no landmarks",
            next_step="prepare a dataset with landmarks",
        )
    if options.face_box == "landmarks":
        samples = [with_landmark_box(s) for s in samples]
    train_set = [s for s in samples if s.split == "train"]
    val_set = [s for s in samples if s.split == "val"]
    if not val_set:
        train_set = cut_by_group(train_set, options.val, CUT_SEED)
        val_set = [s for s in train_set if s.split == "val"]
        train_set = [s for s in train_set if s.split == "train"]
    for name, part in (("train", train_set), ("val", val_set)):
        if not part:
            found = sorted({s.split for s in samples}) or ["no rows"]
            raise InputError(
                f"{options.csv}: no faces to {name} on", expected=f"rows of split {name}",
                actual=", ".join(found), next_step="prepare with --val 0.1, or use a larger --val",
            )  # fmt: skip
    return train_set, val_set


def _batches(
    options: TrainOptions, faces: Sequence[Sample], scheme: LandmarkScheme, crop: CropFormat
) -> TrainingBatches:
    negatives: Sequence[Sequence[Pixels]] = ()
    if options.negatives is not None:
        pictures = read_dataset(options.negatives, split="train")
        detector = open_detector(FACE_DETECTOR, least_score=LOOK_ALIKE)

        def find(pixels: Pixels) -> list[FaceBox]:
            return detector.detect([Frame.still(Path(), pixels)])[0]

        negatives = negative_patches(pictures, NEGATIVES, options.seed, find)
        if not any(negatives):
            raise InputError(f"{options.negatives}: no picture of split train shows a background")
    return TrainingBatches(
        FaceStore(faces, crop, options.cache_mb), scheme, options.augment,
        min(options.batch_size, len(faces)), options.seed,
        box_from_points=options.face_box == "landmarks",
        negatives=negatives, negative_share=options.negative_share,
        soft_weight=options.soft_weight,
    )  # fmt: skip


def _card(
    options: TrainOptions, scheme: LandmarkScheme, crop: CropFormat, train_set: Sequence[Sample],
    val_set: Sequence[Sample], rows: Sequence[dict[str, float]], network: Any,
) -> ModelCard:  # fmt: skip
    counts: dict[str, int] = {}
    for sample in train_set:
        counts[sample.dataset] = counts.get(sample.dataset, 0) + 1
    row = rows[-1]
    return ModelCard(
        name=options.out.name, task=LANDMARKS, architecture=options.arch,
        input_size=crop.size, colour=crop.colour, crop_scale=crop.scale,
        face_box=options.face_box, scheme=scheme.to_json(),
        outputs=tuple(sorted(k for k in deployed(network).output)),
        training={
            "faces": len(train_set), "datasets": counts, "validation_faces": len(val_set),
            "parameters": int(network.count_params()), "epoch": len(rows),
            "options": plain(options), "kpcli": __version__,
        },
        metrics={
            "validation": {
                "protocol": scheme.default_normaliser, "boxes": "labels", "faces": len(val_set),
                "nme_mean": round(row["val_nme"], 4),
                "failure_rate": round(row["val_failure_rate"], 4),
            }
        },
        calibration={
            k.removeprefix("val_"): round(v, 5) for k, v in row.items() if k.endswith("_shift")
        },
    )  # fmt: skip
