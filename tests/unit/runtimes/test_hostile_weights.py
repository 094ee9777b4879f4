"""Weights of strangers: nothing is read beside them, and no bomb is unpacked."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
from helpers.tiny import N, crops, write_keras_bundle, write_onnx_bundle
from onnx import TensorProto, helper, numpy_helper

from kpcli.errors import ModelError
from kpcli.model_bundle import ModelBundle, ModelCard, write_card
from kpcli.runtimes import keras_check, open_runtime
from kpcli.runtimes.keras_runtime import load_model
from kpcli.runtimes.onnx_check import has_external_data
from kpcli.schemes import IBUG68


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> bytes:
    return write_keras_bundle(tmp_path_factory.mktemp("sound") / "b").weights.read_bytes()


def rebuilt(sound: bytes, path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(io.BytesIO(sound)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def refused(path: Path, text: str) -> None:
    with pytest.raises(ModelError, match=text) as error:
        load_model(path)
    assert error.value.exit_code == 4
    assert error.value.next_step


def test_a_sound_file_is_opened(sound: bytes, tmp_path: Path) -> None:
    path = rebuilt(sound, tmp_path / "model.keras", lambda members: None)
    assert load_model(path).output["points"].shape == (None, N, 2)


@pytest.mark.parametrize("cut", [0, 10, 5000])
def test_a_cut_file(sound: bytes, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(sound[:cut])
    refused(path, "cannot be loaded")


def test_a_configuration_of_gigabytes(sound: bytes, tmp_path: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        members["config.json"] = b" " * (keras_check.MEMBERS["config.json"] + 1)

    path = rebuilt(sound, tmp_path / "model.keras", change)
    assert path.stat().st_size < 200_000
    refused(path, "config.json takes 16777217 bytes")


@pytest.mark.parametrize("name", ["assets/a.txt", "../../evil", "/etc/evil"])
def test_further_files_are_no_part_of_a_model(sound: bytes, tmp_path: Path, name: str) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[name] = b"x"

    refused(rebuilt(sound, tmp_path / "model.keras", change), "no part of a model")


def test_a_layer_of_gigabytes(sound: bytes, tmp_path: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        config = json.loads(members["config.json"])
        (dense,) = (la for la in config["config"]["layers"] if la["config"]["name"] == "face")
        dense["config"]["units"] = 2**31
        members["config.json"] = json.dumps(config).encode()

    refused(rebuilt(sound, tmp_path / "model.keras", change), "units 2147483648")


def test_code_in_a_layer_is_not_run(sound: bytes, tmp_path: Path) -> None:
    import keras

    made = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1)])
    made.save(tmp_path / "model.keras")
    refused(tmp_path / "model.keras", "cannot be loaded")


def external(file: h5py.File, secret: Path) -> None:
    file.create_dataset("secret", (8,), "u1", external=[(str(secret), 0, 8)])


def link(file: h5py.File, secret: Path) -> None:
    file["secret"] = h5py.ExternalLink(str(secret), "/a")


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((8,), "u1")
    layout[:] = h5py.VirtualSource(str(secret), "a", (8,))
    file.create_virtual_dataset("secret", layout)


def promised(file: h5py.File, secret: Path) -> None:
    file.create_dataset("bomb", (2**33,), "u1", chunks=(2**20,), compression="gzip")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (external, "another file"),
        (link, "a link"),
        (virtual, "another file"),
        (promised, "promise"),
    ],
)
def test_weights_lie_in_their_file(
    sound: bytes, tmp_path: Path, kind: Callable[[h5py.File, Path], None], text: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"password")

    def change(members: dict[str, bytes]) -> None:
        held = io.BytesIO(members["model.weights.h5"])
        with h5py.File(held, "r+") as file:
            kind(file.require_group("deeper/still"), secret)
        members["model.weights.h5"] = held.getvalue()

    refused(rebuilt(sound, tmp_path / "model.keras", change), text)


def outside(tensor: TensorProto) -> TensorProto:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"
    return tensor


def in_initializer(model: onnx.ModelProto) -> None:
    outside(model.graph.initializer[0])


def in_a_constant(model: onnx.ModelProto) -> None:
    tensor = outside(numpy_helper.from_array(np.zeros(4, np.float32), "far"))
    model.graph.node.append(helper.make_node("Constant", [], ["far"], value=tensor))


def in_a_branch(model: onnx.ModelProto) -> None:
    tensor = outside(numpy_helper.from_array(np.zeros(4, np.float32), "far"))
    branch = helper.make_graph([], "branch", [], [], [tensor])
    model.graph.node.append(
        helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch)
    )


def in_a_function(model: onnx.ModelProto) -> None:
    tensor = outside(numpy_helper.from_array(np.zeros(4, np.float32), "far"))
    node = helper.make_node("Constant", [], ["far"], value=tensor)
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "f", [], ["far"], [node], opset))


@pytest.mark.parametrize("place", [in_initializer, in_a_constant, in_a_branch, in_a_function])
def test_onnx_weights_lie_in_their_file(tmp_path: Path, place: Callable[..., None]) -> None:
    bundle = write_onnx_bundle(tmp_path / "b")
    file = bundle.path / "model.onnx"
    model = onnx.load(file)
    assert not has_external_data(file.read_bytes())
    model.doc_string = "location"  # the word alone is no location
    assert not has_external_data(model.SerializeToString())
    place(model)
    file.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="keeps weights in another file"):
        open_runtime(bundle, "onnx")


@pytest.mark.parametrize("data", [b"location", b"\x3a\xff\xff\xff\xff\x0flocation", b"\x0b"])
def test_no_protocol_buffer(tmp_path: Path, data: bytes) -> None:
    bundle = write_onnx_bundle(tmp_path / "b")
    (bundle.path / "model.onnx").write_bytes(data)
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_runtime(bundle, "onnx")


@pytest.mark.parametrize(
    ("changes", "actual"),
    [
        ({"scheme": IBUG68.to_json()}, "points (1, 5, 2)"),
        ({"colour": "gray"}, "index: 3 Got: 1"),
        ({"input_size": 64}, "index: 1 Got: 64"),
        ({"task": "detection", "strides": (16,)}, "no score"),
        ({"outputs": ("points", "log_scale")}, "no log_scale"),
    ],
)
def test_a_card_that_is_of_another_model(
    tmp_path: Path, changes: dict[str, object], actual: str
) -> None:
    bundle = write_onnx_bundle(tmp_path / "b")
    card: ModelCard = replace(bundle.card, **changes)  # type: ignore[arg-type]
    write_card(card, bundle.path)
    with pytest.raises(ModelError, match="not what card") as error:
        open_runtime(ModelBundle.open(bundle.path), "onnx")
    assert actual in error.value.actual
    assert open_runtime(bundle, "onnx").run(crops(2))["points"].shape == (2, N, 2)
