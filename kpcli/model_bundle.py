"""A model bundle: a folder with model.keras, exported twins and card.json.

The card holds all that is needed to use the weights, so nobody passes an image size twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

from kpcli.errors import ModelError
from kpcli.files import atomic_path
from kpcli.schemes import LandmarkScheme

CARD = "card.json"
WEIGHTS = "model.keras"
DEFAULT = "default"
LANDMARKS = "landmarks"
DETECTION = "detection"


@dataclass(frozen=True)
class ModelCard:
    """What a model is, how to feed it, what made it and how good it is."""

    name: str
    task: str
    """`LANDMARKS` or `DETECTION`."""
    architecture: str
    input_size: int
    colour: str
    """``rgb`` or ``gray``; pixel values go in as 0..255, scaling is part of the model."""
    crop_scale: float
    """Side of the crop over side of the face box."""
    face_box: str
    """Which box the model was trained on; see TrainOptions.face_box."""
    scheme: Mapping[str, Any] = field(default_factory=dict)
    strides: tuple[int, ...] = ()
    """Of a detector: pixels between the cells of each scale, in the order of its outputs."""
    outputs: tuple[str, ...] = ("points",)
    """Names of the model's outputs in the order of exported twins."""
    licence: str = "unknown"
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    exports: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def landmark_scheme(self) -> LandmarkScheme:
        return LandmarkScheme.from_json(self.scheme)


@dataclass(frozen=True)
class ModelBundle:
    """A bundle on disk."""

    path: Path
    card: ModelCard

    @property
    def weights(self) -> Path:
        return self.path / WEIGHTS

    def summary(self) -> str:
        """Where it lies."""
        return f"model: {self.path}"

    @classmethod
    def open(cls, name: str | Path) -> ModelBundle:
        """Open a bundle folder, or an embedded model by its name (``default`` ...).

        Raises
        ------
        ModelError
            If there is no such bundle or its card is damaged.
        """
        path = Path(name)
        embedded = assets() / str(name)
        if not path.is_dir() and path.name == str(name) and embedded.is_dir():
            path = embedded
        card_file = path / CARD
        if not card_file.is_file():
            raise ModelError(
                f"{name}: not a model bundle",
                expected=f"a folder with {CARD} and {WEIGHTS}",
                next_step=f"use one that `kpcli train` made, or: {', '.join(embedded_names())}",
            )
        return cls(path, read_card(card_file))


def read_card(path: Path) -> ModelCard:
    """Read card.json; unknown keys are ignored, missing ones are an error."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        known = {f.name for f in fields(ModelCard)}
        values = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known
        }
        return ModelCard(**values)
    except (ValueError, TypeError, AttributeError) as e:
        raise ModelError(f"{path}: a damaged model card", actual=str(e)) from e


def write_card(card: ModelCard, folder: Path) -> None:
    """Write card.json into the bundle folder, at once or not at all."""
    with atomic_path(folder / CARD) as temporary:
        text = json.dumps(asdict(card), indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def assets() -> Path:
    """The folder of the embedded models."""
    return Path(str(resources.files("kpcli"))) / "assets"


def embedded_names() -> list[str]:
    """Names of the models that come with kpcli."""
    if not assets().is_dir():
        return []
    return sorted(p.name for p in assets().iterdir() if (p / CARD).is_file())
