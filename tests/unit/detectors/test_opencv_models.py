"""Detectors whose model is the user's: graphs built here stand for the public ones."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kpcli.boxes import wider_to_landmark
from kpcli.detectors import create_detector
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.types import Frame

SOURCE = Path("x")


def constant_graph(path: Path, shape: tuple[int, ...], values: dict[str, np.ndarray]) -> Path:
    """An ONNX file whose outputs are the values, whatever the picture."""
    nodes, tensors = [], [numpy_helper.from_array(np.zeros(1, np.float32), "zero")]
    nodes.append(helper.make_node("GlobalAveragePool", ["input"], ["mean"]))
    nodes.append(helper.make_node("ReduceMean", ["mean"], ["one"], axes=[1, 2, 3], keepdims=0))
    nodes.append(helper.make_node("Mul", ["one", "zero"], ["nothing"]))
    for name, value in values.items():
        tensors.append(numpy_helper.from_array(value.astype(np.float32), f"{name}_value"))
        nodes.append(helper.make_node("Add", [f"{name}_value", "nothing"], [name]))
    graph = helper.make_graph(
        nodes, "constant", [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape) for n, v in values.items()],
        tensors,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.save(model, path)
    return path


@pytest.fixture
def ssd_file(tmp_path: Path) -> Path:
    rows = np.array([
        [0, 1, 0.9, 0.25, 0.25, 0.5, 0.75],
        [0, 1, 0.8, 0.26, 0.25, 0.5, 0.75],  # the same face again
        [0, 1, 0.3, 0.6, 0.6, 0.9, 0.9],  # unsure
        [0, 2, 0.9, 0.6, 0.1, 0.9, 0.4],  # another class
    ])  # fmt: skip
    return constant_graph(tmp_path / "ssd.onnx", (1, 3, 300, 300), {"out": rows[None, None]})


def test_ssd_boxes_are_landmark_boxes_in_pixels(ssd_file: Path):
    pixels = np.zeros((200, 400, 3), np.uint8)
    ((face,),) = create_detector(f"ssd:{ssd_file}").detect([Frame.still(SOURCE, pixels)])
    expected = wider_to_landmark(np.array([100.0, 50.0, 200.0, 150.0]) - 0.5)
    np.testing.assert_allclose([face.left, face.top, face.right, face.bottom], expected, rtol=1e-5)
    assert face.score == pytest.approx(0.9)


def test_a_graph_with_another_output_is_a_model_error(tmp_path: Path):
    file = constant_graph(tmp_path / "x.onnx", (1, 3, 300, 300), {"out": np.zeros((1, 10))})
    with pytest.raises(ModelError, match="single-shot"):
        create_detector(f"ssd:{file}").detect(
            [Frame.still(SOURCE, np.zeros((20, 20, 3), np.uint8))]
        )


@pytest.mark.parametrize("ending", [".pb", ".caffemodel", ".onnx", ".tflite"])
def test_a_file_that_is_no_model_is_a_model_error(tmp_path: Path, ending: str):
    file = tmp_path / f"x{ending}"
    file.write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be run"):
        create_detector(f"ssd:{file}")


@pytest.mark.parametrize("name", ["ssd", "yunet"])
def test_no_file_and_a_missing_file(tmp_path: Path, name: str):
    with pytest.raises(UsageError, match="needs a model"):
        create_detector(name)
    with pytest.raises(InputError, match="no such model file"):
        create_detector(f"{name}:{tmp_path / 'missing.onnx'}")


def test_a_missing_config_is_named(ssd_file: Path):
    with pytest.raises(InputError, match=r"x\.pbtxt"):
        create_detector(f"ssd:{ssd_file},x.pbtxt")


def test_an_opencv_without_the_part(ssd_file: Path, monkeypatch):
    monkeypatch.delattr(cv2, "dnn")
    with pytest.raises(ModelError, match="no DNN module"):
        create_detector(f"ssd:{ssd_file}")
    monkeypatch.delattr(cv2, "FaceDetectorYN")
    with pytest.raises(ModelError, match="no FaceDetectorYN"):
        create_detector(f"yunet:{ssd_file}")


def yunet_file(path: Path, side: int) -> Path:
    """One face: at stride 8, cell (4, 3), 40 x 48 px around the cell's corner."""
    values: dict[str, np.ndarray] = {}
    for stride in (8, 16, 32):
        cells = (side // stride) ** 2
        values[f"cls_{stride}"] = np.zeros((1, cells, 1))
        values[f"obj_{stride}"] = np.zeros((1, cells, 1))
        values[f"bbox_{stride}"] = np.zeros((1, cells, 4))
        values[f"kps_{stride}"] = np.zeros((1, cells, 10))
    cell = 3 * (side // 8) + 4
    values["cls_8"][0, cell] = values["obj_8"][0, cell] = 0.9
    values["bbox_8"][0, cell] = [0, 0, np.log(5), np.log(6)]
    return constant_graph(path, (1, 3, side, side), values)


def test_yunet_boxes_are_landmark_boxes_in_pixels(tmp_path: Path):
    file = yunet_file(tmp_path / "yunet.onnx", 64)
    pixels = np.zeros((64, 64, 3), np.uint8)
    ((face,),) = create_detector(f"yunet:{file}").detect([Frame.still(SOURCE, pixels)])
    expected = wider_to_landmark(np.array([12.0, 0.0, 52.0, 48.0]) - 0.5)
    np.testing.assert_allclose([face.left, face.top, face.right, face.bottom], expected, atol=1e-3)
    assert face.score == pytest.approx(0.9, abs=1e-5)


def test_a_file_that_is_no_yunet_model(tmp_path: Path, ssd_file: Path):
    file = tmp_path / "x.onnx"
    file.write_bytes(b"no model")
    with pytest.raises(ModelError, match="YuNet"):
        create_detector(f"yunet:{file}")
    with pytest.raises(ModelError, match="YuNet"):
        create_detector(f"yunet:{ssd_file}").detect(
            [Frame.still(SOURCE, np.zeros((64, 64, 3), np.uint8))]
        )
