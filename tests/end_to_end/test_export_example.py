"""`kpcli export --example`: its script, run without kpcli, gives the points of annotate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny import write_keras_bundle

from kpcli.geometry import CropTransform
from kpcli.images import read_image
from kpcli.inference.predictor import Predictor
from kpcli.model_bundle import ModelBundle
from kpcli.options import ExportOptions
from kpcli.types import FaceBox
from kpcli.workflows.export.run import export

NEEDS = {"onnx": "tf2onnx", "litert": "ai_edge_litert"}
HOPPER, BIDEN = "grace_hopper.jpg", "joe_biden.jpg"
FACES = (
    (HOPPER, FaceBox(171.1, 98.5, 348.4, 297.3)),
    (BIDEN, FaceBox(424.0, 266.7, 714.9, 568.3)),  # large: averaged first
)
ODD = ((HOPPER, FaceBox(-30, -40, 520, 610)), (HOPPER, FaceBox(180, 150, 240, 210)))
LINES = 40
"""Of the script, without blank ones."""


def alone(bundle: Path, file: str, picture: Path, box: FaceBox) -> np.ndarray:
    """What the script prints, in a process that cannot import kpcli, TensorFlow or OpenCV."""
    blocked = bundle.parent / "blocked"
    for package in ("kpcli", "tensorflow", "keras", "cv2"):
        (blocked / package).mkdir(parents=True, exist_ok=True)
        (blocked / package / "__init__.py").write_text("raise ImportError('not here')")
    command = [sys.executable, "run_model.py", file, picture, *(f"{v}" for v in box.corners)]
    environment = {**os.environ, "PYTHONPATH": str(blocked)}
    done = subprocess.run(
        command, cwd=bundle, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split(",") for line in done.stdout.splitlines()]
    card = json.loads((bundle / "card.json").read_text())
    assert [row[0] for row in rows] == card["scheme"]["point_names"]
    return np.array([row[1:] for row in rows], float)


@pytest.mark.parametrize("target", list(NEEDS))
@pytest.mark.parametrize("own", [True, False], ids=["own", "default"])
def test_the_points_are_those_of_annotate(
    target: str, own: bool, tmp_path: Path, sample_images: Path
) -> None:
    if find_spec(NEEDS[target]) is None:
        pytest.skip(f"{NEEDS[target]} is not installed: pip install '.[{target}]'")
    out = tmp_path / "out"
    bundle = str(write_keras_bundle(tmp_path / "tiny").path) if own else "default"
    lines: list[str] = []
    file = export(ExportOptions(bundle, target, out=out, example=True), say=lines.append).path
    assert any("run_model.py" in line for line in lines)
    predictor = Predictor(ModelBundle.open(out), target, threads=1)
    script = (out / "run_model.py").read_text()
    assert len([line for line in script.splitlines() if line.strip()]) <= LINES
    for name, box in FACES + (ODD if own else ()):
        picture = sample_images / "portraits" / name
        pixels = read_image(picture)
        card = predictor.card
        transform = CropTransform.from_box(box, card.input_size, card.crop_scale)
        expected = transform.to_frame(predictor.predict(transform.to_crop(pixels)[None]).unit[0])
        found = alone(out, file.name, picture, box)
        assert np.linalg.norm(found - expected, axis=1).max() < 0.05
