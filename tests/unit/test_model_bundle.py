"""Bundles of strangers: odd cards and ways out of the bundle are said, with exit code 4."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from helpers.tiny import tiny_card, write_onnx_bundle

from kpcli.errors import ModelError
from kpcli.model_bundle import CARD, LARGEST_CARD, ModelBundle, embedded_names, write_card
from kpcli.schemes import CELEBA5

NOT_JSON = {
    "empty": "", "null": "null", "list": "[]", "text": '"card"', "cut": '{"name": "a", ',
    "deep": '{"a":' * 10**5, "large": " " * (LARGEST_CARD + 1) + "{}", "digits": "1" * 10**5,
}  # fmt: skip

ODD = {
    "name": ["", 7, None, "\x1b[31mred\x07", "a\rb", "a" * 10**4],
    "task": ["faces", None, 3, ["landmarks"], "detection"],
    "architecture": [None, ""],
    "input_size": [0, -5, 60000, 32.5, True, "abc", None, float("nan")],
    "colour": ["cmyk", None, 1],
    "crop_scale": [0, -1, float("nan"), float("inf"), 1e9, "1", None, True],
    "face_box": ["moon", None, {}],
    "scheme": [{}, "x", [], None, {"name": "a"}, {"name": "a", "point_names": []},
               {"name": "a", "point_names": "abc", "edges": [[0, 3]]},
               {"name": "a", "point_names": [1, 2]}, {"name": "a", "point_names": ["p"] * 10**4},
               {**CELEBA5.to_json(), "flip_order": [0, 0, 1, 2, 3]},
               {**CELEBA5.to_json(), "edges": [[0, 9]]}, {**CELEBA5.to_json(), "edges": [0]},
               {**CELEBA5.to_json(), "regions": {"eyes": [-1]}},
               {**CELEBA5.to_json(), "five": [[0]]}, {**CELEBA5.to_json(), "five": [[0], []] * 2},
               {**CELEBA5.to_json(), "normalisers": {"pupil": [[0]]}},
               {**CELEBA5.to_json(), "default_normaliser": "moon"}],
    "outputs": [[], ["../../etc/passwd"], "points", [1], None, {"points": 1}],
    "strides": [[0], "8", [1.5], [8] * 100, {}],
    "training": [[], "x", {"options": 3}, {"datasets": []}, {"parameters": "many"}],
    "metrics": [[], None],
    "exports": [[], {"onnx": {"file": "../../../../etc/passwd"}}, {"onnx": None},
                {"onnx": {"quantize": "none", "bytes": "x", "checks": {}}}],
    "calibration": [[], {"log_scale_shift": "x"}, {"a": None}, {"a": float("nan")}, {"a": 1e300}],
    "licence": [3, ""],
    "notes": [["a\x1b]0;title\x07"]],
}  # fmt: skip


def folder_with(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / CARD).write_text(text)
    return folder


def refused(folder: Path) -> ModelError:
    with pytest.raises(ModelError) as error:
        ModelBundle.open(folder)
    assert error.value.exit_code == 4
    return error.value


@pytest.mark.parametrize("kind", NOT_JSON)
def test_what_is_no_card(tmp_path: Path, kind: str) -> None:
    error = refused(folder_with(tmp_path / "b", NOT_JSON[kind]))
    assert "damaged model card" in error.what
    assert error.next_step


@pytest.mark.parametrize(("field", "value"), [(k, v) for k, vs in ODD.items() for v in vs])
def test_odd_values_are_named(tmp_path: Path, field: str, value: Any) -> None:
    values = {**asdict(tiny_card()), field: value}
    error = refused(folder_with(tmp_path / "b", json.dumps(values)))
    assert field in error.actual or (field, value) == ("task", "detection")


def test_nesting_has_an_end(tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(50):
        deep = {"a": deep}
    error = refused(
        folder_with(tmp_path / "b", json.dumps({**asdict(tiny_card()), "training": deep}))
    )
    assert "nested too deep" in error.actual


@pytest.mark.parametrize("name", embedded_names())
def test_our_own_cards_are_sound(name: str) -> None:
    assert ModelBundle.open(name).card.face_box == "landmarks"


@pytest.mark.parametrize(
    ("old", "new"), [("csv", "dataset"), ("file", "dataset"), ("image", "image")]
)
def test_kinds_of_boxes_by_their_earlier_names(tmp_path: Path, old: str, new: str) -> None:
    write_card(tiny_card(face_box=old), tmp_path)
    assert ModelBundle.open(tmp_path).card.face_box == new


def test_a_name_that_is_not_utf8_is_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    write_card(tiny_card(training={"options": {"csv": name}}), tmp_path)
    assert ModelBundle.open(tmp_path).card.training["options"]["csv"] == name


def test_a_runs_folder_names_the_bundle_in_it(tmp_path: Path) -> None:
    write_card(tiny_card(), tmp_path / "run" / "model")
    error = refused(tmp_path / "run")
    assert error.next_step == f"use {tmp_path / 'run' / 'model'}"


def test_links_out_of_the_bundle_are_not_followed(tmp_path: Path) -> None:
    bundle = write_onnx_bundle(tmp_path / "b")
    moved = tmp_path / "elsewhere.onnx"
    (bundle.path / "model.onnx").rename(moved)
    (bundle.path / "model.onnx").symlink_to(moved)
    with pytest.raises(ModelError, match="leads out of the bundle"):
        bundle.file("model.onnx")
    link = tmp_path / "linked"
    link.symlink_to(bundle.path)
    moved.rename(bundle.path / "real.onnx")
    (bundle.path / "model.onnx").unlink()
    (bundle.path / "model.onnx").symlink_to("real.onnx")
    assert ModelBundle.open(link).file("model.onnx").is_file()


def test_a_pipe_is_no_weights(tmp_path: Path) -> None:
    write_card(tiny_card(), tmp_path)
    os.mkfifo(tmp_path / "model.keras")
    with pytest.raises(ModelError, match="neither a file nor a folder"):
        _ = ModelBundle.open(tmp_path).weights
