"""What every entry of `EXPORTERS` and `RUNTIMES` keeps, on a model built here."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny import SIZE, crops, write_keras_bundle

from kpcli.catalogue import EXPORTERS, RUNTIMES
from kpcli.errors import ModelError
from kpcli.model_bundle import CARD, WEIGHTS, ModelBundle
from kpcli.options import ExportOptions
from kpcli.plug_ins import ExporterModule, RuntimeModule
from kpcli.runtimes import open_runtime, usable
from kpcli.runtimes.keras_runtime import KerasRuntime
from kpcli.workflows.export.run import export

NEEDS = {
    "onnx": ("onnx", "tf2onnx"),
    "litert": ("ai_edge_litert",),
    "openvino": ("openvino", "onnx", "tf2onnx"),
    "saved_model": ("tensorflow",),
}


def need(target: str) -> None:
    for package in NEEDS.get(target, ()):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install '.[{target}]'")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    """The bundle; each target's export is added by the first test that asks for it."""
    return write_keras_bundle(tmp_path_factory.mktemp("exports") / "bundle")


@pytest.fixture(scope="module")
def expected(whole: ModelBundle) -> dict[str, np.ndarray]:
    return KerasRuntime(whole.weights).run(crops(7))


@pytest.fixture(scope="module", params=list(EXPORTERS))
def exported(request: pytest.FixtureRequest, whole: ModelBundle) -> str:
    need(request.param)
    export(ExportOptions(bundle=str(whole.path), to=request.param), say=lambda _: None)
    return str(request.param)


def in_pixels(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a - b, axis=-1) * SIZE / 2


def test_the_export_answers_as_keras_does(
    exported: str, whole: ModelBundle, expected: dict[str, np.ndarray]
) -> None:
    exporter: ExporterModule = EXPORTERS.load(exported)
    found = exporter.open_export(whole.path / exporter.FILE).run(crops(7))
    assert set(found) == {"points", "log_scale", "face_logit"}
    assert in_pixels(found["points"], expected["points"]).max() < 0.001
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4)


def test_the_card_tells_of_it(exported: str, whole: ModelBundle) -> None:
    entry = ModelBundle.open(whole.path).card.exports[exported]
    export = whole.path / entry["file"]
    files = [export] if export.is_file() else [p for p in export.rglob("*") if p.is_file()]
    assert entry["bytes"] == sum(p.stat().st_size for p in files)
    assert entry["quantize"] == "none"
    assert entry["checks"]["compared_on"] == "32 drawn crops"
    assert entry["checks"]["mean_deviation_px"] <= entry["checks"]["max_deviation_px"] < 0.001


def test_nothing_else_is_left_in_the_bundle(exported: str, whole: ModelBundle) -> None:
    exports = {EXPORTERS.load(name).FILE for name in EXPORTERS}
    assert {p.name for p in whole.path.iterdir()} <= {CARD, WEIGHTS, *exports}


@pytest.mark.parametrize(
    ("target", "quantize"),
    [(name, q) for name in EXPORTERS for q in EXPORTERS.load(name).QUANTIZE if q != "none"],
)
def test_small_weights_are_smaller_and_close(
    target: str, quantize: str, whole: ModelBundle, expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    need(target)
    exporter: ExporterModule = EXPORTERS.load(target)
    path = tmp_path / exporter.FILE
    if not path.suffix:
        path.mkdir()
    exporter.export(whole.weights, path, quantize=quantize, calibration=[crops(16)])
    found = exporter.open_export(path).run(crops(7))
    off = in_pixels(found["points"], expected["points"])
    assert 0 < off.max() < {"float16": 0.05, "int8": 1.0}[quantize]
    np.testing.assert_allclose(found["log_scale"], expected["log_scale"], atol=0.05)


@pytest.mark.parametrize("name", list(RUNTIMES))
def test_any_batch_gives_each_crop_its_own_answer(
    name: str, whole: ModelBundle, expected: dict[str, np.ndarray]
) -> None:
    need(name)
    if name != "keras" and name not in usable(whole):
        export(ExportOptions(bundle=str(whole.path), to=name), say=lambda _: None)
    runtime = open_runtime(whole, name, threads=1)
    assert "on " in runtime.line
    for count in (1, 5, 2, 7):
        found = runtime.run(crops(7)[:count])
        assert {k: v.shape for k, v in found.items()} == {
            k: (count, *v.shape[1:]) for k, v in expected.items()
        }
        assert all(v.dtype == np.float32 for v in found.values())
        for key, values in found.items():
            np.testing.assert_allclose(values, expected[key][:count], atol=1e-4)


@pytest.mark.parametrize("name", list(RUNTIMES))
def test_a_damaged_export_is_a_model_error(name: str, tmp_path: Path) -> None:
    need(name)
    module: RuntimeModule = RUNTIMES.load(name)
    path = tmp_path / module.FILE
    if path.suffix:
        path.write_bytes(b"no model")
    else:
        path.mkdir()
        (path / "model.xml").write_text("<net>")
    with pytest.raises(ModelError, match="cannot be loaded"):
        module.create(path)


@pytest.mark.parametrize("name", [n for n in RUNTIMES if n != "keras"])
def test_a_runtime_reads_what_its_exporter_writes(name: str) -> None:
    assert RUNTIMES.load(name).FILE == EXPORTERS.load(name).FILE
