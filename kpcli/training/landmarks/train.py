"""``kpcli train`` of a landmark model: a CSV of landmarks in, a run folder with a bundle out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kpcli.architectures import architecture_facts
from kpcli.dataset_csv import BOXES, read_dataset
from kpcli.detectors.builtin import BUNDLE as FACE_DETECTOR
from kpcli.detectors.builtin import open_detector
from kpcli.errors import InputError
from kpcli.model_bundle import LANDMARKS, ModelBundle, ModelCard
from kpcli.options import TrainOptions
from kpcli.runtimes.keras_runtime import compiled_call, device_line
from kpcli.schemes import LandmarkScheme, get_scheme
from kpcli.training.faces import CropFormat, FaceStore, box_share, boxed_as
from kpcli.training.fit import EpochEnd, run
from kpcli.training.landmarks.batches import TrainingBatches, some_arrays, validation_arrays
from kpcli.training.landmarks.model import compiled, deployed
from kpcli.training.landmarks.negatives import negative_patches
from kpcli.training.landmarks.validation import Validation
from kpcli.training.networks import follow, networks, start_from
from kpcli.training.report import write_augmented, write_samples
from kpcli.training.run_folder import AUGMENTED, SAMPLES, RunFolder
from kpcli.training.run_options import plain
from kpcli.training.split import train_and_val
from kpcli.types import FaceBox, Frame, Pixels, Sample
from kpcli.version import __version__

GOAL = "val_nme"
"""Column of the history of which the best epoch has least."""
NEGATIVES = 3000
"""Most backgrounds of either kind (`kpcli.training.landmarks.negatives`) that a training takes."""
LOOK_ALIKE = 0.15
"""Score of the embedded detector from which on its box of no face is a background to learn from."""


def train_landmarks(folder: RunFolder, say: Callable[[str], None] = print) -> ModelBundle:
    """Train, validate after every epoch and keep the best model so far in the run's folder.

    Raises
    ------
    InputError, UsageError, ModelError
        For data, options or weights that cannot be used; nothing written before is lost.
    """
    options = folder.options
    train_set, val_set = _faces(options)
    scheme = get_scheme(train_set[0].scheme)
    import keras

    keras.utils.set_random_seed(options.seed)
    size, colour = architecture_facts(options.arch)
    crop = CropFormat(size, options.crop_scale, colour)
    network, kept = networks(options, scheme.n_points)
    if options.init and not folder.goes_on:
        say(start_from(network, options.init))
    batches = _batches(options, train_set, scheme, crop)
    crops, truth = validation_arrays(FaceStore(val_set, crop, options.cache_mb))
    trainer = compiled(network, options, len(batches))
    folder.begin(trainer, {
        "device": device_line(), "parameters": int(network.count_params()),
        "faces": {"train": len(train_set), "val": len(val_set)},
    })  # fmt: skip
    write_augmented(folder.path / AUGMENTED, batches, scheme)
    predict = compiled_call(kept)
    validation = Validation(predict, crops, truth, scheme, options.crop_scale)
    seen = Validation(predict, *some_arrays(batches.store), scheme, options.crop_scale)

    def validate(network: Any) -> dict[str, float]:
        follow(kept, network)
        return {"train_nme": seen()[GOAL], **validation()}

    def on_epoch(best: bool) -> None:
        row = folder.history[-1]
        say(
            f"epoch {len(folder.history)}/{options.epochs}  loss {row['loss']:.4f}  NME "
            f"{row['train_nme']:.3f} % train, {row[GOAL]:.3f} % val{' *' if best else ''}  "
            f"{row['seconds']:.0f} s, {folder.time_left()} left"
        )
        if best:
            card = _card(options, scheme, crop, train_set, val_set, folder.history, kept)
            folder.keep(deployed(kept), card)
            write_samples(folder.path / SAMPLES, predict, crops, truth, scheme)
        folder.show(GOAL, "NME, %")

    say(f"{len(train_set)} faces to train, {len(val_set)} to validate, scheme {scheme.name}")
    say(f"{options.arch}: {network.count_params():,} parameters, {device_line()}")
    try:
        run(trainer, EpochEnd(folder, batches, validate, on_epoch, GOAL))
    finally:  # TensorFlow keeps the batches of every fit: let go of the faces in them
        batches.release()
    return folder.finish(GOAL)


def _faces(options: TrainOptions) -> tuple[list[Sample], list[Sample]]:
    """Training and validation faces; validation is cut from train if the CSV has none."""
    samples = read_dataset(options.csv, root=options.root)
    if samples and samples[0].scheme == BOXES:
        raise InputError(
            f"{options.csv}: holds face boxes, no landmarks",
            next_step="prepare a dataset with landmarks",
        )
    train_set, val_set = train_and_val(samples, options, own_val=True)
    boxed = [boxed_as(part, options.face_box) for part in (train_set, val_set)]
    return boxed[0], boxed[1]


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
            "box_share": box_share(train_set),
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
