"""`kpcli eval`: two models on the same faces, groups asked for, boxes that name nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.scored import bundle_of_stand_in, read_metrics, run, sample, write, write_bundle

from kpcli.metrics import paired_difference
from kpcli.schemes import IBUG68
from kpcli.types import FaceBox


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bundle_of_stand_in(tmp_path, monkeypatch)


def test_paired_difference_by_hand() -> None:
    a = np.array([4.0, 6.0, np.inf, 5.0, np.nan])
    b = np.array([3.0, 6.5, 2.0, np.inf, 1.0])
    d = paired_difference(a, b, resamples=2000)
    assert (d.faces, d.mean, d.better) == (2, -0.25, 50.0)
    assert d.interval == (-1.0, 0.5)
    none = paired_difference(np.array([np.inf]), np.array([1.0]))
    assert none.faces == 0
    assert np.isnan([none.mean, *none.interval, none.better]).all()


def test_the_interval_of_the_difference_is_that_of_the_pairs() -> None:
    rng = np.random.default_rng(0)
    a = rng.gamma(4, 1, 300)
    b = a - 0.1 + rng.normal(0, 0.05, 300)
    low, high = paired_difference(a, b).interval
    assert low < -0.1 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.05 / np.sqrt(300), rel=0.15)


def test_two_models_are_compared_face_by_face(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    # The CSV's boxes are 4 pixels to the right of the points' ones: a model of the CSV's boxes
    # errs by 4 / 100 / 0.4 = 10 % more to the right, as the stand-in errs to the right as well.
    faces = [
        replace(sample(tmp_path, name, error), face=FaceBox(44, 30, 144, 130))
        for name, error in (("a", 2.0), ("b", 4.0), ("c", 6.0))
    ]
    table = write(tmp_path, *faces)
    other = write_bundle(tmp_path / "other", IBUG68, face_box="dataset")
    out = tmp_path / "out"
    assert run(monkeypatch, table, "--model", bundle, "--model", other, "--out", out) == 0
    (found,) = json.loads((out / "comparison.json").read_text())
    assert found["difference"] == pytest.approx(10, abs=0.02)
    assert found["interval"] == pytest.approx([10, 10], abs=0.02)
    assert (found["faces"], found["better"], found["missed_a"], found["missed_b"]) == (3, 0, 0, 0)
    assert read_metrics(out)["nme_mean"] == pytest.approx(4, abs=0.02)
    assert read_metrics(out / "model_2")["nme_mean"] == pytest.approx(14, abs=0.02)
    assert f"{other} less {bundle}, on 3 faces that both found: +10.0" in capsys.readouterr().out


def with_attributes(folder: Path, count: int = 40) -> Path:
    faces = [
        sample(
            folder, f"f{i:02}", float(i % 4), subset="ab"[i % 2],
            attributes={"age": str(i), "glasses": str(i % 2), "name": f"n{i}"},
        )
        for i in range(count)
    ]  # fmt: skip
    return write(folder, *faces)


def test_groups_that_are_asked_for(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    table, out = with_attributes(tmp_path), tmp_path / "out"
    asked = ["--by", "age", "--by", "subset", "--by", "yaw", "--by", "glasses"]
    assert run(monkeypatch, table, "--model", bundle, "--out", out, *asked) == 0
    groups = read_metrics(out)["groups"]
    quarters = [name for name in groups if name.startswith("age=")]
    assert quarters == ["age=0 to 9.75", "age=9.75 to 19.5", "age=19.5 to 29.25", "age=29.25 to 39"]
    assert [groups[name]["faces"] for name in quarters] == [10] * 4
    assert groups["subset=a"]["nme_mean"] == pytest.approx(1, abs=0.02)  # of 0 and 2
    assert groups["glasses=1"]["nme_mean"] == pytest.approx(2, abs=0.02)  # of 1 and 3
    low, high = groups["subset=a"]["interval"]
    assert low < 1 < high
    shown = capsys.readouterr().out
    assert "subset=b" in shown
    assert "region" not in shown


def test_what_each_face_has_for_itself_is_no_group(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    table, out = with_attributes(tmp_path, 6), tmp_path / "out"
    assert run(monkeypatch, table, "--model", bundle, "--out", out) == 0
    assert list(read_metrics(out)["attributes"]) == ["glasses=0", "glasses=1"]


@pytest.mark.parametrize(
    ("name", "said"), [("moon", "dataset, subset, group, size, yaw, age"), ("name", "at most 20")]
)
def test_groups_that_there_are_not(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys, name: str, said: str
) -> None:
    table = with_attributes(tmp_path)
    out = tmp_path / "out"
    assert run(monkeypatch, table, "--model", bundle, "--out", out, "--by", name) == 2
    assert said in capsys.readouterr().err


def test_boxes_that_name_no_picture_are_an_error(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    table = write(tmp_path, sample(tmp_path, "a", 2.0), sample(tmp_path, "b", 2.0))
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("file,left,top,right,bottom\nother/x.png,40,30,140,130\n")
    command = (
        table, "--model", bundle, "--out", tmp_path / "out", "--boxes", f"boxes_file:{boxes}",
    )  # fmt: skip
    assert run(monkeypatch, *command) == 3
    said = capsys.readouterr().err
    assert "names none of the 2 pictures" in said
    assert "other/x.png" in said
    assert not (tmp_path / "out").exists()
    boxes.write_text("file,left,top,right,bottom\na.png,40,30,140,130\n")
    assert run(monkeypatch, *command) == 0
    assert read_metrics(tmp_path / "out")["missed"] == 1


def test_whole_pictures_are_found_where_the_model_takes_them(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A face of a quarter of the picture: its tight box and the picture hardly overlap."""
    small = sample(tmp_path, "a", 0.0)
    points = (np.array([20, 20]) + (small.points - np.array([40, 30])) / 2).astype(np.float32)
    table = write(tmp_path, replace(small, points=points))
    out = tmp_path / "out"
    assert run(monkeypatch, table, "--model", bundle, "--out", out, "--boxes", "whole_image") == 0
    assert read_metrics(out)["missed"] == 1
    image = write_bundle(tmp_path / "image", IBUG68, face_box="image")
    for boxes in ("whole_image", "labels"):
        assert run(monkeypatch, table, "--model", image, "--out", out, "--boxes", boxes) == 0
        assert read_metrics(out)["missed"] == 0
    assert read_metrics(out)["box_source"] == "labels: the whole picture"
