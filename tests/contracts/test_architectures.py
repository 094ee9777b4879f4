"""What every entry of the architectures' table promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kpcli.architectures import (
    architecture_facts,
    architecture_task,
    build_architecture,
    layers,
    pretrained,
)
from kpcli.catalogue import ARCHITECTURES
from kpcli.errors import ModelError, UsageError
from kpcli.model_bundle import DETECTION, LANDMARKS

N_POINTS = 68
ANY_SIZE = 128
"""Side of the pictures for networks that take any."""

# Weights and biases by the published shapes, added up by hand (input x output x kernel + bias;
# batch normalisation has four numbers a channel), for 68 points.
PARAMETERS = {
    # 12 convolutions without bias 4,884,768; normalisations 8,704; 3*3*512 -> 512 -> 136.
    "vgg_gray100": 4_884_768 + 8_704 + (4_608 + 1) * 512 + (512 + 1) * 136,
    # 4x4x1x32, 3x3x32x64, 2x2x64x128, 1x1x128x256; 13*13*256 -> 2048 -> 1024 -> 136.
    "naimishnet": 544 + 18_496 + 32_896 + 33_024
    + (43_264 + 1) * 2048 + (2048 + 1) * 1024 + (1024 + 1) * 136,
    # 3x3 convolutions 1-32-64-128-256-512 and 7*7*512 -> 1024 -> 512 without bias, -> 136.
    "naimishnet_light": 9 * (32 + 32 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 4 * 992
    + (25_088 + 4) * 1024 + (1024 + 4) * 512 + (512 + 1) * 136,
    # Keras' documented 4,253,864 less the top's (1024 + 1) * 1000.
    "mobilenet_regression": 4_253_864 - 1_025_000 + (1024 + 1) * 136,
    # Stem and inverted residuals to 14x14x64, see `_mobilenet_v2_trunk`; 3x3, 3x3, 7x7.
    "mobilenetv2_fcn": 192_832 + (9 * 64 + 1) * 16 + (9 * 16 + 1) * 32 + (49 * 32 + 1) * 136,
    # 3x3x1x32, 2x2x32x64, 2x2x64x128; 11*11*128 -> 500 -> 500 -> 136.
    "cnn_gray96": 320 + 8_256 + 32_896 + (15_488 + 1) * 500 + (500 + 1) * 500 + (500 + 1) * 136,
}  # fmt: skip


def _mobilenet_v2_trunk() -> int:
    """Parameters of MobileNetV2's table 2 as far as the third residual of its 64-wide row."""
    total = 27 * 32 + 4 * 32  # stem
    total += 9 * 32 + 4 * 32 + 32 * 16 + 4 * 16  # first block, expansion 1
    before = 16
    for width, repeats in ((24, 2), (32, 3), (64, 3)):
        for _ in range(repeats):
            wide = 6 * before
            total += before * wide + 4 * wide  # expand
            total += 9 * wide + 4 * wide  # depthwise
            total += wide * width + 4 * width  # project
            before = width
    return total


def _all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _all_layers(layer)
        else:
            yield layer


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def built(request: pytest.FixtureRequest) -> Iterator[tuple[str, keras.Model]]:
    yield request.param, build_architecture(request.param, N_POINTS)
    keras.utils.clear_session()


def _crops(name: str) -> Any:
    size, colour = architecture_facts(name)
    channels = {"gray": 1, "rgb": 3}[colour]
    if architecture_task(name) == DETECTION:
        size = ANY_SIZE
    pixels = np.random.default_rng(0).integers(0, 256, (2, size, size, channels))
    return pixels.astype(np.float32)


def test_takes_pictures_and_gives_what_its_task_asks_for(built: tuple[str, keras.Model]) -> None:
    name, model = built
    crops = _crops(name)
    size, _ = architecture_facts(name)
    outputs = {k: np.asarray(v) for k, v in model(crops, training=False).items()}
    if architecture_task(name) == LANDMARKS:
        assert model.input.shape[1:] == (size, size, crops.shape[-1])
        assert model.output["points"].shape == (None, N_POINTS, 2)
        main = outputs["points"]
        assert main.shape == (2, N_POINTS, 2)
    else:
        main = outputs["landmark_box"]
        assert main.shape == (*outputs["score"].shape[:2], 4)
    assert main.dtype == np.float32
    assert np.isfinite(main).all()
    # The two pictures differ, so a network that looks at its input answers differently.
    assert np.abs(main[0] - main[1]).max() > 0


def test_saved_and_loaded_it_answers_the_same(
    built: tuple[str, keras.Model], tmp_path: Path
) -> None:
    name, model = built
    crops = _crops(name)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, compile=False)
    before, after = model(crops, training=False), loaded(crops, training=False)
    assert set(after) == set(before)
    for output in before:
        np.testing.assert_array_equal(np.asarray(after[output]), np.asarray(before[output]))
    path.unlink()


@pytest.mark.parametrize("built", list(PARAMETERS), indirect=True)
def test_an_ancestor_has_the_published_number_of_parameters(built: tuple[str, keras.Model]) -> None:
    name, model = built
    assert model.count_params() == PARAMETERS[name]


def test_mobilenet_v2_trunk_by_its_table() -> None:
    assert _mobilenet_v2_trunk() == 192_832


@pytest.mark.parametrize("built", list(PARAMETERS), indirect=True)
def test_only_the_fully_convolutional_ancestor_has_no_dense_layer(
    built: tuple[str, keras.Model],
) -> None:
    name, model = built
    dense = [x for x in _all_layers(model) if isinstance(x, keras.layers.Dense)]
    assert bool(dense) == (name != "mobilenetv2_fcn")


def test_weights_that_are_no_file_are_a_usage_error(built: tuple[str, keras.Model]) -> None:
    with pytest.raises(UsageError, match=r"missing\.weights\.h5"):
        build_architecture(built[0], N_POINTS, weights="missing.weights.h5")


def test_takes_the_weights_that_the_table_says(
    built: tuple[str, keras.Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kpcli train` trusts the table, so as not to load Keras for a wrong --weights."""
    monkeypatch.setattr(pretrained, "_load_file", lambda model, path: None)
    for factory in ("MobileNet", "MobileNetV2"):  # no download
        real = getattr(keras.applications, factory)
        fake = lambda real=real, **kwargs: real(**{**kwargs, "weights": None})  # noqa: E731
        monkeypatch.setattr(keras.applications, factory, fake)
    file = tmp_path / "some.weights.h5"
    file.touch()
    for kind, weights in (("none", "none"), ("imagenet", "imagenet"), ("file", str(file))):
        if kind in ARCHITECTURES[built[0]].weights:
            build_architecture(built[0], N_POINTS, weights=weights)
        else:
            with pytest.raises(UsageError, match=f"--weights {weights}"):
                build_architecture(built[0], N_POINTS, weights=weights)


def test_mixed_precision_still_gives_float32(built: tuple[str, keras.Model]) -> None:
    """Positions and losses need more digits than bfloat16 has."""
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_architecture(built[0], N_POINTS)
    finally:
        keras.config.set_dtype_policy(usual)
    assert "mixed_bfloat16" in {layer.dtype_policy.name for layer in _all_layers(model)}
    outputs = model(_crops(built[0]), training=True)
    assert {k: str(np.asarray(v).dtype) for k, v in outputs.items()} == dict.fromkeys(
        model.output, "float32"
    )


def test_a_file_of_backbone_weights_is_used(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    whole = keras.applications.MobileNetV2(
        input_shape=(224, 224, 3), include_top=False, weights=None
    )
    path = tmp_path / "backbone.weights.h5"
    whole.save_weights(path)
    model = build_architecture("mobilenetv2_fcn", 5, weights=str(path))
    trunk = model.get_layer("mobilenetv2_trunk")
    for layer in ("Conv1", "block_8_project"):
        np.testing.assert_array_equal(
            trunk.get_layer(layer).get_weights()[0], whole.get_layer(layer).get_weights()[0]
        )


def test_a_file_of_the_whole_network_is_used(tmp_path: Path) -> None:
    path = tmp_path / "small.weights.h5"
    first = build_architecture("cnn_gray96", 5)
    first.save_weights(path)
    again = build_architecture("cnn_gray96", 5, weights=str(path))
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_file_that_does_not_fit_is_a_model_error(tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    build_architecture("cnn_gray96", 5).save_weights(path)
    with pytest.raises(ModelError, match="do not fit"):
        build_architecture("mobilenet_regression", 5, weights=str(path))


def test_a_failed_download_names_the_way_out() -> None:
    def offline(**kwargs: Any) -> keras.Model:
        assert kwargs["weights"] == "imagenet"
        raise Exception("URL fetch failure on https://storage.googleapis.com")

    with pytest.raises(ModelError, match="cannot be downloaded") as caught:
        pretrained.backbone(offline, 224, "imagenet")
    assert "--weights PATH" in str(caught.value)


def test_soft_argmax_of_a_peak_is_its_cell() -> None:
    logits = np.zeros((1, 4, 4, 1), np.float32)
    logits[0, 1, 3, 0] = 50
    features = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    points, pooled = layers.SoftArgmax()([logits, features])
    # Column 3 of 4 has its centre at 0.75, row 1 at -0.25.
    np.testing.assert_allclose(np.asarray(points)[0, 0], [0.75, -0.25], atol=1e-5)
    np.testing.assert_allclose(np.asarray(pooled)[0, 0], [7], atol=1e-4)
