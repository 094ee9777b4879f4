"""The example's crop against kpcli's own, and what stands in its text."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.media import write_picture
from helpers.tiny import tiny_card
from PIL import Image

from kpcli.errors import InputError, UsageError
from kpcli.geometry import CropTransform
from kpcli.images import read_image
from kpcli.types import FaceBox
from kpcli.workflows.export.example.run import README, SCRIPT, check_example, write_example
from kpcli.workflows.export.example.run_model import weights

BOXES = [
    (40, 30, 90, 80),  # enlarged
    (10.3, 20.7, 300.2, 250.1),  # a little smaller: no average
    (100.4, 60.2, 700.1, 640.3),  # averaged over blocks
    (-200.2, -90.3, 900.6, 800.4),  # beyond every edge
    (-400.1, 10.3, -10.7, 300.2),  # the corner of the crop only
    (0.3, 0.1, 5.2, 2000.7),
]


@pytest.mark.parametrize("box", BOXES, ids=str)
def test_the_crop_is_that_of_kpcli(box: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (71, 90, 3), np.uint8))
    picture = np.asarray(noise.resize((900, 710), Image.Resampling.BICUBIC))
    transform = CropTransform.from_box(FaceBox(*box), 64, 1.3)
    expected = transform.to_crop(picture).astype(int)
    low, high = np.array(box, float).reshape(2, 2)
    step = max(high - low) * 1.3 / 64
    start = (low + high) / 2 - step * 63 / 2
    x, y = (weights(start[axis], step, 64, (900, 710)[axis]) for axis in (0, 1))
    crop = picture.astype(float)
    for down, across in zip(y, x, strict=True):
        crop = np.floor(np.einsum("yh,hwc,xw->yxc", down, crop, across, optimize=True) + 0.5)
    off = np.abs(crop - expected)  # places half way between 32nds of a pixel may go either way
    assert off.max() <= 8
    assert off.mean() < 0.03
    corners = np.array([[0.0, 0.0], [63.0, 63.0]])
    np.testing.assert_allclose(start + step * corners, transform.to_frame_pixels(corners))


def test_the_text_says_what_the_card_says(tmp_path: Path) -> None:
    card = tiny_card(colour="gray", face_box="image", crop_scale=1.25, licence="mine, CC0")
    write_example("onnx", card, tmp_path, takes_bytes=True)
    text = (tmp_path / README).read_text()
    for part in ("model.onnx", "onnxruntime", "mine, CC0", "1.25 times", "gray", "uint8",
                 "(1, 32, 32, 1)", "the whole picture", "`face_logit`"):  # fmt: skip
        assert part in text
    assert "{" not in text
    write_example("onnx", card, tmp_path, takes_bytes=False)  # its own file is replaced
    assert "float32" in (tmp_path / README).read_text()


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / SCRIPT).write_text("mine")
    with pytest.raises(InputError, match=SCRIPT):
        check_example("onnx", tiny_card(), tmp_path)
    assert (tmp_path / SCRIPT).read_text() == "mine"


@pytest.mark.parametrize(("target", "task"), [("openvino", "landmarks"), ("onnx", "detection")])
def test_there_is_none_of_others(tmp_path: Path, target: str, task: str) -> None:
    with pytest.raises(UsageError, match="--example"):
        check_example(target, tiny_card(task=task), tmp_path)


def test_gray_is_that_of_kpcli(tmp_path: Path) -> None:
    from kpcli.images import to_gray

    picture = read_image(write_picture(tmp_path / "a.png"))
    ours = np.floor(picture @ np.array([[0.299], [0.587], [0.114]]) + 0.5)
    assert np.abs(ours - to_gray(picture)).max() <= 1
    assert json.dumps(ours.shape) == json.dumps(to_gray(picture).shape)
