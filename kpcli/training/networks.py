"""The network in training and the one to keep, and what weights they start from."""

from __future__ import annotations

from typing import Any

from kpcli.architectures import build_architecture
from kpcli.errors import ModelError
from kpcli.model_bundle import ModelBundle
from kpcli.options import TrainOptions
from kpcli.runtimes.keras_runtime import load_model


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
