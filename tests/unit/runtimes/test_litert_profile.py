"""LiteRT's own profiler on a file made by hand. No figure is tested against a limit."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny import write_keras_bundle
from helpers.tiny_tflite import LAYERS, MACS, SIDE, write_tflite

from kpcli.errors import ModelError
from kpcli.runtimes.litert_profile import run
from kpcli.runtimes.litert_profile.graph import read_graph
from kpcli.runtimes.litert_profile.layers import layers

needs_litert = pytest.mark.skipif(
    find_spec("ai_edge_litert") is None, reason="pip install '.[litert]'"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_tflite(tmp_path / "tiny.tflite")


@needs_litert
def test_the_graph_names_layers_and_counts_their_work(file: Path) -> None:
    graph = read_graph(file)
    assert graph.sized
    assert [node.kind for node in graph.nodes] == ["CONV_2D", "MUL", "SHAPE"]
    assert tuple(node.layer for node in graph.nodes) == LAYERS
    assert [node.macs for node in graph.nodes] == [MACS, 0, 0]
    assert graph.nodes[0].inputs == (0,)  # weights are none


@needs_litert
def test_every_operator_of_every_call_is_timed(file: Path) -> None:
    profile = run.profile(file, threads=1, rounds=2)
    assert profile.times.shape == (2 * run.CALLS, len(profile.events))
    assert len(profile.whole) == len(profile.plain) == 2 * run.CALLS
    assert (profile.times >= 0).all()
    assert (profile.times.sum(axis=1) <= profile.whole + 0.001 * len(profile.events)).all()
    nodes = layers(profile.events, read_graph(file).nodes)
    assert set(nodes) == {0, 1, 2}
    named = dict(zip(nodes, profile.events, strict=True))
    assert "Conv" in named[0].name
    assert named[2].name == "SHAPE"
    assert np.median(profile.times[:, nodes.index(0)]) > 0


@needs_litert
@pytest.mark.slow  # TensorFlow makes the file
def test_an_export_s_operators_are_of_the_layers_that_keras_knows(tmp_path: Path) -> None:
    from kpcli.exporters import litert

    bundle = write_keras_bundle(tmp_path / "bundle")
    litert.export(bundle.weights, tmp_path / "model.tflite")
    nodes = read_graph(tmp_path / "model.tflite").nodes
    profile = run.profile(tmp_path / "model.tflite", threads=1, rounds=1)
    places = layers(profile.events, nodes)
    assert None not in places
    for layer, size in (("stem", 16), ("second", 8), ("heatmaps", 8)):
        (number,) = [i for i, node in enumerate(nodes) if node.layer == layer and node.macs]
        assert nodes[number].macs % size**2 == 0
        assert number in places
    assert {"soft_argmax", "points", "log_scale"} <= {nodes[i].layer for i in places if i}


@needs_litert
def test_an_open_size_is_the_one_that_is_given(tmp_path: Path) -> None:
    file = write_tflite(tmp_path / "open.tflite", open_size=True)
    assert not read_graph(file).sized
    with pytest.raises(ModelError) as caught:
        run.profile(file, threads=1, rounds=1)
    assert "no fixed size" in caught.value.actual
    assert len(run.profile(file, threads=1, rounds=1, size=SIDE).whole) == run.CALLS


@needs_litert
@pytest.mark.parametrize("content", [b"", b"no model", b"....TFL3" + bytes(40)], ids=len)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.tflite").write_bytes(content)
    with pytest.raises(ModelError, match=r"not a \.tflite file"):
        read_graph(tmp_path / "bad.tflite")
    with pytest.raises(ModelError, match="does not run it"):
        run.profile(tmp_path / "bad.tflite")


@needs_litert
def test_a_crash_of_the_c_interface_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_CHILD", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    with pytest.raises(ModelError, match="does not run it") as caught:
        run.profile(file)
    assert caught.value.actual


def test_without_litert_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="not installed") as caught:
        run.profile(tmp_path / "any.tflite")
    assert "pip install" in caught.value.next_step
