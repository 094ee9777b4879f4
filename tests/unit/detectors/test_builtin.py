"""The builtin detector around a network that answers what a test wants."""

from pathlib import Path

import numpy as np
import pytest

from kpcli.boxes import wider_to_landmark
from kpcli.cells import cell_grid, encode
from kpcli.detectors import create_detector
from kpcli.detectors.builtin import FaceDetector
from kpcli.errors import ModelError
from kpcli.images import read_image
from kpcli.letterbox import Letterbox
from kpcli.model_bundle import DETECTION, ModelCard, write_card
from kpcli.schemes import IBUG68
from kpcli.types import Frame

STRIDES = (8, 16, 32, 64)


def card(**changes) -> ModelCard:
    values = {
        "name": "fake", "task": DETECTION, "architecture": "none", "input_size": 640,
        "colour": "rgb", "crop_scale": 1.0, "face_box": "landmarks", "strides": STRIDES,
    }  # fmt: skip
    return ModelCard(**{**values, **changes})


def still(pixels: np.ndarray) -> Frame:
    return Frame.still(Path("a.png"), pixels)


class Bright:
    """Says that the bright pixels of each picture are one face, at all cells within it."""

    line = "fake"

    def __init__(self, logit: float = 4.0) -> None:
        self.logit = logit
        self.shapes: list[tuple[int, ...]] = []

    def run(self, pictures):
        self.shapes.append(pictures.shape)
        cells = cell_grid(pictures.shape[1], pictures.shape[2], STRIDES)
        score, boxes = [], []
        for picture in pictures:
            ys, xs = np.nonzero(picture[..., 0] > 127)
            box = np.array([xs.min() - 0.5, ys.min() - 0.5, xs.max() + 0.5, ys.max() + 0.5])
            inside = ((cells[:, :2] > box[:2]) & (cells[:, :2] < box[2:])).all(1)
            score.append(np.where(inside, self.logit, -9))
            boxes.append(encode(np.tile(box, (len(cells), 1)), cells))
        lower = np.array(boxes) + np.array([0, 0.5, 0, 0])  # half a stride down
        return {"score": np.array(score), "box": np.array(boxes), "landmark_box": lower}


def picture(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    return pixels


def test_one_box_a_face_in_pixels_of_the_picture_for_pictures_of_any_shape():
    boxes = [(40, 60, 140, 180), (10, 20, 50, 70), (600, 300, 1100, 900), (3, 2, 30, 28)]
    shapes = [(240, 320), (90, 60), (1200, 1600), (31, 37)]
    pictures = [picture(*shape, box) for shape, box in zip(shapes, boxes, strict=True)]
    runtime = Bright()
    found = FaceDetector(card(face_box="file"), runtime).detect([still(p) for p in pictures])
    for faces, box in zip(found, boxes, strict=True):
        (face,) = faces
        mine = np.array([face.left, face.top, face.right, face.bottom])
        np.testing.assert_allclose(mine, np.array(box) - 0.5, atol=0.02 * max(box))
    assert all(side % 64 == 0 for shape in runtime.shapes for side in shape[1:3])
    lone = Bright()
    alike = [picture(480, 640, boxes[0]), picture(1200, 1600, boxes[2])]
    FaceDetector(card(face_box="file"), lone).detect([still(p) for p in alike])
    assert lone.shapes[0][0] == 2, "they have one shape at work: they ran as one batch"


def test_the_landmark_box_is_given_where_the_card_says_so():
    pixels = picture(640, 640, (200, 200, 320, 320))
    (wide,) = FaceDetector(card(face_box="file"), Bright()).detect([still(pixels)])[0]
    (tight,) = FaceDetector(card(), Bright()).detect([still(pixels)])[0]
    assert tight.top > wide.top + 2
    assert tight.left == pytest.approx(wide.left)


def test_the_landmark_box_of_a_small_face_lies_in_its_wider_box_as_those_of_others():
    pixels = picture(640, 640, (300, 300, 316, 320))
    (wide,) = FaceDetector(card(face_box="file"), Bright()).detect([still(pixels)])[0]
    (tight,) = FaceDetector(card(), Bright()).detect([still(pixels)])[0]
    expected = wider_to_landmark(np.array([wide.left, wide.top, wide.right, wide.bottom]))
    got = (tight.left, tight.top, tight.right, tight.bottom)
    np.testing.assert_allclose(got, expected, atol=0.01)


def test_large_faces_come_from_the_smaller_picture_and_only_once():
    pixels = picture(640, 640, (100, 100, 500, 500))
    runtime = Bright(1.0)
    (face,) = FaceDetector(card(face_box="file"), runtime).detect([still(pixels)])[0]
    assert (face.left, face.bottom) == pytest.approx((99.5, 499.5), abs=4)
    assert [shape[1] for shape in runtime.shapes[:2]] == [256, 640]


@pytest.mark.parametrize("side", [640, 200])
def test_the_coarse_look_is_enough_but_for_small_doubtful_or_no_faces(side):
    part = [round(side * share) for share in (0.15, 0.15, 0.8, 0.8)]
    large, small = picture(side, side, part), picture(side, side, [*part[:2], *np.add(part[:2], 9)])
    coarse = min(side, 256)
    coarse += -coarse % 64
    for pixels, logit, sizes in (
        (large, 4.0, [coarse]), (small, 4.0, [coarse, 640]), (large, -4.0, [coarse, 640]),
        (large, 1.0, [coarse, 640]),
    ):  # fmt: skip
        runtime = Bright(logit)
        FaceDetector(card(face_box="file"), runtime).detect([still(pixels)])
        shapes = [shape[1] for shape in runtime.shapes]
        assert shapes[:2] == sizes


def test_a_picture_that_needs_tiles_gets_them_whatever_the_coarse_look_says():
    runtime = Bright()
    detector = FaceDetector(card(face_box="file"), runtime)
    detector.detect([still(picture(4400, 300, (0, 0, 300, 4400)))])
    assert len(runtime.shapes) > 2
    assert [detector.shrink(*size) for size in ((300, 4400), (4000, 3000), (1280, 9), (1279, 9))] \
        == [1, 2, 2, 1]  # fmt: skip


def test_the_small_faces_of_a_large_picture_are_found(sample_images: Path):
    """A first look at a shrunk picture saw three of the seven, and was sure of them."""
    path = sample_images / "wall_of_portraits.jpg"
    found = create_detector("builtin").detect([Frame.still(path, read_image(path))])[0]
    assert len(found) >= 6


def test_the_glance_of_a_video_takes_no_full_look():
    runtime = Bright()
    (face,) = FaceDetector(card(face_box="file"), runtime).glance(
        [still(picture(640, 640, (100, 100, 500, 500)))]
    )[0]
    assert (face.left, face.bottom) == pytest.approx((99.5, 499.5), abs=4)
    assert [shape[1] for shape in runtime.shapes] == [256]


class Lying(Bright):
    """Sees only bright pixels that are taller than wide and in the lower half."""

    def run(self, pictures):
        outputs = super().run(pictures)
        for i, picture in enumerate(pictures):
            ys, xs = np.nonzero(picture[..., 0] > 127)
            if np.ptp(ys) <= np.ptp(xs) or ys.mean() < picture.shape[0] / 2:
                outputs["score"][i] = -9
        return outputs


def test_a_picture_without_a_face_is_searched_from_its_other_sides():
    lying, upright = picture(240, 320, (30, 60, 130, 120)), picture(240, 320, (60, 130, 120, 230))
    upside_down = np.ascontiguousarray(upright[::-1])
    runtime = Lying()
    pictures = [lying, upright, upside_down]
    found = FaceDetector(card(face_box="file"), runtime).detect([still(p) for p in pictures])
    places = [(30, 60, 130, 120), (60, 130, 120, 230), (60, 10, 120, 110)]
    for faces, box in zip(found, places, strict=True):
        assert len(faces) == 1
        face = faces[0]
        corners = (face.left, face.top, face.right, face.bottom)
        np.testing.assert_allclose(corners, np.array(box) - 0.5, atol=1.5)


class Leaning(Bright):
    """Gives a face that is taller than wide one score, any other one another."""

    def __init__(self, tall: float, other: float) -> None:
        super().__init__()
        self.tall, self.other = tall, other

    def run(self, pictures):
        outputs = super().run(pictures)
        for i, picture in enumerate(pictures):
            ys, xs = np.nonzero(picture[..., 0] > 127)
            score = self.tall if np.ptp(ys) > np.ptp(xs) else self.other
            outputs["score"][i] = np.where(outputs["score"][i] > 0, score, -9)
        return outputs


@pytest.mark.parametrize(
    ("tall", "other", "expected"),
    [
        (5.0, 1.0, 5.0),  # doubtful as it lies: the surer side counts
        (5.0, 3.0, 3.0),  # sure as it lies: no other side is looked at
        (1.2, 1.0, 1.0),  # doubtful from all sides: it stays as it lies
        (2.1, 1.8, 1.8),  # hardly surer from another side: it stays as it lies
    ],
)
def test_a_doubtful_face_is_looked_for_from_other_sides(tall, other, expected):
    lying = picture(240, 320, (30, 60, 130, 120))
    detector = FaceDetector(card(face_box="file"), Leaning(tall, other))
    (face,) = detector.detect([still(lying)])[0]
    assert face.score == pytest.approx(1 / (1 + np.exp(-expected)))


def test_other_sides_are_searched_in_full_only_where_a_probe_promises_a_face():
    lying = picture(240, 320, (30, 60, 130, 120))
    hopeless, promising = Leaning(-0.2, -0.1), Leaning(0.2, -0.1)
    for runtime in (hopeless, promising):
        (face,) = FaceDetector(card(face_box="file"), runtime, least_score=0.43).detect(
            [still(lying)]
        )[0]
        assert face.score == pytest.approx(1 / (1 + np.exp(0.1)))
    assert len(promising.shapes) == len(hopeless.shapes) + 2  # one side, near and far


def test_boxes_that_agree_on_a_face_are_averaged_and_others_have_no_say():
    logits = np.log([0.8, 0.5, 0.7]) - np.log([0.2, 0.5, 0.3])
    # The second overlaps the first by 0.82; the third by too little to have a say, yet enough
    # to be the same face.
    boxes = np.array([[40.0, 40, 80, 80], [44, 40, 84, 80], [52, 40, 92, 80]])

    class Three:
        line = "fake"

        def run(self, pictures):
            cells = cell_grid(pictures.shape[1], pictures.shape[2], STRIDES)
            score = np.full((1, len(cells)), -9.0)
            numbers = np.zeros((1, len(cells), 4))
            if pictures.shape[2] == 256:  # the full look only
                score[0, :3] = logits
                numbers[0, :3] = encode(boxes, cells[:3])
            return {"score": score, "box": numbers, "landmark_box": numbers}

    detector = FaceDetector(card(face_box="file"), Three(), size=256, least_score=0.43)
    ((found, scores),) = detector.arrays([np.zeros((256, 256, 3), np.uint8)], "box")
    np.testing.assert_allclose(scores, [0.8])
    overlap = 36 / 44
    left = (40 * 0.8 + 44 * 0.5 * overlap) / (0.8 + 0.5 * overlap)
    np.testing.assert_allclose(found, [[left, 40, left + 40, 80]], atol=1e-4)


def test_scores_are_calibrated_and_low_ones_left_out():
    pixels = picture(640, 640, (200, 200, 320, 320))
    calibrated = card(calibration={"score_slope": 2.0, "score_offset": -3.0})
    (face,) = FaceDetector(calibrated, Bright(2.0)).detect([still(pixels)])[0]
    assert face.score == pytest.approx(1 / (1 + np.exp(-1)))
    assert FaceDetector(calibrated, Bright(1.0)).detect([still(pixels)]) == [[]]
    assert len(FaceDetector(calibrated, Bright(1.0), least_score=0.2).detect([still(pixels)])[0])


@pytest.mark.parametrize(("side", "octaves"), [(16, 2), (32, 1), (64, 0), (96, 0)])
def test_small_boxes_are_trusted_less_where_the_card_says_so(side, octaves):
    pixels = picture(640, 640, (320, 320, 320 + side, 320 + side))
    values = {"score_slope": 1.0, "score_offset": 0.5, "score_size": 0.8}
    detector = FaceDetector(card(calibration=values), Bright(logit=1.5), least_score=0.0001)
    ((_, scores),) = detector.arrays([pixels], "box")
    assert scores[0] == pytest.approx(1 / (1 + np.exp(-(2.0 - 0.8 * octaves))), abs=1e-6)


def test_small_pictures_are_not_blown_up_without_limit():
    runtime = Bright()
    FaceDetector(card(), runtime).detect([still(picture(30, 30, (5, 5, 15, 15)))])
    assert runtime.shapes[:2] == [(1, 64, 64, 3), (1, 128, 128, 3)], "30 pixels, fourfold"


def test_no_pictures_no_faces():
    assert FaceDetector(card(), Bright()).detect([]) == []


def test_the_size_is_the_long_side_at_work():
    runtime = Bright()
    FaceDetector(card(), runtime, 320).detect([still(picture(900, 600, (100, 100, 115, 115)))])
    assert runtime.shapes[:2] == [(1, 128, 128, 3), (1, 320, 256, 3)]
    assert Letterbox.fit(np.zeros((900, 600, 3), np.uint8), 320, 64).scale[0] == pytest.approx(
        213 / 600
    )


def test_a_landmark_bundle_is_no_detector(tmp_path):
    write_card(card(task="landmarks", strides=(), scheme=IBUG68.to_json()), tmp_path)
    with pytest.raises(ModelError, match="not a face detector"):
        create_detector(f"builtin:{tmp_path}")
    with pytest.raises(ModelError, match="not a model bundle"):
        create_detector(f"builtin:{tmp_path / 'missing'}")
