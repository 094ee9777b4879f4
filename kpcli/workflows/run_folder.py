"""The folder of a training run: what every task keeps in it, and how a run is taken up again."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from kpcli import __version__
from kpcli.architectures import build_architecture
from kpcli.atomic import atomic_path
from kpcli.errors import InputError, ModelError
from kpcli.exporters import drop_twins
from kpcli.model_bundle import WEIGHTS, ModelBundle, ModelCard, write_card
from kpcli.options import TrainOptions
from kpcli.runtimes.keras_runtime import device_line, load_model
from kpcli.training.fit import Checkpoint
from kpcli.training.model import deployed
from kpcli.training.report import write_json
from kpcli.types import Sample

RUN = "run.json"
BUNDLE = "model"
CHECKPOINT = "checkpoint.npz"


def check_out(options: TrainOptions) -> None:
    """Refuse to write into a run that is not to be resumed, or to resume what is not there."""
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


def networks(options: TrainOptions, n_points: int) -> tuple[Any, Any]:
    """A network to train in the wanted precision, and the float32 one to validate and keep.

    They are the same one unless ``precision`` asks for less than float32; `follow` carries the
    weights over. A bundle thus never depends on the precision that it was trained with.

    Raises
    ------
    ModelError
        If the weights cannot be downloaded or do not fit.
    """
    import keras

    usual = keras.config.dtype_policy()
    try:
        if options.precision != "auto":
            keras.config.set_dtype_policy(options.precision)
        network = build_architecture(options.arch, n_points, weights=options.weights)
    finally:
        keras.config.set_dtype_policy(usual)
    if options.precision in ("auto", usual.name):
        return network, network
    return network, build_architecture(options.arch, n_points, weights="none")


def follow(kept: Any, network: Any) -> None:
    """Give the network to keep the weights of the one in training."""
    if kept is not network:
        kept.set_weights(network.get_weights())


def start_from(network: Any, name: str) -> str:
    """Copy a bundle's weights, by the names of layers; says how many found a place.

    A layer that has grown in width keeps what it gave: the new inputs of its old outputs begin at
    zero, its new outputs as they were initialised (after Chen et al., "Net2Net", ICLR 2016).
    """
    source = load_model(ModelBundle.open(name).weights)
    theirs = {layer.name: layer for layer in source.layers if layer.weights}
    mine = [layer for layer in network.layers if layer.weights]
    copied = grown = 0
    for layer in mine:
        weights = _widened(layer, theirs.get(layer.name))
        if weights is not None:
            same = [w.shape for w in theirs[layer.name].weights] == [w.shape for w in weights]
            layer.set_weights(weights)
            copied, grown = copied + same, grown + (not same)
    if not copied:
        raise ModelError(
            f"{name}: none of its weights fit this architecture",
            next_step="use --init with a bundle of the same --arch",
        )
    wider = f", {grown} of them wider now" if grown else ""
    return f"started from {name}: {copied + grown} of {len(mine)} layers{wider}"


def _widened(layer: Any, other: Any) -> list[NDArray[Any]] | None:
    """The other layer's weights in this layer's shapes, None if they do not go into them.

    Layers with an offset stay out unless they are alike: they are heads, whose outputs have each
    a meaning of its own.
    """
    if other is None or len(other.weights) != len(layer.weights):
        return None
    if [w.shape for w in other.weights] == [w.shape for w in layer.weights]:
        return list(other.get_weights())
    if getattr(layer, "use_bias", False):
        return None
    made = []
    for mine, theirs in zip(layer.get_weights(), other.get_weights(), strict=True):
        kernel = mine.ndim - 2  # height and width: no part of a kernel is put into a larger one
        if mine.ndim != theirs.ndim or mine.shape[:kernel] != theirs.shape[:kernel]:
            return None
        if any(m < t for m, t in zip(mine.shape, theirs.shape, strict=True)):
            return None
        if mine.ndim > 1:
            mine[..., : theirs.shape[-1]] = 0
        mine[tuple(slice(n) for n in theirs.shape)] = theirs
        made.append(mine)
    return made


def read_history(options: TrainOptions, checkpoint: Checkpoint) -> list[dict[str, float]]:
    """Epochs done so far; restores the checkpoint if the run is resumed."""
    if options.resume and checkpoint.path.exists():
        history: list[dict[str, float]] = checkpoint.restore()["history"]
        return history
    return []


def save_bundle(network: Any, card: ModelCard, folder: Path) -> None:
    """Write model.keras (without outputs that only training needs) and card.json."""
    drop_twins(folder)
    with atomic_path(folder / WEIGHTS) as temporary:
        deployed(network).save(temporary)
    write_card(card, folder)


def plain(options: Any) -> dict[str, Any]:
    """Options as JSON values."""
    result: dict[str, Any] = json.loads(json.dumps(asdict(options), default=str))
    return result


def write_run(
    options: TrainOptions, train_set: Sequence[Sample], val_set: Sequence[Sample], network: Any
) -> None:
    """run.json: all that it takes to do it again."""
    values = {
        "options": plain(options),
        "versions": {"kpcli": __version__, "python": platform.python_version()}
        | {p: metadata.version(p) for p in ("keras", "numpy", "opencv-python")},
        "device": device_line(),
        "data_sha256": hashlib.sha256(options.csv.read_bytes()).hexdigest(),
        "faces": {"train": len(train_set), "val": len(val_set)},
        "parameters": int(network.count_params()),
        "command": sys.argv,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    write_json(options.out / RUN, values)


def finish(options: TrainOptions, history: list[dict[str, float]], goal: str) -> None:
    """Add the time taken and the best epoch, the one with the least ``goal``, to run.json."""
    values = json.loads((options.out / RUN).read_text(encoding="utf-8"))
    best = min(history, key=lambda row: row[goal])
    values["seconds"] = round(sum(row["seconds"] for row in history), 1)
    values["best"] = best
    write_json(options.out / RUN, values)
