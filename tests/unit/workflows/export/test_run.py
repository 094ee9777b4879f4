"""`kpcli export` around the conversion itself: checks, refusal, card. No TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny import SHAPE, SIZE, tiny_card, write_faces
from PIL import Image

from kpcli.cells import cell_grid, encode
from kpcli.dataset_csv import read_dataset, write_dataset
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.exporters import content, drop_exports, foreign_exports
from kpcli.model_bundle import ModelBundle, assets, write_card
from kpcli.options import ExportOptions
from kpcli.runtimes import keras_runtime
from kpcli.types import FaceBox, Sample
from kpcli.workflows.export import run as workflow

EYES = 0.4
"""Distance of the drawn face's eyes in box sides."""
FACE = FaceBox(20, 16, 44, 40)


class Points:
    """A runtime that finds the drawn face's points, ``shift`` (unit coordinates) to the right."""

    line = "a stand-in on nothing"

    def __init__(self, shift: float = 0.0, name: str = "points") -> None:
        self.shift, self.name = shift, name

    def run(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        unit = (SHAPE * 2 - 1 + [self.shift, 0]).astype(np.float32)
        return {self.name: np.repeat(unit[None], len(pictures), axis=0)}


class Boxes:
    """A runtime of a detector that finds `FACE`, ``shift`` pixels to the right.

    Pictures of 64 pixels may come enlarged.
    """

    line = "a stand-in on nothing"

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift

    def run(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        cells = cell_grid(*pictures.shape[1:3], [8])
        box = np.array([FACE.left, FACE.top, FACE.right, FACE.bottom]) + [self.shift, 0] * 2
        box = (box + 0.5) * pictures.shape[1] / 64 - 0.5
        numbers = encode(np.repeat(box[None], len(cells), axis=0), cells)
        score = np.full(len(cells), -9.0)
        score[0] = 9.0
        one = {"score": score, "box": numbers, "landmark_box": numbers}
        return {k: np.repeat(v[None], len(pictures), axis=0) for k, v in one.items()}


class Exporter:
    FILE = "model.fake"
    QUANTIZE = ("none", "int8")

    def __init__(self, runtime: object) -> None:
        self.runtime = runtime
        self.calibration: list[np.ndarray] = []

    def export(
        self, weights: Path, path: Path, *, quantize: str, calibration: Sequence[np.ndarray]
    ) -> None:
        self.calibration = list(calibration)
        path.write_text(f"export {quantize}")

    def open_export(self, path: Path) -> object:
        return self.runtime


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    folder = tmp_path / "bundle"
    folder.mkdir()
    write_card(tiny_card(outputs=("points",)), folder)
    return ModelBundle.open(folder)


def run(
    monkeypatch: pytest.MonkeyPatch, bundle: ModelBundle, export: object, keras: object = None,
    **options: object,
) -> tuple[Exporter, list[str]]:  # fmt: skip
    exporter = Exporter(export)
    monkeypatch.setattr(workflow.EXPORTERS, "load", lambda name: exporter)
    monkeypatch.setattr(keras_runtime, "KerasRuntime", lambda weights: keras or Points())
    said: list[str] = []
    workflow.export(
        ExportOptions(bundle=str(bundle.path), to="fake", **options),
        said.append,  # type: ignore
    )
    return exporter, said


def checks(bundle: ModelBundle) -> dict[str, object]:
    found: dict[str, object] = ModelBundle.open(bundle.path).card.exports["fake"]["checks"]
    return found


def test_deviation_is_in_crop_pixels_and_nme_in_percent(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = write_faces(tmp_path)
    _, said = run(monkeypatch, bundle, Points(0.01), csv=csv)
    found = checks(bundle)
    assert found["max_deviation_px"] == pytest.approx(0.01 * SIZE / 2, abs=1e-4)
    assert found["mean_deviation_px"] == pytest.approx(0.01 * SIZE / 2, abs=1e-4)
    assert found["nme"] == pytest.approx(100 * 0.01 / 2 / EYES, abs=1e-3)
    assert found["nme_keras"] == pytest.approx(0, abs=1e-3)
    assert found["compared_on"] == "1 faces of faces.csv, val"
    assert found["protocol"] == "pupil"
    assert any("NME (pupil) 1.250 %, that of Keras 0.000 %" in line for line in said)


def test_without_a_csv_it_says_that_the_crops_were_drawn(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, said = run(monkeypatch, bundle, Points(0.01))
    assert checks(bundle)["compared_on"] == "32 drawn crops"
    assert "nme" not in checks(bundle)
    assert "give --csv" in said[-1]


def test_a_copy_gets_the_export_and_the_bundle_stays(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p.name: p.read_bytes() for p in bundle.path.iterdir()}
    _, said = run(monkeypatch, bundle, Points(0.01), out=tmp_path / "new" / "copy")
    assert {p.name: p.read_bytes() for p in bundle.path.iterdir()} == before
    copy = ModelBundle.open(tmp_path / "new" / "copy")
    assert copy.card.exports["fake"]["file"] == "model.fake"
    assert (copy.path / "model.fake").read_text() == "export none"
    assert str(copy.path / "model.fake") in said[0]
    with pytest.raises(InputError, match="is there already"):
        run(monkeypatch, bundle, Points(), out=copy.path)
    with pytest.raises(InputError, match="lies in the bundle"):
        run(monkeypatch, bundle, Points(), out=bundle.path / "copy")
    assert {p.name: p.read_bytes() for p in bundle.path.iterdir()} == before


def test_a_copy_whose_export_is_refused_is_not_kept(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = write_faces(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ModelError):
        run(monkeypatch, bundle, Points(0.1), quantize="int8", calibrate=csv, out=tmp_path / "copy")
    assert sorted(tmp_path.iterdir()) == before


def test_an_embedded_model_is_not_changed() -> None:
    for bundle in ("default", str(assets() / "wflw98" / ".." / "default")):
        with pytest.raises(UsageError, match=r"default is part of kpcli.*") as e:
            workflow.export(ExportOptions(bundle=bundle, to="onnx"), lambda _: None)
        assert e.value.next_step == "add --out default_onnx"


def test_int8_that_costs_too_much_is_not_kept(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = write_faces(tmp_path)
    run(monkeypatch, bundle, Points(), csv=csv)  # an earlier, good export
    card = (bundle.path / "card.json").read_bytes()
    shift = 0.12 / 100 * 2 * EYES  # 0.12 points of NME
    with pytest.raises(ModelError, match=r"int8 costs 0\.12 points of NME") as caught:
        run(monkeypatch, bundle, Points(shift), quantize="int8", calibrate=csv)
    assert "--force" in caught.value.next_step
    assert (bundle.path / "model.fake").read_text() == "export none"
    assert (bundle.path / "card.json").read_bytes() == card
    _, said = run(monkeypatch, bundle, Points(shift), quantize="int8", calibrate=csv, force=True)
    assert said[-1].startswith("warning: int8 costs 0.12 points of NME")
    assert (bundle.path / "model.fake").read_text() == "export int8"
    assert sorted(p.name for p in bundle.path.iterdir()) == ["card.json", "model.fake"]


def test_int8_within_the_limit_is_kept_and_calibrated_on_train(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = write_faces(tmp_path, ("train", "val", "train"))
    shift = 0.08 / 100 * 2 * EYES
    exporter, _ = run(monkeypatch, bundle, Points(shift), quantize="int8", calibrate=csv)
    assert checks(bundle)["nme"] == pytest.approx(0.08, abs=1e-3)
    (batch,) = exporter.calibration
    assert batch.shape == (2, SIZE, SIZE, 3)
    assert batch.dtype == np.uint8
    assert batch.std() > 20  # pictures, not blanks


def test_an_export_with_other_outputs_is_refused(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="other outputs"):
        run(monkeypatch, bundle, Points(name="Identity:0"))
    assert not (bundle.path / "model.fake").exists()


def test_bad_options_and_data(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = write_faces(tmp_path)
    with pytest.raises(UsageError, match="needs faces to set its ranges"):
        run(monkeypatch, bundle, Points(), quantize="int8")
    with pytest.raises(UsageError, match="--quantize float16"):
        run(monkeypatch, bundle, Points(), quantize="float16")
    with pytest.raises(InputError, match="'test' is empty") as caught:
        run(monkeypatch, bundle, Points(), csv=csv, split="test")
    assert caught.value.actual == "train, val"
    with pytest.raises(InputError, match="no face to check on"):
        run(monkeypatch, bundle, Points(), csv=csv, root=tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no face to calibrate on"):
        run(monkeypatch, bundle, Points(), quantize="int8", calibrate=csv, root=tmp_path / "no")
    write_card(tiny_card(scheme={"name": "points5", "point_names": list("abcde")}), bundle.path)
    with pytest.raises(UsageError, match="gives points5 points"):
        run(monkeypatch, bundle, Points(), csv=csv)


def test_faces_without_a_label_or_a_picture_are_left_out(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = write_faces(tmp_path, ("val", "val", "val"))
    (tmp_path / "face_0.png").write_bytes(b"")
    samples = read_dataset(csv)
    samples[1] = replace(samples[1], points=np.full_like(samples[1].points, np.nan))
    write_dataset(samples, csv, tmp_path)
    run(monkeypatch, bundle, Points(0.01), csv=csv)
    assert checks(bundle)["compared_on"] == "1 faces of faces.csv, val"


def test_new_weights_drop_the_exports_of_old_ones_and_no_other_file(tmp_path: Path) -> None:
    for name in ("model.onnx", "model.tflite", "model.keras"):
        (tmp_path / name).write_text(name)
    for name in ("openvino", "saved_model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside").write_text(name)
    exports = {
        n: dict(zip(("file", "bytes", "sha256"), (n, *content(tmp_path / n)), strict=True))
        | {"checks": {}, "quantize": "none"}
        for n in ("model.onnx", "model.tflite", "openvino", "saved_model")
    }
    write_card(tiny_card(exports=exports), tmp_path)
    (tmp_path / "saved_model" / "mine.txt").write_text("notes")
    (tmp_path / "model.tflite").write_text("model.tfLite")
    assert [t.name for t in foreign_exports(tmp_path)] == ["model.tflite", "saved_model"]
    drop_exports(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "card.json", "model.keras", "model.tflite", "saved_model",
    ]  # fmt: skip


def test_an_export_s_place_that_the_user_has_is_refused_before_the_work(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bundle.path / "model.fake").write_text("mine")
    with pytest.raises(InputError, match=r"model\.fake: in the way"):
        run(monkeypatch, bundle, Points(0.01))
    assert (bundle.path / "model.fake").read_text() == "mine"


def test_an_export_leaves_the_rest_of_the_card_as_it_is(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = json.loads((bundle.path / "card.json").read_text())
    (bundle.path / "card.json").write_text(json.dumps({**values, "mine": "a note"}))
    run(monkeypatch, bundle, Points(0.01))
    run(monkeypatch, bundle, Points(0.01))
    after = json.loads((bundle.path / "card.json").read_text())
    assert after.pop("exports")["fake"]["file"] == "model.fake"
    assert after == {k: v for k, v in {**values, "mine": "a note"}.items() if k != "exports"}


def test_a_detector_is_judged_by_its_average_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tiny_card(task="detection", input_size=64, strides=(8,), face_box="csv", scheme={})
    write_card(card, tmp_path)
    Image.new("RGB", (64, 64), (90, 90, 90)).save(tmp_path / "a.png")
    samples = [
        Sample(
            tmp_path / "a.png", FACE, np.zeros((0, 2), np.float32), np.zeros(0, bool), "boxes",
            "drawn", split, "a",
        )
        for split in ("train", "val")
    ]  # fmt: skip
    csv = tmp_path / "boxes.csv"
    write_dataset(samples, csv, tmp_path)
    bundle = ModelBundle.open(tmp_path)
    exporter, _ = run(
        monkeypatch, bundle, Boxes(1), Boxes(), quantize="int8", calibrate=csv
    )  # fmt: skip
    assert exporter.calibration[0].shape == (1, 64, 64, 3)
    found = checks(bundle)
    assert (found["average_precision"], found["average_precision_keras"]) == (100, 100)
    with pytest.raises(ModelError, match=r"100\.00 points of average precision"):
        run(monkeypatch, bundle, Boxes(20), Boxes(), quantize="int8", calibrate=csv)
