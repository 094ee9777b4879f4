"""`kpcli inspect`: the pictures it draws, and what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny import tiny_card, write_keras_bundle
from PIL import Image

from kpcli.cli import app
from kpcli.model_bundle import write_card

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "face.png")
    (tmp_path / "empty").mkdir()
    write_card(tiny_card(), tmp_path / "empty")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kpcli", "inspect", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            app.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_filters_maps_heatmaps_and_doubts(run: Run, tmp_path: Path) -> None:
    write_keras_bundle(tmp_path / "bundle")
    code, out, _ = run("bundle", "face.png", "--out", "drawn", "--detector", "whole_image")
    assert code == 0
    names = sorted(p.name for p in (tmp_path / "drawn").glob("[!.]*"))
    assert [Path(line).name for line in out.splitlines()] == names
    features = [n for n in names if n.startswith("features_")]
    assert names == ["face.png", *features, "filters.png", "heatmaps.png"]
    assert len(features) >= 2  # one a resolution
    # 16 kernels, 5 heatmaps: so many tiles with something on them, of 100 pixels with the gap.
    assert tiles(read(tmp_path / "drawn" / "filters.png")) == 16
    assert tiles(read(tmp_path / "drawn" / "heatmaps.png")) == 5
    face = read(tmp_path / "drawn" / "face.png")
    assert face.shape == (768, 768, 3)
    pink = (np.abs(face - [255, 90, 200]).sum(axis=-1) < 30).sum()
    assert pink > 100  # the circles of the expected error


def tiles(sheet: np.ndarray) -> int:
    count = 0
    for y in range(0, sheet.shape[0], 100):
        for x in range(0, sheet.shape[1], 100):
            count += sheet[y : y + 96, x : x + 96].std() > 1
    return count


def test_help(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "--detector" in out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["empty", "face.png"], 2, "--out"),
        (["empty", "none.png", "--out", "o"], 3, "no such file"),
        (["empty", "face.png", "--out", "o", "--detector", "haar"], 3, "no face found"),
        (["empty", "face.png", "--out", "o", "--detector", "whole_image"], 4, "no weights"),
        (["empty", "face.png", "--out", "face.png/o"], 3, "cannot be written"),
        (["nothing", "face.png", "--out", "o"], 4, "not a model bundle"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_arguments(
    run: Run, tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    got, _, err = run(*arguments)
    assert got == code
    assert says in err
    assert not (tmp_path / "o").exists()


def test_a_detectors_bundle_is_refused(run: Run, tmp_path: Path) -> None:
    write_card(tiny_card(task="detection", strides=(8,)), tmp_path / "empty")
    code, _, err = run("empty", "face.png", "--out", "o")
    assert code == 4
    assert "landmarks" in err
