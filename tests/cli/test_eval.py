"""`kpcli eval` on drawn pictures, with a stand-in for the model whose error is known.

Every face has the same 68 points in its box, and its picture is one shade of gray. The stand-in
finds those points, moved to the right by ``shade / 1000`` of the box's side: each face's error
follows from its shade.
"""

from __future__ import annotations

import csv
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
from kpcli.drawing import TRUTH
from kpcli.geometry import REFERENCE_FIVE
from kpcli.model_bundle import ModelBundle, ModelCard, write_card
from kpcli.predictor import PredictedFaces
from kpcli.schemes import IBUG68, WFLW98, WFLW98_TO_IBUG68, LandmarkScheme
from kpcli.types import FaceBox, Sample
from kpcli.workflows import evaluate

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

    def __init__(self, bundle: ModelBundle, runtime: str) -> None:
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


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle's folder; the stand-in is what opens it."""
    monkeypatch.setattr(evaluate, "Predictor", StandIn)
    return write_bundle(tmp_path / "bundle", IBUG68)


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


def test_the_report_has_the_figures_computed_by_hand(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    table = write(
        tmp_path,
        sample(tmp_path, "a", 2, subset="common", attributes={"pose": "0"}),
        sample(tmp_path, "b", 4, subset="common", attributes={"pose": "0"}),
        sample(tmp_path, "c", 6, subset="challenging", attributes={"pose": "1"}),
        sample(tmp_path, "d", 10, subset="challenging", attributes={"pose": "0"}),
        sample(tmp_path, "other", 20, split="train"),
    )
    assert run(monkeypatch, table, "--model", bundle, "--out", out) == 0

    values = read_metrics(out)
    assert list(values)[:6] == ["protocol", "boxes", "split", "faces", "missed", "nme_mean"]
    assert (values["protocol"], values["boxes"], values["split"]) == ("ocular", "labels", "test")
    assert (values["faces"], values["missed"], values["cut"]) == (4, 0, 8)
    assert values["nme_mean"] == pytest.approx(5.5, abs=0.01)
    assert values["nme_median"] == pytest.approx(5, abs=0.01)
    assert values["failure_rate"] == 25
    # (1 - 2/8 + 1 - 4/8 + 1 - 6/8 + 0) / 4 = 37.5 %.
    assert values["auc"] == pytest.approx(37.5, abs=0.15)
    assert values["interval"][0] < 5.5 < values["interval"][1]

    subsets = values["subsets"]
    assert list(subsets) == ["challenging", "common"]
    assert subsets["common"]["faces"] == 2
    assert subsets["common"]["nme_mean"] == pytest.approx(3, abs=0.01)
    assert subsets["challenging"]["failure_rate"] == 50
    assert values["attributes"]["pose=0"]["faces"] == 3
    assert values["attributes"]["pose=1"]["nme_mean"] == pytest.approx(6, abs=0.01)
    assert set(values["regions"]) == {"jaw", "brows", "nose", "eyes", "mouth"}
    # The whole face is moved, so every region has the same error.
    assert values["regions"]["nose"]["nme_mean"] == pytest.approx(5.5, abs=0.01)
    assert list(values["sizes"]) == ["96-128 px"]
    assert values["sizes"]["96-128 px"]["faces"] == 4

    printed = capsys.readouterr().out
    assert "runs by auto" in printed
    assert "distance of points 36 and 45" in printed
    rows = {line.split("  ")[0]: line.split() for line in printed.splitlines()}
    assert rows["all faces"][2:6] == ["4", "0", "5.50", "5.00"]
    assert rows["subset common"][2:4] == ["2", "0"]


def test_the_reports_files(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    faces = [sample(tmp_path, f"f{i}", i % 12) for i in range(30)]
    assert run(monkeypatch, write(tmp_path, *faces), "--model", bundle, "--out", out) == 0
    assert {p.name for p in out.iterdir()} == {
        "metrics.json", "per_face.csv", "ced.png", "worst.png"
    }  # fmt: skip

    with (out / "per_face.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    by_name = {Path(row["image"]).stem: row for row in rows}
    assert len(by_name) == 30
    assert float(by_name["f7"]["nme"]) == pytest.approx(7, abs=0.01)
    assert float(by_name["f7"]["nme_jaw"]) == pytest.approx(7, abs=0.01)
    assert float(by_name["f7"]["confidence"]) == 0.75
    assert [float(by_name["f7"][k]) for k in ("left", "top", "right", "bottom")] == [
        40, 30, 140, 130,
    ]  # fmt: skip

    with Image.open(out / "worst.png") as sheet:
        assert sheet.size == (6 * 228 - 4, 4 * 228 - 4)  # 24 tiles of 224 with gaps of 4
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    blue = np.abs(pixels - TRUTH).sum(axis=2) < 60
    for row in range(4):
        for column in range(6):
            tile = blue[row * 228 : row * 228 + 224, column * 228 : column * 228 + 224]
            assert tile.sum() > 50  # the truth is drawn on every tile
    with Image.open(out / "ced.png") as plot:
        assert plot.width > 500
        colours = plot.convert("RGB").getcolors(1 << 20)
    assert colours is not None
    assert max(count for count, _ in colours) < plot.width * plot.height * 0.99


def test_missed_faces_are_failures(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The detector whole_image frames the picture: it covers a label's box by more than 40 %
    # only in the second one, whose box is larger.
    small = sample(tmp_path, "small", 2)
    large_box = FaceBox(10, 5, 160, 155)
    large = replace(
        sample(tmp_path, "large", 0),
        face=large_box,
        points=(np.array([10, 5]) + face_shape() * 150).astype(np.float32),
    )
    out = tmp_path / "out"
    table = write(tmp_path, small, large)
    code = run(monkeypatch, table, "--model", bundle, "--boxes", "whole_image", "--out", out)
    assert code == 0
    values = read_metrics(out)
    assert (values["boxes"], values["faces"], values["missed"]) == ("whole_image", 2, 1)
    # The stand-in puts the shape into the picture's square, 180 wide and centred at (89.5, 79.5).
    truth = large.points
    found = np.array([89.5, 79.5]) + (face_shape() - 0.5) * 180
    by_hand = 100 * np.linalg.norm(found - truth, axis=1).mean() / (EYES * 150)
    assert values["nme_mean"] == pytest.approx(by_hand, abs=0.01)
    assert values["failure_rate"] == (100 if by_hand > 8 else 50)
    with (out / "per_face.csv").open(newline="") as file:
        missed = {Path(r["image"]).stem: (r["missed"], r["nme"]) for r in csv.DictReader(file)}
    assert missed["small"] == ("1", "")
    assert missed["large"][0] == "0"


def test_if_all_are_missed_the_json_holds_null(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    table = write(tmp_path, sample(tmp_path, "a", 2), sample(tmp_path, "b", 3))
    code = run(monkeypatch, table, "--model", bundle, "--boxes", "whole_image", "--out", out)
    assert code == 0
    values = read_metrics(out)
    assert (values["faces"], values["missed"]) == (2, 2)
    assert values["nme_mean"] is None
    assert values["nme_median"] is None
    assert values["interval"] == [None, None]
    assert values["failure_rate"] == 100
    assert values["auc"] == 0
    assert (out / "worst.png").is_file()
    assert "nan" not in capsys.readouterr().out.lower()


def test_batches_hold_64_faces_at_most(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[StandIn] = []

    class Watched(StandIn):
        def __init__(self, bundle: ModelBundle, runtime: str) -> None:
            super().__init__(bundle, runtime)
            opened.append(self)

    monkeypatch.setattr(evaluate, "Predictor", Watched)
    # 130 faces in three pictures.
    pictures = [sample(tmp_path, name, 4) for name in "abc"]
    faces = [replace(pictures[i % 3], group=str(i)) for i in range(130)]
    out = tmp_path / "out"
    assert run(monkeypatch, write(tmp_path, *faces), "--model", bundle, "--out", out) == 0
    assert opened[0].batches == [64, 64, 2]
    assert read_metrics(out)["nme_mean"] == pytest.approx(4, abs=0.01)


def test_protocol_box_and_another_cut(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Moved by 4 % of the eyes' distance of 0.4 box sides: 1.6 % of the box.
    out = tmp_path / "out"
    table = write(tmp_path, sample(tmp_path, "a", 4))
    arguments = (table, "--model", bundle, "--out", out, "--protocol", "box")
    assert run(monkeypatch, *arguments) == 0
    values = read_metrics(out)
    assert values["nme_mean"] == pytest.approx(1.6, abs=0.01)
    assert (values["cut"], values["failure_rate"]) == (7, 0)
    assert run(monkeypatch, *arguments, "--cut", "1.5") == 0
    assert (read_metrics(out)["cut"], read_metrics(out)["failure_rate"]) == (1.5, 100)


def test_boxes_are_of_the_kind_the_model_was_trained_on(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The CSV's box is not the points' box: 20 pixels to the right of it, which is the shift
    # of a model that was trained on the CSV's boxes: 20 / 100 / 0.4 = 50 % of the eyes' distance.
    moved = FaceBox(BOX.left + 20, BOX.top, BOX.right + 20, BOX.bottom)
    table = write(tmp_path, sample(tmp_path, "a", 0, face=moved))
    out = tmp_path / "out"
    assert run(monkeypatch, table, "--model", bundle, "--out", out) == 0
    assert read_metrics(out)["nme_mean"] == pytest.approx(0, abs=0.01)
    other = write_bundle(tmp_path / "csv_boxes", IBUG68, face_box="csv")
    assert run(monkeypatch, table, "--model", other, "--out", out) == 0
    assert read_metrics(out)["nme_mean"] == pytest.approx(50, abs=0.01)
    assert read_metrics(out)["box_source"] == "labels: the CSV's box"


def test_a_98_point_model_is_scored_on_68_points(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = face_shape(WFLW98)[list(WFLW98_TO_IBUG68)]
    points = (np.array([BOX.left, BOX.top]) + shape * BOX.side).astype(np.float32)
    table = write(tmp_path, sample(tmp_path, "a", 0, points=points))
    model = write_bundle(tmp_path / "wflw", WFLW98, face_box="csv")
    out = tmp_path / "out"
    assert run(monkeypatch, table, "--model", model, "--out", out) == 0
    assert read_metrics(out)["scheme"] == "ibug68"
    assert read_metrics(out)["nme_mean"] == pytest.approx(0, abs=0.01)


def test_a_68_point_model_cannot_be_scored_on_98(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    points = (np.array([BOX.left, BOX.top]) + face_shape(WFLW98) * BOX.side).astype(np.float32)
    face = sample(tmp_path, "a", 0, points=points, visible=np.ones(98, bool), scheme="wflw98")
    out = tmp_path / "out"
    assert run(monkeypatch, write(tmp_path, face), "--model", bundle, "--out", out) == 2
    assert "--scheme ibug68" in capsys.readouterr().err
    assert not out.exists()


def test_a_missing_picture_is_named_and_the_rest_is_scored(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = write(tmp_path, sample(tmp_path, "here", 4), sample(tmp_path, "gone", 4))
    (tmp_path / "pictures" / "gone.png").unlink()
    out = tmp_path / "out"
    assert run(monkeypatch, table, "--model", bundle, "--out", out) == 5
    values = read_metrics(out)
    assert (values["faces"], values["missed"], values["unreadable"]) == (1, 0, 1)
    assert "gone.png" in capsys.readouterr().out
    (tmp_path / "pictures" / "here.png").write_bytes(b"")
    assert run(monkeypatch, table, "--model", bundle, "--out", tmp_path / "none") == 3
    assert not (tmp_path / "none").exists()


def test_faces_without_eyes_are_counted_apart(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    blind = sample(tmp_path, "blind", 4)
    points = blind.points.copy()
    points[36] = np.nan
    nothing = sample(tmp_path, "nothing", 4, points=np.full((68, 2), np.nan, np.float32))
    out = tmp_path / "out"
    table = write(tmp_path, sample(tmp_path, "a", 4), replace(blind, points=points), nothing)
    assert run(monkeypatch, table, "--model", bundle, "--out", out) == 5
    values = read_metrics(out)
    assert (values["faces"], values["unscored"], values["unreadable"]) == (1, 1, 1)
    assert "1 faces lack the points that ocular needs" in capsys.readouterr().out


def test_an_empty_split_names_those_there_are(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = write(tmp_path, sample(tmp_path, "a", 4), sample(tmp_path, "b", 4, split="train"))
    assert run(monkeypatch, table, "--split", "val", "--model", bundle) == 3
    error = capsys.readouterr().err
    assert "test (1 rows)" in error
    assert "train (1 rows)" in error


@pytest.mark.parametrize(
    ("option", "value", "code", "says"),
    [
        ("--protocol", "nose", 2, "ocular, pupil, box"),
        ("--boxes", "nobody", 2, "whole_image"),
        ("--cut", "0", 2, "above 0"),
        ("--model", "no_such_bundle", 4, "not a model bundle"),
        ("--root", "/nowhere", 3, "--root"),
    ],
)
def test_bad_options(
    option: str, value: str, code: int, says: str, tmp_path: Path, bundle: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    table = write(tmp_path, sample(tmp_path, "a", 4))
    out = tmp_path / "out"
    arguments = (table, "--model", bundle, "--out", out, option, value)
    assert run(monkeypatch, *arguments) == code
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_a_csv_of_boxes_is_no_input(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    face = sample(
        tmp_path, "a", 4, points=np.zeros((0, 2), np.float32), visible=np.zeros(0, bool),
        scheme="boxes",
    )  # fmt: skip
    assert run(monkeypatch, write(tmp_path, face), "--model", bundle) == 3
    assert "no landmarks" in capsys.readouterr().err


def test_a_detectors_bundle_is_no_landmark_model(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = write_bundle(tmp_path / "detector", IBUG68, task="detection")
    table = write(tmp_path, sample(tmp_path, "a", 4))
    assert run(monkeypatch, table, "--model", model) == 4
    assert "'detection'" in capsys.readouterr().err


def test_the_report_goes_beside_the_caller_unless_told(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = write(tmp_path, sample(tmp_path, "a", 4))
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, table, "--model", bundle) == 0
    assert read_metrics(tmp_path / "eval_faces_test")["faces"] == 1
    assert "eval_faces_test" in capsys.readouterr().out


def test_an_unwritable_report_folder(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the faces were predicted first")

    monkeypatch.setattr(evaluate, "measure", never)
    table = write(tmp_path, sample(tmp_path, "a", 4))
    (tmp_path / "file").write_text("")
    code = run(monkeypatch, table, "--model", bundle, "--out", tmp_path / "file" / "out")
    assert code == 3
    assert "--out" in capsys.readouterr().err
