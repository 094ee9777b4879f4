"""Arrays of boxes: overlap, cells, suppression, letterboxes, precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpcli.boxes import (
    average_precision,
    face_boxes,
    grade,
    pairwise_iou,
    suppress,
    turned_back,
    wider_to_landmark,
)
from kpcli.cells import cell_grid, decode, encode
from kpcli.letterbox import Letterbox
from kpcli.types import FaceBox

STRIDES = (8, 16, 32, 64)
NONE = np.zeros((0, 4))


def test_pairwise_iou_agrees_with_face_boxes():
    rng = np.random.default_rng(0)
    a, b = (np.sort(rng.uniform(0, 50, (5, 2, 2)), axis=1).reshape(5, 4) for _ in "ab")
    table = pairwise_iou(a, b)
    for i in range(5):
        for j in range(5):
            assert table[i, j] == pytest.approx(FaceBox(*a[i]).iou(FaceBox(*b[j])))


def test_cells_lie_in_the_middle_of_their_pixels():
    cells = cell_grid(64, 128, STRIDES)
    assert len(cells) == 8 * 16 + 4 * 8 + 2 * 4 + 1 * 2
    assert cells[0].tolist() == [3.5, 3.5, 8]  # pixels 0..7
    assert cells[1].tolist() == [11.5, 3.5, 8]
    assert cells[-1].tolist() == [95.5, 31.5, 64]


@given(
    st.integers(0, 169), st.floats(-50, 150), st.floats(-50, 150), st.floats(1, 400),
    st.floats(1, 400),
)  # fmt: skip
def test_decode_undoes_encode(cell, x, y, width, height):
    cells = cell_grid(64, 128, STRIDES)[cell : cell + 1].astype(np.float64)
    box = np.array([[x, y, x + width, y + height]])
    np.testing.assert_allclose(decode(encode(box, cells), cells), box, atol=1e-6)


def test_zeros_decode_to_a_box_of_one_stride_around_the_cell():
    cells = cell_grid(64, 64, (16,))
    assert decode(np.zeros((16, 4)), cells)[5].tolist() == [15.5, 15.5, 31.5, 31.5]


def test_suppression_keeps_the_best_of_each_heap():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10], [0, 0, 10, 4]], float)
    kept = suppress(boxes, np.array([0.6, 0.9, 0.5, 0.3]), 0.45)
    assert kept.tolist() == [1, 2, 3]
    assert suppress(boxes, np.array([0.6, 0.9, 0.5, 0.3]), 0.99).tolist() == [1, 0, 2, 3]
    assert suppress(NONE, np.zeros(0), 0.5).tolist() == []


def test_a_box_within_a_better_one_or_around_it_is_the_same_thing():
    boxes = np.array([[0, 0, 10, 10], [2, 2, 7, 7], [-9, -9, 15, 15], [6, 6, 14, 14]], float)
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert suppress(boxes, scores, 0.45).tolist() == [0, 1, 2, 3]
    assert suppress(boxes, scores, 0.45, nested=0.6).tolist() == [0, 3]


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (333, 517), (20, 1000), (37, 31)])
def test_a_letterbox_maps_there_and_back(shape):
    letterbox = Letterbox.fit(np.zeros((*shape, 3), np.uint8), 640, 64)
    assert all(side % 64 == 0 for side in letterbox.pixels.shape[:2])
    assert max(letterbox.pixels.shape) == 640
    boxes = np.array([[3.0, 4.0, 17.5, 19.0], [-0.5, -0.5, shape[1] - 0.5, shape[0] - 0.5]])
    there = letterbox.to_letterbox(boxes)
    np.testing.assert_allclose(letterbox.to_picture(there), boxes, atol=1e-9)
    # The picture's outer edges are those of the scaled picture.
    factor = 640 / max(shape)
    expected = [round(shape[1] * factor) - 0.5, round(shape[0] * factor) - 0.5]
    np.testing.assert_allclose(there[1], [-0.5, -0.5, *expected], atol=1e-9)


@pytest.mark.parametrize("shape", [(480, 640), (1201, 903), (3000, 2000), (10, 37)])
def test_a_small_letterbox_shows_the_whole_picture(shape):
    picture = np.zeros((*shape, 3), np.uint8)
    height, width = shape
    picture[height // 2 :, width // 2 :] = 255
    small = Letterbox.fit(picture, 224, 64)
    assert max(small.filled) == 224
    assert all(side % 64 == 0 for side in small.pixels.shape[:2])
    whole = np.array([[-0.5, -0.5, width - 0.5, height - 0.5]])
    columns, rows = small.filled
    np.testing.assert_allclose(  # but for an odd last row or column of each halving
        small.to_letterbox(whole)[0], [-0.5, -0.5, columns - 0.5, rows - 0.5], atol=1
    )
    assert small.pixels[rows * 3 // 4, columns * 3 // 4].min() > 250
    assert small.pixels[rows // 4, columns // 4].max() < 5
    assert not small.pixels[rows:].any()
    assert not small.pixels[:, columns:].any()


@given(st.integers(300, 1400), st.integers(300, 1400), st.sampled_from([96, 256, 320, 640]))
@settings(max_examples=40, deadline=None)
def test_what_a_letterbox_shows_lies_where_it_says(height, width, side):
    """Black up to a column, then white: the edge is where `to_letterbox` has it, to a tenth."""
    edge = width * 4 // 5
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, edge:] = 255
    letterbox = Letterbox.fit(picture, side, 64)
    columns, rows = letterbox.filled
    black = columns - letterbox.pixels[rows // 2, :columns, 0].sum() / 255
    box = np.array([edge - 0.5, 0, edge - 0.5, 0])
    assert letterbox.to_letterbox(box)[0] + 0.5 == pytest.approx(black, abs=0.1)


def test_a_spot_stays_under_its_box_in_a_letterbox():
    picture = np.zeros((200, 100, 3), np.uint8)
    picture[120:160, 40:60] = 255
    letterbox = Letterbox.fit(picture, 400, 64)
    left, top, right, bottom = letterbox.to_letterbox(np.array([39.5, 119.5, 59.5, 159.5]))
    inside = letterbox.pixels[
        round(top) + 2 : round(bottom) - 1, round(left) + 2 : round(right) - 1
    ]
    assert inside.min() > 200
    ys, xs = np.nonzero(letterbox.pixels[..., 0] > 127)
    assert (xs.min() - 0.5, xs.max() + 0.5) == pytest.approx((left, right), abs=1)
    assert (ys.min() - 0.5, ys.max() + 0.5) == pytest.approx((top, bottom), abs=1)


def test_grades_take_each_face_once_and_leave_ignored_ones_out():
    faces = np.array([[0, 0, 10, 10]], float)
    ignored = np.array([[50, 50, 60, 60]], float)
    found = np.array([[0, 0, 10, 11], [0, 0, 10, 10], [51, 50, 61, 60], [80, 80, 90, 90]], float)
    graded = grade(found, np.array([0.9, 0.8, 0.7, 0.6]), faces, ignored)
    assert graded.correct.tolist() == [True, False, False]
    assert graded.scores.tolist() == [0.9, 0.8, 0.6]
    assert graded.faces == 1


def test_average_precision_of_known_cases():
    faces = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], float)
    perfect = grade(faces, np.array([0.9, 0.8]), faces, NONE)
    assert average_precision([perfect]) == pytest.approx(1)
    wrong_first = grade(
        np.array([[50, 0, 60, 10], *faces.tolist()], float), np.array([0.9, 0.8, 0.7]), faces, NONE
    )
    # Precision 0, 1/2, 2/3; made monotonous it is 2/3 throughout.
    assert average_precision([wrong_first]) == pytest.approx(2 / 3)
    half = grade(faces[:1], np.array([0.9]), faces, NONE)
    assert average_precision([half]) == pytest.approx(0.5)
    assert average_precision([perfect, half]) == pytest.approx(0.75)
    assert np.isnan(average_precision([]))


def test_face_boxes_come_best_first():
    faces = face_boxes(np.array([[0, 0, 1, 1], [2, 2, 3, 3]], float), np.array([0.2, 0.7]))
    assert faces == [FaceBox(2, 2, 3, 3, 0.7), FaceBox(0, 0, 1, 1, 0.2)]


def test_a_landmark_box_is_the_lower_part_of_a_wider_box():
    (box,) = wider_to_landmark(np.array([[100.0, 100.0, 180.0, 200.0]]))
    assert 100 < box[1] < 150  # below the hair line, above the eyes
    assert abs(box[3] - 200) < 10
    assert abs((box[0] + box[2]) / 2 - 140) < 3
    assert wider_to_landmark(NONE).shape == (0, 4)


@given(
    shape=st.tuples(st.integers(2, 30), st.integers(2, 30)),
    quarters=st.integers(0, 3),
    where=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_boxes_of_a_turned_picture_come_back(shape, quarters, where):
    height, width = shape
    picture = np.zeros((height, width), np.uint8)
    top, left = int(where[0] * (height - 1)), int(where[1] * (width - 1))
    bottom = top + int(where[2] * (height - 1 - top))
    right = left + int(where[3] * (width - 1 - left))
    picture[top : bottom + 1, left : right + 1] = 1
    rows, columns = np.nonzero(np.rot90(picture, quarters))
    seen = np.array([[columns.min(), rows.min(), columns.max(), rows.max()]], float)
    assert turned_back(seen, quarters, width, height).tolist() == [[left, top, right, bottom]]
