"""`kpcli bench --device-profile`: its table, its files, what it refuses."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers.tiny import tiny_card
from helpers.tiny_tflite import LAYERS, SIDE, write_tflite
from PIL import Image

from kpcli.cli import app
from kpcli.model_bundle import write_card
from kpcli.runtimes.litert_profile import run as profiler

Run = Callable[..., tuple[int, str, str]]

needs_litert = pytest.mark.skipif(
    find_spec("ai_edge_litert") is None, reason="pip install '.[litert]'"
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    write_card(tiny_card(), tmp_path / "empty")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kpcli", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            app.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


@needs_litert
def test_table_csv_and_picture(run: Run, tmp_path: Path) -> None:
    file = write_tflite(tmp_path / "tiny.tflite")
    content = file.read_bytes()
    for _ in range(2):  # the second replaces what the first wrote
        code, out, _ = run(
            "--device-profile", file, "--threads", 1, "--repeats", 1, "--out", "profiled"
        )
        assert code == 0
    assert "LiteRT" in out
    assert "1 thread," in out
    for word in (*LAYERS, "all layers", "whole call", "whole call, not profiled"):
        assert any(line.startswith(word) for line in out.splitlines()), word
    assert "GMac/s" in out
    with (tmp_path / "profiled" / "profile.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["layer"] for row in rows} == set(LAYERS)
    medians = [float(row["median_ms"]) for row in rows]
    assert medians == sorted(medians, reverse=True)
    assert float(rows[-1]["summed"]) == pytest.approx(100, abs=0.01)
    assert all(float(r["least_ms"]) <= float(r["median_ms"]) for r in rows)
    with Image.open(tmp_path / "profiled" / "profile.png") as picture:
        assert picture.width > 800
    assert sorted(p.name for p in tmp_path.glob("profiled/[!.]*")) == ["profile.csv", "profile.png"]
    assert file.read_bytes() == content


@needs_litert
def test_without_out_nothing_is_written(run: Run, tmp_path: Path) -> None:
    write_tflite(tmp_path / "empty" / "model.tflite")
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = run("--device-profile", "empty", "--repeats", 1)
    assert code == 0
    assert "--out" in out
    assert sorted(tmp_path.rglob("*")) == before


@needs_litert
def test_a_card_beside_the_file_tells_an_open_size(run: Run, tmp_path: Path) -> None:
    file = write_tflite(tmp_path / "empty" / "model.tflite", open_size=True)
    code, out, _ = run("--device-profile", file, "--repeats", 1)
    assert code == 0
    assert f"{SIDE}x{SIDE}" in out
    assert "GMac a call" not in out
    shutil.move(file, tmp_path / "alone.tflite")
    code, _, err = run("--device-profile", "alone.tflite")
    assert code == 4
    assert "no fixed size" in err


@needs_litert
def test_the_users_files_stay(run: Run, tmp_path: Path) -> None:
    file = write_tflite(tmp_path / "tiny.tflite")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "profile.png").write_text("mine")
    code, _, err = run("--device-profile", file, "--out", "mine")
    assert code == 3
    assert "profile.png" in err
    assert (tmp_path / "mine" / "profile.png").read_text() == "mine"
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["profile.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--device-profile", "nothing"], 4, "not a model bundle"),
        (["--device-profile", "none.tflite"], 4, "no such file"),
        (["--device-profile", "empty"], 4, "kpcli export empty --to litert"),
        (["--device-profile", "empty/card.json"], 4, "not a .tflite file"),
        (["--device-profile", "empty", "a.png"], 2, "pictures"),
        (["--device-profile", "empty", "--json", "b.json"], 2, "json"),
        (["--out", "profiled"], 2, "device profile"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
@needs_litert
def test_bad_arguments(run: Run, arguments: list[str], code: int, says: str) -> None:
    got, _, err = run(*arguments)
    assert got == code
    assert says in err


def test_a_missing_package_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiler, "find_spec", lambda name: None)
    code, _, err = run("--device-profile", "empty")
    assert code == 4
    assert "pip install 'ai-edge-litert" in err
