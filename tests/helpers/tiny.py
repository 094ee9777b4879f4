"""The smallest models there can be: in Keras, and written as ONNX by hand (no TensorFlow)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kpcli.dataset_csv import write_dataset
from kpcli.model_bundle import WEIGHTS, ModelBundle, ModelCard, write_card
from kpcli.schemes import CELEBA5
from kpcli.types import FaceBox, Sample

SIZE = 32
N = CELEBA5.n_points
SHAPE = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.35, 0.7], [0.65, 0.7]])
"""The five points of a drawn face, as fractions of its box."""


def tiny_card(**changes: object) -> ModelCard:
    values: dict[str, object] = {
        "name": "tiny", "task": "landmarks", "architecture": "none", "input_size": SIZE,
        "colour": "rgb", "crop_scale": 1.0, "face_box": "csv", "scheme": CELEBA5.to_json(),
        "outputs": ("face_logit", "log_scale", "points"),
    }  # fmt: skip
    return ModelCard(**{**values, **changes})  # type: ignore[arg-type]


def crops(count: int) -> np.ndarray:
    """Crops (count, SIZE, SIZE, 3) that differ."""
    return np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


def write_keras_bundle(folder: Path) -> ModelBundle:
    """A bundle with the parts of our own architecture: convolution, soft-argmax, linear maps."""
    import keras
    from keras import layers

    from kpcli.architectures.layers import PointwiseDense, SoftArgmax

    keras.utils.set_random_seed(0)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(24, 3, strides=2, padding="same", activation="relu", name="second")(x)
    logits = layers.Conv2D(N, 1, kernel_initializer="he_normal", name="heatmaps")(x)
    coarse, pooled = SoftArgmax(name="soft_argmax")([logits, x])
    refined = PointwiseDense(3, name="refine")(pooled)
    outputs = {
        "points": layers.Add(name="points")([coarse, refined[..., :2]]),
        "log_scale": layers.Rescaling(1.0, offset=-4.0, name="log_scale")(refined[..., 2]),
        "face_logit": layers.Dense(1, name="face")(layers.GlobalAveragePooling2D()(x)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    keras.Model(image, outputs, name="tiny").save(folder / WEIGHTS)
    write_card(tiny_card(), folder)
    return ModelBundle.open(folder)


def write_onnx(path: Path, channels: int = 64) -> None:
    """Three convolutions of ``channels`` kernels, mean over the picture, linear to points."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    weights = {
        "kernel": rng.normal(0, 0.1, (channels, 3, 3, 3)),
        "second": rng.normal(0, 0.1, (channels, channels, 3, 3)),
        "third": rng.normal(0, 0.2, (channels, channels, 1, 1)),
        "linear": rng.normal(0, 0.01 / channels, (channels, 2 * N)),
        "middle": rng.uniform(-0.5, 0.5, 2 * N),
    }
    nodes = [
        helper.make_node("Transpose", ["image"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "kernel"], ["a"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "second"], ["b"], "middle", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["b", "third"], ["maps"], "last"),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "linear", "middle"], ["numbers"]),
        helper.make_node("Reshape", ["numbers", "shape"], ["points"]),
    ]
    initializers = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    initializers.append(numpy_helper.from_array(np.array([-1, N, 2], np.int64), "shape"))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["b", SIZE, SIZE, 3])
    points = helper.make_tensor_value_info("points", TensorProto.FLOAT, ["b", N, 2])
    graph = helper.make_graph(nodes, "tiny", [image], [points], initializers)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


def write_onnx_bundle(folder: Path) -> ModelBundle:
    """A bundle that holds model.onnx and no Keras weights."""
    folder.mkdir(parents=True, exist_ok=True)
    write_onnx(folder / "model.onnx")
    write_card(tiny_card(outputs=("points",)), folder)
    return ModelBundle.open(folder)


def write_faces(folder: Path, splits: tuple[str, ...] = ("train", "train", "val")) -> Path:
    """A CSV with one drawn face of five points a split named."""
    samples = []
    box = FaceBox(10, 12, 74, 76)
    for i, split in enumerate(splits):
        path = folder / f"face_{i}.png"
        pixels = np.random.default_rng(i).integers(0, 256, (90, 100, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        points = (np.array([box.left, box.top]) + SHAPE * box.side).astype(np.float32)
        samples.append(
            Sample(path, box, points, np.ones(N, bool), "celeba5", "drawn", split, str(i))
        )
    csv = folder / "faces.csv"
    write_dataset(samples, csv, folder)
    return csv
