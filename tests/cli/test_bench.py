"""`kpcli bench`: its table, its JSON, what it refuses. No figure is tested against a limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.tiny import tiny_card, write_onnx_bundle
from PIL import Image

from kpcli.cli import app
from kpcli.model_bundle import write_card

pytest.importorskip("onnx", reason="pip install '.[onnx]'")

Run = Callable[..., tuple[int, str, str]]
PARTS = [
    ("kpcli --version", ""),
    ("detector", "whole_image"),
    ("process to first face", "onnx"),
    ("model, batch 1", "onnx"),
    ("model, batch 16", "onnx"),
    ("annotate, whole process", "onnx"),
]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    write_onnx_bundle(tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kpcli", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            app.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


def test_table_and_json_hold_every_part(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (60, 50), (120, 90, 60)).save(tmp_path / "in" / name)
    code, out, _ = run(
        "in", "--model", "bundle", "--detector", "whole_image", "--repeats", 2, "--json", "b.json"
    )
    assert code == 0
    values = json.loads((tmp_path / "b.json").read_text())
    assert [(t["part"], t["runtime"]) for t in values["timings"]] == PARTS
    assert all(0 < t["least_ms"] <= t["median_ms"] for t in values["timings"])
    assert values["pictures"] == ["in"]
    (choice,) = values["choices"]
    assert choice.startswith("bundle: onnx of onnx")
    assert choice in out
    for part, runtime in PARTS:
        assert any(line.startswith(part) and runtime in line for line in out.splitlines())
    assert "ONNX Runtime" in out
    assert sorted(p.name for p in tmp_path.glob("[!.]*")) == ["b.json", "bundle", "in"]


def test_help(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "--json" in out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--repeats", "0"], 2, "repeats"),
        (["--model", "nothing"], 4, "not a model bundle"),
        (["--model", "bundle", "none.png"], 3, "no such file"),
        (["--model", "bundle", "bundle"], 3, "no pictures"),
        (["--model", "bundle", "--detector", "abacus"], 2, "whole_image"),
        (["--model", "bundle", "--json", "bundle/card.json/x"], 3, "cannot be written"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_arguments(run: Run, arguments: list[str], code: int, says: str) -> None:
    got, _, err = run(*arguments)
    assert got == code
    assert says in err


def test_a_detectors_bundle_is_refused(run: Run, tmp_path: Path) -> None:
    write_card(tiny_card(task="detection", strides=(8,)), tmp_path / "bundle")
    code, _, err = run("--model", "bundle")
    assert code == 4
    assert "landmarks" in err


@pytest.mark.skipif(os.name != "posix", reason="ends a process by a signal")
def test_a_part_that_a_signal_ends_is_said_so(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    dies = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    run_process = subprocess.run

    def deadly(command: list[str], **settings: Any) -> Any:
        return run_process(dies if "-m" in command else command, **settings)

    monkeypatch.setattr(subprocess, "run", deadly)
    code, _, err = run("--model", "bundle", "--detector", "whole_image", "--repeats", 1)
    assert code == 4
    assert "kpcli --version fails with kpcli" in err
    assert "ended by signal 9" in err
