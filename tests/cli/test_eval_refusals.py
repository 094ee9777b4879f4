"""`kpcli eval`: what it refuses, and what it leaves out and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.scored import (
    BOX,
    bundle_of_stand_in,
    face_shape,
    read_metrics,
    run,
    sample,
    write,
    write_bundle,
)

from kpcli.schemes import IBUG68, WFLW98
from kpcli.workflows.evaluate import run as evaluate


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bundle_of_stand_in(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("option", "value", "code", "says"),
    [
        ("--protocol", "nose", 2, "not one of 'ocular', 'pupil', 'box'"),
        ("--boxes", "nobody", 2, "whole_image"),
        ("--detect-size", "10", 2, "detect-size"),
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


def test_a_detectors_bundle_is_no_landmark_model(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = write_bundle(tmp_path / "detector", IBUG68, task="detection", strides=(8,))
    table = write(tmp_path, sample(tmp_path, "a", 4))
    assert run(monkeypatch, table, "--model", model) == 4
    assert "'detection'" in capsys.readouterr().err


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
