"""Which export runs on which processor, and devices that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.tiny import write_onnx_bundle

from kpcli import runtimes
from kpcli.errors import ModelError, UsageError
from kpcli.runtimes import choice, open_runtime, usable
from kpcli.runtimes.processor import int8_is_fast, int8_verdict, only_by_onnx

X86 = "processor\t: 0\nmodel name\t: some\nflags\t\t: fpu sse4_1 {}\n"


@pytest.mark.parametrize(
    ("text", "fast"),
    [
        (X86.format(""), False),
        (X86.format("avx f16c"), False),
        (X86.format("avx avx2 fma"), True),
        (X86.format("avx2 avx512f avx512_vnni"), True),
        ("Features\t: fp asimd asimddp\n", True),
        ("Features\t: fp asimd\n", False),
    ],
)
def test_int8_is_fast_where_the_processor_multiplies_it(
    text: str, fast: bool, tmp_path: Path
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert int8_is_fast(file) == fast


@pytest.mark.parametrize(
    ("machine", "fast"), [("AMD64", True), ("x86_64", True), ("arm64", True), ("riscv64", False)]
)
def test_where_linux_says_nothing_the_machines_name_does(
    machine: str, fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert int8_verdict(tmp_path / "none") == (fast, f"of a processor {machine}")


def test_float32_comes_first_where_int8_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = write_onnx_bundle(tmp_path / "bundle")
    file = bundle.path / "model_float.onnx"
    file.write_bytes((bundle.path / "model.onnx").read_bytes())
    for fast, order in ((True, ["onnx", "onnx_float"]), (False, ["onnx_float", "onnx"])):
        monkeypatch.setattr(runtimes, "int8_is_fast", lambda fast=fast: fast)
        assert usable(bundle)[:2] == order
    file.unlink()
    assert usable(bundle)[0] == "onnx", "a bundle without it runs as before"


def test_the_choice_is_said_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = write_onnx_bundle(tmp_path / "bundle")
    assert choice(bundle).startswith("onnx of onnx: the first")
    (bundle.path / "model_float.onnx").write_bytes((bundle.path / "model.onnx").read_bytes())
    (tmp_path / "cpuinfo").write_text(X86.format("avx2 avx512_vnni"))
    for file, begins, reason in (
        (tmp_path / "cpuinfo", "onnx of onnx, onnx_float: int8 is fast here", "avx2"),
        (tmp_path / "none", "onnx", "processor"),
    ):
        fast, why = int8_verdict(file)
        monkeypatch.setattr(runtimes, "int8_is_fast", lambda fast=fast: fast)
        monkeypatch.setattr(runtimes, "int8_verdict", lambda fast=fast, why=why: (fast, why))
        assert choice(bundle).startswith(begins)
        assert reason in choice(bundle)


def test_a_device_that_is_not_there_is_refused_with_what_to_install(tmp_path: Path) -> None:
    bundle = write_onnx_bundle(tmp_path / "bundle")
    with pytest.raises(ModelError, match="--device directml: ONNX Runtime has no Dml") as caught:
        open_runtime(bundle, device="directml")
    assert "onnxruntime-directml" in caught.value.next_step
    with pytest.raises(UsageError, match="unknown device 'tpu'"):
        open_runtime(bundle, device="tpu")
    assert open_runtime(bundle, device="cpu").line.endswith("on CPU, float32")


def test_only_onnx_runtime_knows_devices() -> None:
    only_by_onnx("auto")
    only_by_onnx("cpu")
    with pytest.raises(UsageError, match="--device cuda needs ONNX Runtime"):
        only_by_onnx("cuda")
