"""A scheme of the user's own, said in a file, from labels to every output."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.training import tiny
from PIL import Image

import kpcli
from kpcli.dataset_csv import read_dataset
from kpcli.model_bundle import ModelBundle
from kpcli.options import AugmentOptions
from kpcli.schemes import get_scheme
from kpcli.training import networks
from kpcli.training.faces import CropFormat, FaceStore
from kpcli.training.landmarks import train as train_landmarks
from kpcli.training.landmarks.batches import TrainingBatches
from kpcli.writers.pts import write_pts

NAMES = ("left_wing", "right_wing", "head", "tail")
PLACES = np.array([[25, 50], [75, 52], [48, 20], [52, 84]])
COLOURS = ((255, 0, 0), (255, 0, 0), (0, 0, 255), (255, 255, 255))
"""The wings' are one: mirrored, the right one is in the left one's place."""
SCHEME = {
    "name": "moth",
    "points": list(NAMES),
    "pairs": [["left_wing", "right_wing"]],
    "edges": [["left_wing", "head"], ["head", "right_wing"], ["head", "tail"]],
    "normaliser": ["left_wing", "right_wing"],
}


@pytest.fixture
def moths(tmp_path: Path) -> Path:
    """Drawn moths with ``.pts`` files, which name no point."""
    folder = tmp_path / "moths"
    folder.mkdir()
    for i in range(16):
        pixels = np.full((100, 100, 3), 60, np.uint8)
        points = PLACES + np.random.default_rng(i).integers(-6, 7, (4, 2))
        for (x, y), colour in zip(points, COLOURS, strict=True):
            pixels[y - 3 : y + 4, x - 3 : x + 4] = colour
        Image.fromarray(pixels).save(folder / f"{i}.png")
        write_pts(folder / f"{i}.pts", points.astype(float))
    (tmp_path / "moth.json").write_text(json.dumps(SCHEME))
    return folder


def test_mirrored_training_keeps_left_left(moths: Path, tmp_path: Path) -> None:
    kpcli.prepare(moths, out=tmp_path / "m.csv", scheme=str(tmp_path / "moth.json"))
    samples = read_dataset(tmp_path / "m.csv")
    scheme = get_scheme(samples[0].scheme)
    assert (scheme.name, scheme.flip_order) == ("moth", (1, 0, 2, 3))
    store = FaceStore(samples, CropFormat(64, 1.6, "rgb"), 10)
    for flip in (0.0, 1.0):
        augment = AugmentOptions(**{**_nothing(), "flip": flip})
        batches = TrainingBatches(store, scheme, augment, 16, 0, box_from_points=True)
        crops, wanted = batches[0]
        tails = []
        for crop, unit in zip(crops, wanted["points"], strict=True):
            x, y = np.round(((unit + 1) * 64 - 1) / 2).astype(int).T
            found = np.asarray(crop)[y, x]
            assert x[0] < x[1]
            np.testing.assert_allclose(found, COLOURS, atol=90)
            tails.append(x[3] - x[2])
        mirrored = -1 if flip else 1
        drawn = [float(s.points[3, 0] - s.points[2, 0]) for s in samples]
        assert np.sign(np.sum(tails)) == mirrored * np.sign(sum(drawn))


def _nothing() -> dict[str, float]:
    names = ("rotation", "scale", "shift", "flip", "colour", "gray", "blur", "shrink", "jpeg")
    return {**dict.fromkeys(names, 0.0), "occlude": 0.0}


def test_from_the_scheme_s_file_to_every_output(
    moths: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_landmarks, "architecture_facts", lambda name: (32, "rgb"))
    monkeypatch.setattr(
        networks, "build_architecture", lambda name, n_points, weights: tiny(n_points)
    )
    table, run, out = tmp_path / "m.csv", tmp_path / "run", tmp_path / "out"
    kpcli.prepare(moths, out=table, scheme=str(tmp_path / "moth.json"), val=0.25)
    kpcli.train(
        table, out=run, epochs=3, batch_size=4, learning_rate=3e-3, warmup_epochs=0,
        face_box="image",
    )  # fmt: skip
    bundle = ModelBundle.open(run / "model")
    assert bundle.card.landmark_scheme.point_names == NAMES
    scores = kpcli.evaluate(table, split="val", model=str(run / "model"), out=tmp_path / "eval")
    assert np.isfinite(scores.errors).all()
    metrics = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert (metrics["scheme"], metrics["faces"]) == ("moth", len(scores.errors))
    report = kpcli.annotate(
        moths, out=out, model=str(run / "model"), detector="whole_image", workers=1,
        formats=("json", "coco", "cvat", "dlc", "labelstudio", "pts"),
    )  # fmt: skip
    assert report.counts == {"done": 16}
    assert len(list((out / "overlays").iterdir())) == 16
    with (out / "landmarks.csv").open(newline="") as file:
        assert "x_3" in next(csv.reader(file))
    long = kpcli.read_landmarks(out, long=True)
    assert set(long["name"]) == set(NAMES)
    assert json.loads((out / "landmarks.json").read_text())["scheme"]["point_names"] == [*NAMES]
    coco = json.loads(next((out / "annotations").glob("*.json")).read_text())
    (category,) = coco["categories"]
    assert category["keypoints"] == [*NAMES]
    assert category["skeleton"] == [[1, 3], [3, 2], [3, 4]]
    for place in ("cvat", "dlc", "labelstudio"):
        files = [p for p in (out / place).rglob("*") if p.is_file()]
        assert any(all(name in _text(p) for name in NAMES) for p in files), place
    again = kpcli.prepare(out, out=tmp_path / "again.csv", format="annotated")
    assert get_scheme(again.samples[0].scheme).point_names == NAMES


def _text(path: Path) -> str:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return "".join(archive.read(name).decode() for name in archive.namelist())
    return path.read_bytes().decode("utf-8", "replace")
