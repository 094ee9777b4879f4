from pathlib import Path

import cv2
import numpy as np
import pytest

from kpcli.detectors import create_detector
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.images import read_image
from kpcli.types import FaceBox, Frame

CASCADES = Path(cv2.__file__).parent / "data"
# The landmark box of sample_images/portraits/grace_hopper.jpg, by eye: brows to chin, jaw to jaw.
HOPPER = FaceBox(168, 175, 368, 375)


def test_finds_a_face_as_the_landmark_box_at_every_size(sample_images: Path) -> None:
    pixels = read_image(sample_images / "portraits" / "grace_hopper.jpg")
    detector = create_detector("haar")
    for scale in (0.5, 1.0, 2.5):
        scaled = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale), np.uint8)
        best = detector.detect([Frame.still(Path("x.jpg"), scaled)])[0][0]
        truth = FaceBox(
            HOPPER.left * scale, HOPPER.top * scale, HOPPER.right * scale, HOPPER.bottom * scale
        )
        assert best.iou(truth) > 0.7, (scale, best)
        assert 0 < best.score < 1


def test_scores_fall(sample_images: Path) -> None:
    pixels = read_image(sample_images / "wall_of_portraits.jpg")
    (found,) = create_detector("haar").detect([Frame.still(Path("x.jpg"), pixels)])
    scores = [box.score for box in found]
    assert len(found) >= 4
    assert scores == sorted(scores, reverse=True)


def test_a_picture_without_a_face() -> None:
    images = [np.zeros((60, 80, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)]
    assert create_detector("haar").detect([Frame.still(Path("x"), image) for image in images]) == [
        [],
        [],
    ]


def test_another_cascade_is_taken_as_it_is(sample_images: Path) -> None:
    pixels = read_image(sample_images / "portraits" / "grace_hopper.jpg")
    file = CASCADES / "haarcascade_frontalface_default.xml"
    plain = create_detector(f"haar:{file}").detect([Frame.still(Path("x"), pixels)])[0][0]
    ours = create_detector("haar").detect([Frame.still(Path("x"), pixels)])[0][0]
    assert ours.side < plain.side
    assert ours.centre[1] > plain.centre[1]


def test_files_that_are_no_cascade(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such cascade"):
        create_detector(f"haar:{tmp_path / 'none.xml'}")
    for text in ("", "no xml", "<?xml version='1.0'?><opencv_storage></opencv_storage>"):
        (tmp_path / "x.xml").write_text(text)
        with pytest.raises(InputError, match="not a Haar cascade"):
            create_detector(f"haar:{tmp_path / 'x.xml'}")


def test_an_opencv_without_cascades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(ModelError, match="no Haar cascades") as e:
        create_detector("haar")
    assert "opencv-python<5" in e.value.next_step


def test_whole_image_takes_no_argument() -> None:
    (boxes,) = create_detector("whole_image").detect(
        [Frame.still(Path("x"), np.zeros((20, 30, 3), np.uint8))]
    )
    assert boxes == [FaceBox(-0.5, -0.5, 29.5, 19.5)]
    with pytest.raises(UsageError):
        create_detector("whole_image:5")


def test_unknown_detector() -> None:
    with pytest.raises(UsageError, match="unknown detector 'eyes'"):
        create_detector("eyes:x")
