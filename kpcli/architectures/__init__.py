"""Keras architectures by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpcli import catalogue

if TYPE_CHECKING:
    import keras


def build_architecture(name: str, n_points: int, weights: str = "none") -> keras.Model:
    """A new model of the named architecture; see `plug_ins.ArchitectureModule`.

    Raises
    ------
    UsageError
        If there is no such architecture, or it does not know these ``weights``.
    ModelError
        If the weights cannot be downloaded or do not fit.
    """
    model: keras.Model = catalogue.ARCHITECTURES.load(name).build(n_points, weights=weights)
    return model


def architecture_facts(name: str) -> tuple[int, str]:
    """Input size in pixels and colour (``rgb`` or ``gray``) of the named architecture."""
    module = catalogue.ARCHITECTURES.load(name)
    return int(module.INPUT_SIZE), str(module.COLOUR)


def architecture_task(name: str) -> str:
    """What models of the named architecture do: `model_bundle.LANDMARKS` or `DETECTION`."""
    return catalogue.ARCHITECTURES.load(name).TASK
