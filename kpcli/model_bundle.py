"""A model bundle: a folder with model.keras, exports and card.json.

The card holds all that is needed to use the weights, so nobody passes an image size twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from kpcli.card_check import check_card
from kpcli.errors import ModelError
from kpcli.files import atomic_path
from kpcli.options import OLD_FACE_BOXES
from kpcli.schemes import LandmarkScheme

CARD = "card.json"
WEIGHTS = "model.keras"
DEFAULT = "default"
BUNDLE_OF_RUN = "model"
"""Folder of the bundle within that of a training run."""
LANDMARKS = "landmarks"
DETECTION = "detection"
LARGEST_FILE = 2**31 - 1
"""Most bytes of one file of a bundle that is opened: what one ONNX file can hold."""
LARGEST_CARD = 2**22
"""Most bytes of a card.json that is read; the largest of the embedded models' has 9 thousand."""


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
    """Names of the model's outputs in the order of exports."""
    licence: str = "unknown"
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    exports: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def landmark_scheme(self) -> LandmarkScheme:
        return LandmarkScheme.from_json(self.scheme)


@dataclass(frozen=True)
class ModelBundle:
    """A bundle on disk."""

    path: Path
    card: ModelCard

    @property
    def weights(self) -> Path:
        return self.file(WEIGHTS) if (self.path / WEIGHTS).exists() else self.path / WEIGHTS

    def file(self, name: str) -> Path:
        """A file (or folder of files) of the bundle, by its name in it.

        Raises
        ------
        ModelError
            If it leads out of the bundle by a symbolic link, is no file, or is too large.
        """
        path = self.path / name
        if self.path.parent == assets():  # ours; some installers make links of a package's files
            return path
        home = self.path.resolve()
        for part in [path, *(path.rglob("*") if path.is_dir() else [])]:
            if not part.resolve().is_relative_to(home):
                raise ModelError(
                    f"{part}: leads out of the bundle",
                    actual=f"a link to {part.resolve()}",
                    next_step="copy the bundle with what its links name (cp -rL), if you trust it",
                )
            if not part.is_file() and not part.is_dir():
                raise ModelError(f"{part}: neither a file nor a folder")
            if part.is_file() and part.stat().st_size > LARGEST_FILE:
                raise ModelError(f"{part}: too large", expected=f"at most {LARGEST_FILE} bytes")
        return path

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
            inside = path / BUNDLE_OF_RUN
            raise ModelError(
                f"{name}: not a model bundle",
                expected=f"a folder with {CARD} and {WEIGHTS}",
                actual="the folder of a training run" if (inside / CARD).is_file() else "",
                next_step=f"use {inside}"
                if (inside / CARD).is_file()
                else f"use one that `kpcli train` made, or: {', '.join(embedded_names())}",
            )
        bundle = cls(path, read_card(card_file))
        bundle.file(CARD)
        return bundle


def read_card(path: Path) -> ModelCard:
    """Read card.json; unknown keys are ignored, missing ones are an error.

    Raises
    ------
    ModelError
        If it cannot be read, is too large, or holds what no model's card does.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_CARD + 1)
        if len(data) > LARGEST_CARD:
            raise ValueError(f"more than {LARGEST_CARD} bytes")
        values = json.loads(data.decode("utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"a {type(values).__name__} in the place of a mapping")
        known = {f.name for f in fields(ModelCard)}
        values = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known
        }
        box = values.get("face_box")
        values["face_box"] = OLD_FACE_BOXES.get(box, box) if isinstance(box, str) else box
        check_card(values)
        return ModelCard(**values)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as e:
        raise ModelError(
            f"{path}: a damaged model card",
            actual=str(e) or type(e).__name__,
            next_step="get the whole bundle once more from where it came from, or train it anew",
        ) from e


def write_card(card: ModelCard, folder: Path) -> None:
    """Write card.json into the bundle folder, at once or not at all."""
    with atomic_path(folder / CARD) as temporary:
        text = json.dumps(asdict(card), indent=1, ensure_ascii=False)
        # Names that are not UTF-8 stand in Python's strings as what only an escape can write.
        temporary.write_bytes((text + "\n").encode("utf-8", "backslashreplace"))


def assets() -> Path:
    """The folder of the embedded models."""
    return Path(str(resources.files("kpcli"))) / "assets"


def embedded_names() -> list[str]:
    """Names of the models that come with kpcli."""
    if not assets().is_dir():
        return []
    return sorted(p.name for p in assets().iterdir() if (p / CARD).is_file())
