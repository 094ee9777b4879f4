"""Which runtime opens a bundle, and what is said when none can."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny import crops, tiny_card, write_onnx_bundle

from kpcli import runtimes
from kpcli.catalogue import RUNTIMES
from kpcli.errors import ModelError, UsageError
from kpcli.inference.predictor import Predictor
from kpcli.model_bundle import ModelBundle, write_card
from kpcli.runtimes import open_runtime, usable

pytest.importorskip("onnx", reason="pip install '.[onnx]'")

SCRIPT = """
import sys
import numpy as np
from kpcli.model_bundle import ModelBundle
from kpcli.inference.predictor import Predictor
predictor = Predictor(ModelBundle.open(sys.argv[1]))
faces = predictor.predict(np.zeros((2, 32, 32, 3), np.uint8))
print(predictor.runtime_line)
print(faces.unit.shape)
print("heavy:", *[m for m in ("tensorflow", "keras", "torch", "jax", "pandas") if m in sys.modules])
"""


def fake_files(folder: Path, *names: str) -> ModelBundle:
    folder.mkdir()
    for name in names:
        file = folder / RUNTIMES.load(name).FILE
        if file.suffix:
            file.touch()
        else:
            file.mkdir()
    write_card(tiny_card(), folder)
    return ModelBundle.open(folder)


def test_onnx_needs_no_tensorflow(tmp_path: Path) -> None:
    write_onnx_bundle(tmp_path / "bundle")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "bundle")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    line, shape, heavy = done.stdout.splitlines()
    assert line.startswith("ONNX Runtime ")
    assert line.endswith("on CPU, float32")
    assert shape == "(2, 5, 2)"
    assert heavy == "heavy:"


def test_usable_are_those_with_a_file_and_a_library_in_the_tables_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = fake_files(tmp_path / "all", *RUNTIMES)
    packages = {RUNTIMES.load(name).PACKAGE: name for name in RUNTIMES}
    missing: set[str] = set()
    monkeypatch.setattr(
        runtimes, "find_spec", lambda package: None if packages[package] in missing else object()
    )
    assert usable(bundle) == list(RUNTIMES)
    missing.add("litert")
    assert usable(bundle) == [name for name in RUNTIMES if name != "litert"]
    only = fake_files(tmp_path / "keras_only", "keras")
    assert usable(only) == ["keras"]


def test_auto_takes_the_first_usable_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = write_onnx_bundle(tmp_path / "bundle")
    runtime = open_runtime(bundle)
    assert type(runtime).__name__ == "OnnxRuntime"
    assert np.isfinite(runtime.run(crops(3))["points"]).all()
    monkeypatch.setattr(runtimes, "find_spec", lambda package: None)
    with pytest.raises(ModelError, match="no weights that can be run here"):
        open_runtime(bundle)


def test_a_missing_export_names_the_command_that_makes_it(tmp_path: Path) -> None:
    bundle = write_onnx_bundle(tmp_path / "bundle")
    with pytest.raises(ModelError, match=r"holds no model\.tflite") as caught:
        Predictor(bundle, "litert")
    assert f"kpcli export {bundle.path} --to litert" in caught.value.next_step


def test_a_missing_library_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = fake_files(tmp_path / "bundle", "openvino")
    monkeypatch.setattr(runtimes, "find_spec", lambda package: None)
    with pytest.raises(ModelError, match="not installed") as caught:
        open_runtime(bundle, "openvino")
    assert caught.value.next_step == "pip install openvino"


def test_an_unknown_runtime_names_those_there_are(tmp_path: Path) -> None:
    bundle = write_onnx_bundle(tmp_path / "bundle")
    with pytest.raises(UsageError, match="unknown runtime 'abacus'") as caught:
        open_runtime(bundle, "abacus")
    assert caught.value.expected == ", ".join(RUNTIMES)


@pytest.mark.parametrize("name", list(RUNTIMES))
def test_tables_name_real_packages(name: str) -> None:
    module = RUNTIMES.load(name)
    if find_spec(module.PACKAGE) is None:
        pytest.skip(f"{module.INSTALL} is not installed")
    assert module.PACKAGE.replace("_", "-") == module.INSTALL
