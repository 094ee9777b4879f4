"""A stand-in for the model of `kpcli eval`, and drawn faces whose error under it is known.

Every face has the same 68 points in its box, and its picture is one shade of gray. The stand-in
finds those points, moved to the right by ``shade / 1000`` of the box's side: each face's error
follows from its shade.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kpcli.cli import app
from kpcli.dataset_csv import write_dataset
from kpcli.geometry import REFERENCE_FIVE
from kpcli.inference.predictor import PredictedFaces
from kpcli.model_bundle import ModelBundle, ModelCard, write_card
from kpcli.schemes import IBUG68, LandmarkScheme
from kpcli.types import FaceBox, Sample
from kpcli.workflows.evaluate import run as evaluate

SIZE, SCALE = 32, 1.25
BOX = FaceBox(40, 30, 140, 130)
EYES = 0.4
"""Distance of the outer eye corners in box sides."""


def face_shape(scheme: LandmarkScheme = IBUG68) -> np.ndarray:
    """Points (N, 2) of an upright face as fractions 0..1 of a box that they span exactly."""
    points = np.random.default_rng(0).uniform(0.2, 0.8, (scheme.n_points, 2))
    for group, place in zip(scheme.five, REFERENCE_FIVE + 0.5, strict=True):
        points[list(group)] = place
    (left,), (right,) = scheme.normalisers["ocular"]
    points[left], points[right] = (0.3, 0.35), (0.3 + EYES, 0.35)
    points[0], points[1] = (0, 0), (1, 1)
    return points


class StandIn:
    """A predictor; see the module's text."""

    def __init__(self, bundle: ModelBundle, runtime: str, tta: str = "none") -> None:
        self.card = bundle.card
        self.runtime_line = f"runs by {runtime}"
        self.batches: list[int] = []

    def predict(self, crops: np.ndarray) -> PredictedFaces:
        assert crops.dtype == np.uint8
        assert crops.shape[1:] == (SIZE, SIZE, 3)
        self.batches.append(len(crops))
        shades = crops[:, SIZE // 2, SIZE // 2, 0].astype(float)
        shape = face_shape(self.card.landmark_scheme)
        found = shape[None] + np.stack([shades / 1000, 0 * shades], axis=1)[:, None]
        unit = ((found - 0.5) * 2 / SCALE).astype(np.float32)
        return PredictedFaces(unit, np.ones(unit.shape[:2]), np.full(len(unit), 0.75))


def shade_for(error: float) -> int:
    """The shade whose face has this NME in percent (a multiple of 0.25)."""
    return round(error / 100 * EYES * 1000)


def sample(folder: Path, name: str, error: float, **changes: Any) -> Sample:
    """A face with the given NME, drawn to disk."""
    path = folder / "pictures" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (180, 160), (shade_for(error),) * 3).save(path)
    corner = np.array([BOX.left, BOX.top])
    points = (corner + face_shape() * BOX.side).astype(np.float32)
    face = Sample(
        image=path, face=BOX, points=points, visible=np.ones(68, bool), scheme="ibug68",
        dataset="drawn", split="test", group=name, box_source="file",
    )  # fmt: skip
    return replace(face, **changes)


def bundle_of_stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle's folder; the stand-in is what opens it."""
    monkeypatch.setattr(evaluate, "Predictor", StandIn)
    return write_bundle(folder / "bundle", IBUG68)


def write_bundle(folder: Path, scheme: LandmarkScheme, **changes: Any) -> Path:
    card = ModelCard(
        "drawn", "landmarks", "none", SIZE, "rgb", SCALE, "landmarks", scheme=scheme.to_json()
    )
    folder.mkdir()
    write_card(replace(card, **changes), folder)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Exit code of ``kpcli eval ARGUMENTS``."""
    monkeypatch.setattr(sys, "argv", ["kpcli", "eval", *map(str, arguments)])
    try:
        app.main()
    except SystemExit as e:
        return int(e.code or 0)
    return 0


def write(folder: Path, *samples: Sample) -> Path:
    path = folder / "faces.csv"
    write_dataset(samples, path, folder)
    return path


def read_metrics(folder: Path) -> dict[str, Any]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    text = (folder / "metrics.json").read_text()
    values: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return values
