"""The network in training and the one to keep, and what weights they start from."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

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
