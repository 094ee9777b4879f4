"""`kpcli export`: options, messages, exit codes; the conversions are in tests/contracts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.tiny import tiny_card, write_faces

from kpcli.cli import app
from kpcli.model_bundle import write_card

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Calls ``kpcli export`` in tmp_path, where the bundle ``bundle`` lies (without weights)."""
    (tmp_path / "bundle").mkdir()
    write_card(tiny_card(), tmp_path / "bundle")
    write_faces(tmp_path)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kpcli", "export", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            app.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


def test_help_names_the_targets(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for word in ("onnx", "litert", "openvino", "saved_model", "--quantize", "--calibrate"):
        assert word in out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["bundle"], 2, "--to"),
        (["bundle", "--to", "abacus"], 2, "not one of 'onnx', 'onnx_float', 'litert', 'openvino'"),
        (
            ["bundle", "--to", "onnx", "--quantize", "int4"],
            2,
            "not one of 'none', 'float16', 'int8'",
        ),
        (["bundle", "--to", "saved_model", "--quantize", "int8"], 2, "does not exist"),
        (["bundle", "--to", "onnx", "--quantize", "int8"], 2, "--calibrate"),
        (["bundle", "--to", "onnx", "--csv", "none.csv"], 3, "no such CSV"),
        (["bundle", "--to", "onnx", "--csv", "faces.csv", "--split", "test"], 3, "train, val"),
        (["nothing", "--to", "onnx"], 4, "not a model bundle"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_arguments(run: Run, arguments: list[str], code: int, says: str) -> None:
    got, _, err = run(*arguments)
    assert got == code
    assert says in err
    assert "Traceback" not in err


def test_a_bundle_without_weights(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx", reason="pip install '.[onnx]'")
    code, _, err = run("bundle", "--to", "onnx")
    assert code == 4
    assert "the bundle holds no weights" in err
    assert [p.name for p in (tmp_path / "bundle").iterdir()] == ["card.json"]


def test_a_missing_package_is_named_before_keras_loads(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kpcli.exporters.find_spec", lambda package: None)
    for target in ("onnx", "litert", "openvino"):
        code, _, err = run("bundle", "--to", target)
        assert code == 4
        assert f"pip install '.[{target}]'" in err
