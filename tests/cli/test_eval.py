"""`kpcli eval`: the figures and the files of its report; `scored` says how errors are known."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.scored import (
    BOX,
    StandIn,
    bundle_of_stand_in,
    face_shape,
    read_metrics,
    run,
    sample,
    write,
    write_bundle,
)
from PIL import Image

from kpcli.drawing import TRUTH
from kpcli.model_bundle import ModelBundle
from kpcli.schemes import WFLW98, WFLW98_TO_IBUG68
from kpcli.workflows.evaluate import run as evaluate


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bundle_of_stand_in(tmp_path, monkeypatch)


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
    assert {p.name for p in out.glob("[!.]*")} == {
        "metrics.json", "per_face.csv", "ced.png", "worst.png", "report.html"
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


def test_batches_hold_64_faces_at_most(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[StandIn] = []

    class Watched(StandIn):
        def __init__(self, bundle: ModelBundle, runtime: str, tta: str = "none") -> None:
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
