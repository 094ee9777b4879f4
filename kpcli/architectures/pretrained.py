"""What ``--weights`` means: ``none``, ``imagenet`` (of a backbone that has them) or a file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import keras

from kpcli.errors import ModelError, UsageError

NONE = "none"
IMAGENET = "imagenet"


def load_weights(model: keras.Model, weights: str) -> keras.Model:
    """The model with a file's weights; for architectures that nobody has pre-trained.

    Raises
    ------
    UsageError
        If ``weights`` is neither ``none`` nor a file.
    ModelError
        If the file does not fit the model.
    """
    if weights == IMAGENET:
        raise UsageError(
            f"--weights {IMAGENET}: there are no ImageNet weights of {model.name}",
            expected="none, or a file of this architecture's weights",
            next_step="use a MobileNet architecture, or start from a bundle with --init",
        )
    if weights != NONE:
        _load_file(model, _existing(weights))
    return model


def backbone(factory: Callable[..., keras.Model], size: int, weights: str) -> keras.Model:
    """A model of keras.applications without its top, for (B, size, size, 3) in -1..1.

    ``weights`` is ``none``, ``imagenet`` (downloaded by Keras, kept in its cache) or a file of
    the backbone's weights without top (``.weights.h5``, ``.keras``, ``.h5``).

    Raises
    ------
    UsageError
        If ``weights`` is none of these.
    ModelError
        If the weights cannot be downloaded, or the file does not fit.
    """
    shape = (size, size, 3)
    if weights != IMAGENET:
        model = factory(input_shape=shape, include_top=False, weights=None)
        if weights != NONE:
            _load_file(model, _existing(weights))
        return model
    try:
        return factory(input_shape=shape, include_top=False, weights=IMAGENET)
    except Exception as e:  # keras.utils.get_file raises plain Exception, OSError, ValueError
        raise ModelError(
            "the ImageNet weights cannot be downloaded",
            expected="a connection to storage.googleapis.com, or the file in ~/.keras/models",
            actual=f"{type(e).__name__}: {e}",
            next_step="pass the file of the weights without top by --weights PATH, "
            "or train from scratch with --weights none",
        ) from e


def _existing(weights: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise UsageError(
            f"--weights {weights}: there is no such file",
            expected=f"{IMAGENET}, {NONE}, or a file (.weights.h5, .keras, .h5)",
        )
    return path


def _load_file(model: keras.Model, path: Path) -> None:
    try:
        with warnings.catch_warnings():
            # Keras only warns where it leaves layers as they are.
            warnings.filterwarnings("error", message="Skipping nested container")
            model.load_weights(path)
    except Exception as e:  # Keras raises zip, HDF5, Value and other errors for unfit files
        raise ModelError(
            f"{path}: the weights do not fit {model.name}",
            expected=f"weights of {model.name} ({model.count_params()} parameters)",
            actual=f"{type(e).__name__}: {str(e)[:300]}",
            next_step="pass a file that Keras saved of this very network",
        ) from e
