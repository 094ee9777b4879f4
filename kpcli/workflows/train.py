"""``kpcli train``: a normalised CSV in, a run folder with a model bundle out."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from kpcli import __version__
from kpcli.architectures import architecture_facts, build_architecture
from kpcli.atomic import atomic_path
from kpcli.dataset_csv import BOXES, read_dataset, with_landmark_box
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.metrics import face_nme
from kpcli.model_bundle import WEIGHTS, ModelBundle, ModelCard, write_card
from kpcli.options import TrainOptions
from kpcli.predictor import interpret
from kpcli.runtimes.keras_runtime import compiled_call, load_model, quiet
from kpcli.schemes import LandmarkScheme, get_scheme
from kpcli.splits import cut_by_group
from kpcli.training.batches import CropFormat, FaceStore, TrainingBatches, validation_arrays
from kpcli.training.fit import Checkpoint, EpochEnd, compiled, run
from kpcli.training.model import deployed
from kpcli.training.negatives import negative_patches
from kpcli.training.report import write_augmented, write_history, write_json, write_samples
from kpcli.types import Points, Sample

RUN = "run.json"
BUNDLE = "model"
CHECKPOINT = "checkpoint.npz"


def train(options: TrainOptions, say: Callable[[str], None] = print) -> ModelBundle:
    """Train, validate after every epoch and keep the best model so far under ``out/model``.

    Raises
    ------
    InputError, UsageError, ModelError
        For data, options or weights that cannot be used; nothing written before is lost.
    """
    _check_out(options)
    train_set, val_set = _faces(options)
    scheme = get_scheme(train_set[0].scheme)
    quiet()
    import keras

    keras.utils.set_random_seed(options.seed)
    if options.precision != "auto":
        keras.mixed_precision.set_global_policy(options.precision)
    size, colour = architecture_facts(options.arch)
    crop = CropFormat(size, options.crop_scale, colour)
    network = build_architecture(options.arch, scheme.n_points, weights=options.weights)
    if options.init:
        say(start_from(network, options.init))
    batches = _batches(options, train_set, scheme, crop)
    crops, truth = validation_arrays(FaceStore(val_set, crop, options.cache_mb))
    trainer = compiled(network, options, len(batches))
    checkpoint = Checkpoint(options.out / CHECKPOINT, trainer)
    history = _history(options, checkpoint)
    _write_run(options, train_set, val_set, network)
    write_augmented(options.out / "augmented.png", batches, scheme)

    predict = compiled_call(network)

    def validate(_: Any) -> dict[str, float]:
        return _validation(predict, crops, truth, scheme, options.crop_scale)

    def on_epoch(rows: list[dict[str, float]], best: bool, network: Any) -> None:
        row = rows[-1]
        say(
            f"epoch {len(rows)}/{options.epochs}  loss {row['loss']:.4f}  val NME "
            f"{row['val_nme']:.3f} %{' *' if best else ''}  {row['seconds']:.0f} s"
        )
        if best:
            card = _card(options, scheme, crop, train_set, val_set, rows, network)
            save_bundle(network, card, options.out / BUNDLE)
            write_samples(options.out / "samples.png", predict, crops, truth, scheme)
        write_history(options.out, rows)

    callback = EpochEnd(batches, validate, on_epoch, checkpoint, history, options.patience)
    say(f"{len(train_set)} faces to train, {len(val_set)} to validate, scheme {scheme.name}")
    say(f"{options.arch}: {network.count_params():,} parameters, {_device()}")
    started = time.monotonic()
    run(trainer, batches, callback, options.epochs)
    _finish(options, history, time.monotonic() - started)
    return ModelBundle.open(options.out / BUNDLE)


def _check_out(options: TrainOptions) -> None:
    held = (options.out / RUN).exists() or (options.out / CHECKPOINT).exists()
    if held and not options.resume:
        raise InputError(
            f"{options.out}: holds another run",
            next_step="add --resume to go on with it, or choose another --out",
        )
    if options.resume and not (options.out / CHECKPOINT).exists() and not held:
        raise InputError(
            f"{options.out}: no run to resume", next_step="leave --resume away to start one"
        )


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
    elif options.face_box != "csv":
        raise UsageError(f"unknown face box {options.face_box!r}", expected="landmarks, csv")
    train_set = [s for s in samples if s.split == "train"]
    val_set = [s for s in samples if s.split == "val"]
    if not val_set:
        train_set = cut_by_group(train_set, options.val, options.seed)
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
    negatives = []
    if options.negatives is not None:
        pictures = read_dataset(options.negatives, split="train")
        negatives = negative_patches(pictures, 4000, options.seed)
        if not negatives:
            raise InputError(f"{options.negatives}: no picture of split train shows a background")
    return TrainingBatches(
        FaceStore(faces, crop, options.cache_mb), scheme, options.augment,
        min(options.batch_size, len(faces)), options.seed,
        box_from_points=options.face_box == "landmarks",
        negatives=negatives, negative_share=options.negative_share,
    )  # fmt: skip


def start_from(network: Any, name: str) -> str:
    """Copy the weights of a bundle's layers that fit by name and shape; says how many did."""
    source = load_model(ModelBundle.open(name).weights)
    theirs = {layer.name: layer for layer in source.layers if layer.weights}
    mine = [layer for layer in network.layers if layer.weights]
    copied = 0
    for layer in mine:
        other = theirs.get(layer.name)
        if other is not None and [w.shape for w in other.weights] == [
            w.shape for w in layer.weights
        ]:
            layer.set_weights(other.get_weights())
            copied += 1
    if not copied:
        raise ModelError(
            f"{name}: none of its weights fit this architecture",
            next_step="use --init with a bundle of the same --arch",
        )
    return f"started from {name}: {copied} of {len(mine)} layers"


def _history(options: TrainOptions, checkpoint: Checkpoint) -> list[dict[str, float]]:
    if options.resume and checkpoint.path.exists():
        history: list[dict[str, float]] = checkpoint.restore()["history"]
        return history
    return []


def _validation(
    predict: Callable[[Any], Any], crops: Any, truth: Points, scheme: LandmarkScheme, scale: float
) -> dict[str, float]:
    errors, certain = [], []
    for first in range(0, len(crops), 64):
        outputs = {k: np.asarray(v) for k, v in _numpy(predict(crops[first : first + 64])).items()}
        faces = interpret(outputs, scale, {})
        errors.append(face_nme(faces.unit, truth[first : first + 64], scheme))
        certain.append(faces.confidence)
    nme = np.concatenate(errors)
    known = nme[np.isfinite(nme)]
    return {
        "val_nme": float(known.mean()) if len(known) else math.inf,
        "val_failure_rate": float((known > 8).mean() * 100) if len(known) else 100.0,
        "val_confidence": float(np.concatenate(certain).mean()),
    }


def _numpy(outputs: Any) -> dict[str, Any]:
    import keras

    return {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}


def save_bundle(network: Any, card: ModelCard, folder: Path) -> None:
    """Write model.keras (without outputs that only training needs) and card.json."""
    with atomic_path(folder / WEIGHTS) as temporary:
        deployed(network).save(temporary)
    write_card(card, folder)


def _card(
    options: TrainOptions, scheme: LandmarkScheme, crop: CropFormat, train_set: Sequence[Sample],
    val_set: Sequence[Sample], rows: Sequence[dict[str, float]], network: Any,
) -> ModelCard:  # fmt: skip
    counts: dict[str, int] = {}
    for sample in train_set:
        counts[sample.dataset] = counts.get(sample.dataset, 0) + 1
    row = rows[-1]
    return ModelCard(
        name=options.out.name, task="landmarks", architecture=options.arch,
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
    )  # fmt: skip


def plain(options: Any) -> dict[str, Any]:
    """Options as JSON values."""
    result: dict[str, Any] = json.loads(json.dumps(asdict(options), default=str))
    return result


def _device() -> str:
    import keras

    backend = keras.backend.backend()
    if backend == "torch":  # Keras has no device list for it
        import torch

        return f"torch on {'cuda' if torch.cuda.is_available() else 'cpu'}"
    return f"{backend} on {', '.join(keras.distribution.list_devices())}"


def _write_run(
    options: TrainOptions, train_set: Sequence[Sample], val_set: Sequence[Sample], network: Any
) -> None:
    values = {
        "options": plain(options),
        "versions": {"kpcli": __version__, "python": platform.python_version()}
        | {p: metadata.version(p) for p in ("keras", "numpy", "opencv-python")},
        "device": _device(),
        "data_sha256": hashlib.sha256(options.csv.read_bytes()).hexdigest(),
        "faces": {"train": len(train_set), "val": len(val_set)},
        "parameters": int(network.count_params()),
        "command": sys.argv,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    write_json(options.out / RUN, values)


def _finish(options: TrainOptions, history: list[dict[str, float]], seconds: float) -> None:
    values = json.loads((options.out / RUN).read_text(encoding="utf-8"))
    best = min(history, key=lambda row: row["val_nme"])
    values["seconds_this_session"] = round(seconds, 1)
    values["seconds"] = round(sum(row["seconds"] for row in history), 1)
    values["best"] = best
    write_json(options.out / RUN, values)
