"""`kpcli info`: the card in words, without TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from helpers.tiny import tiny_card

from kpcli.cli import app
from kpcli.model_bundle import ModelBundle, write_card
from kpcli.options import TrainOptions
from kpcli.workflows import info as workflow

Run = Callable[..., tuple[int, list[str], str]]

ENTRY = {
    "file": "model.onnx", "quantize": "int8", "bytes": 1_530_000,
    "checks": {"compared_on": "9 faces of a.csv, val", "max_deviation_px": 1.25, "nme": 3.123456},
}  # fmt: skip


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, list[str], str]:
        monkeypatch.setattr(sys, "argv", ["kpcli", "info", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            app.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out.splitlines(), err

    return call


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    options = asdict(TrainOptions(csv=Path("a.csv"), out=Path("r"), epochs=77))
    card = tiny_card(
        licence="for research only",
        training={
            "faces": 12, "datasets": {"drawn": 12}, "validation_faces": 3, "parameters": 12345,
            "options": {k: str(v) if isinstance(v, Path) else v for k, v in options.items()},
        },
        metrics={"validation": {"protocol": "pupil", "nme_mean": 3.14159, "failure_rate": None}},
        exports={"onnx": ENTRY, "litert": ENTRY},
        notes=("lost in profile", "and in the dark"),
    )  # fmt: skip
    write_card(card, tmp_path)
    (tmp_path / "model.onnx").touch()
    (tmp_path / "openvino").mkdir()
    return tmp_path


def test_the_card_in_words(run: Run, bundle: Path) -> None:
    code, lines, _ = run(bundle)
    assert code == 0
    assert lines[0] == "tiny: landmarks, celeba5, none, 12,345 parameters"
    facts = {line[2:16].strip(): line[16:] for line in lines[1:]}
    assert facts["input"].startswith("32 x 32 rgb")
    assert "1 times the dataset's face box" in facts["input"]
    assert facts["data"] == "12 faces (drawn 12), 3 more to validate"
    assert facts["options"] == "csv a.csv, out r, epochs 77"  # what is not the default
    assert facts["terms"] == "for research only"
    assert facts["figures"] == "validation: protocol pupil, nme_mean 3.142"
    assert facts["weak spots"] == "lost in profile"
    assert lines[-1].strip() == "and in the dark"


def test_exports_are_those_that_are_there(run: Run, bundle: Path) -> None:
    _, lines, _ = run(bundle)
    exports = [
        line[16:] for line in lines if "onnx:" in line or "tflite" in line or "openvino:" in line
    ]
    assert exports == [
        "onnx: model.onnx, int8, 1.53 MB; compared_on 9 faces of a.csv, val, "
        "max_deviation_px 1.25, nme 3.123",
        "openvino: openvino, unchecked",
    ]


def test_without_a_name_it_lists_what_is_embedded(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = ModelBundle.open(bundle)
    monkeypatch.setattr(workflow, "embedded_names", lambda: ["small", "wider"])
    monkeypatch.setattr(ModelBundle, "open", classmethod(lambda cls, name: opened))
    code, lines, _ = run()
    assert code == 0
    assert lines[0] == "small  landmarks, celeba5, none, 12,345 parameters"
    assert lines[1].startswith("wider  ")
    monkeypatch.setattr(workflow, "embedded_names", list)
    assert "kpcli train" in run()[1][0]


def test_no_such_model(run: Run, tmp_path: Path) -> None:
    code, _, err = run("no_such_model")
    assert code == 4
    assert "not a model bundle" in err
    (tmp_path / "card.json").write_text("{")
    code, _, err = run(tmp_path)
    assert code == 4
    assert "damaged model card" in err


def test_it_loads_no_tensorflow(bundle: Path) -> None:
    script = (
        "import sys; from kpcli.workflows.info import info; info(sys.argv[1])\n"
        "print('loaded', *[m for m in ('tensorflow', 'keras', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(bundle)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].strip() == "loaded"
