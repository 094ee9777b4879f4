from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.dataset_builders import UNIT_FACES, face
from hypothesis import assume, given
from hypothesis import strategies as st

from kpcli.geometry import (
    REFERENCE_FIVE,
    CropTransform,
    box_to_unit,
    flip_points,
    landmark_box,
    similarity,
    tight_box,
    unit_to_box,
)
from kpcli.schemes import CELEBA5, COFW29, IBUG51, IBUG68, KAGGLE15, get_scheme
from kpcli.types import FaceBox

BOXES = st.builds(
    lambda x, y, w, h: FaceBox(x, y, x + w, y + h),
    st.floats(-500, 4000),
    st.floats(-500, 4000),
    st.floats(1, 3000),
    st.floats(1, 3000),
)
CROPS = st.builds(
    CropTransform.from_box,
    BOXES,
    st.sampled_from([14, 64, 96, 128, 192, 256]),
    st.floats(0.8, 3),
    rotation=st.floats(-180, 180),
    shift=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    mirror=st.booleans(),
)
POINT = st.tuples(st.floats(-1000, 5000), st.floats(-1000, 5000))


@given(BOXES, POINT)
def test_box_units_there_and_back(box: FaceBox, point: tuple[float, float]) -> None:
    points = np.array([point])
    np.testing.assert_allclose(unit_to_box(box_to_unit(points, box), box), points, atol=1e-6)


def test_box_units_by_hand() -> None:
    """Normalised to the box's square: the shorter side does not reach -1 and 1."""
    box = FaceBox(10, 20, 30, 60)
    points = np.array([[20, 40], [20, 20], [20, 60], [10, 40], [0, 40]])
    unit = [[0, 0], [0, -1], [0, 1], [-0.5, 0], [-1, 0]]
    np.testing.assert_allclose(box_to_unit(points, box), unit)


@given(CROPS, POINT)
def test_crop_units_there_and_back(crop: CropTransform, point: tuple[float, float]) -> None:
    points = np.array([point])
    tolerance = 1e-3 + 1e-6 * np.abs(points).max()  # to_frame answers in float32
    np.testing.assert_allclose(crop.to_frame(crop.to_unit(points)), points, atol=tolerance)
    pixels = crop.to_crop_pixels(points)
    np.testing.assert_allclose(crop.to_frame_pixels(pixels), points, atol=1e-6)
    # Units run from -1 at the first pixel's outer edge to 1 at the last one's.
    np.testing.assert_allclose(crop.to_unit(points), (2 * pixels + 1) / crop.size - 1, atol=1e-9)


@given(BOXES, st.sampled_from([64, 128, 129]), st.floats(0.8, 3))
def test_plain_crop_by_hand(box: FaceBox, size: int, scale: float) -> None:
    """The box's centre is the middle of the crop, and the crop is ``scale`` box sides wide."""
    crop = CropTransform.from_box(box, size, scale)
    centre, half = np.array(box.centre), box.side * scale / 2
    frame = np.array([centre, centre - half, centre + half])
    np.testing.assert_allclose(crop.to_unit(frame), [[0, 0], [-1, -1], [1, 1]], atol=1e-9)
    assert crop.pixels_per_pixel == pytest.approx(size / (box.side * scale))


@pytest.mark.parametrize(
    ("options", "right_goes_to"),
    [
        ({}, (1, 0)),
        ({"rotation": 90}, (0, 1)),
        ({"rotation": 180}, (-1, 0)),
        ({"mirror": True}, (-1, 0)),
        ({"mirror": True, "rotation": 90}, (0, 1)),
        ({"shift": (1, 0)}, (0, 0)),
    ],
)
def test_directions(options: dict[str, object], right_goes_to: tuple[float, float]) -> None:
    """A point right of the box's centre; positive rotation is clockwise on the screen (y down)."""
    crop = CropTransform.from_box(FaceBox(0, 0, 100, 100), 64, 2.0, **options)
    unit = crop.to_unit(np.array([[150.0, 50.0]]))
    np.testing.assert_allclose(unit, [right_goes_to], atol=1e-9)


@given(CROPS)
def test_crops_are_similarities(crop: CropTransform) -> None:
    linear = crop.matrix[:, :2]
    k = crop.pixels_per_pixel
    np.testing.assert_allclose(linear @ linear.T, k * k * np.eye(2), atol=1e-9 * max(1, k * k))


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotation", [0, 33, -120])
@pytest.mark.parametrize("side", [12, 40, 130, 300, 600, 1500])
def test_a_drawn_dot_moves_with_its_point(side: int, rotation: float, mirror: bool) -> None:
    """From enlarging 5 times to shrinking 23 times, the dot's centroid is where points go."""
    rng = np.random.default_rng(side)
    size, scale = 64, 1.0
    frame_side = int(side * 1.5) + 20
    for _ in range(3):
        # A dot that is about two pixels wide in the crop, and at least one in the frame.
        sigma = max(0.7, 1.2 * side / size)
        dot = frame_side / 2 + rng.uniform(-0.3, 0.3, 2) * side
        y, x = np.mgrid[:frame_side, :frame_side]
        distance = (x - dot[0]) ** 2 + (y - dot[1]) ** 2
        gray = 255 * np.exp(-distance / (2 * sigma**2))
        pixels = np.repeat(gray.round().astype(np.uint8)[..., None], 3, axis=2)
        centre = frame_side / 2
        box = FaceBox(*(centre + s * side / 2 for s in (-1, -1, 1, 1)))
        crop = CropTransform.from_box(box, size, scale, rotation=rotation, mirror=mirror)
        expected = crop.to_crop_pixels(dot[None])[0]
        assert ((expected > 8) & (expected < size - 9)).all(), "its tail must lie inside"
        found = centroid(crop.to_crop(pixels))
        np.testing.assert_allclose(found, expected, atol=0.06)


def centroid(pixels: np.ndarray) -> np.ndarray:
    weight = pixels[..., 0].astype(float)
    weight[weight < 3] = 0
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def test_whole_frame_crop_is_the_frame() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    crop = CropTransform.from_box(FaceBox(-0.5, -0.5, 63.5, 63.5), 64, 1.0)
    np.testing.assert_array_equal(crop.to_crop(pixels), pixels)
    mirrored = CropTransform.from_box(FaceBox(-0.5, -0.5, 63.5, 63.5), 64, 1.0, mirror=True)
    np.testing.assert_array_equal(mirrored.to_crop(pixels), pixels[:, ::-1])


def test_shrinking_averages_instead_of_picking() -> None:
    """Noise becomes gray: an aliasing crop would show noise of its own."""
    pixels = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    crop = CropTransform.from_box(FaceBox(-0.5, -0.5, 1023.5, 1023.5), 64, 1.0)
    small = crop.to_crop(pixels)[2:-2, 2:-2]
    assert small.std() < 8
    assert abs(float(small.mean()) - 127.5) < 2


def test_outside_the_frame_is_black() -> None:
    pixels = np.full((20, 20, 3), 200, np.uint8)
    for box in (FaceBox(100, 100, 130, 130), FaceBox(-5000, 0, -2000, 3000)):
        assert CropTransform.from_box(box, 32, 1.5).to_crop(pixels).max() == 0
    half = CropTransform.from_box(FaceBox(9.5, -0.5, 29.5, 19.5), 40, 1.0).to_crop(pixels)
    assert half[2:-2, :18].min() == 200
    assert half[:, 22:].max() == 0


def test_a_box_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="no area"):
        CropTransform.from_box(FaceBox(5, 5, 5, 5), 64, 1.3)
    with pytest.raises(ValueError, match="no area"):
        CropTransform.from_box(FaceBox(5, 5, math.nan, 5), 64, 1.3)


@given(st.floats(0.1, 50), st.floats(-math.pi, math.pi), POINT)
def test_similarity_finds_scale_turn_and_shift(
    scale: float, angle: float, shift: tuple[float, float]
) -> None:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    matrix = np.array([[c, -s, shift[0]], [s, c, shift[1]]])
    target = REFERENCE_FIVE @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(similarity(REFERENCE_FIVE, target), matrix, atol=1e-6)


def test_similarity_never_mirrors_and_needs_two_places() -> None:
    matrix = similarity(REFERENCE_FIVE, REFERENCE_FIVE * [-1, 1])
    assert np.linalg.det(matrix[:, :2]) >= 0
    with pytest.raises(ValueError, match="coincide"):
        similarity(np.ones((3, 2)), REFERENCE_FIVE[:3])


@pytest.mark.parametrize("scheme", [IBUG68, IBUG51, COFW29, KAGGLE15, CELEBA5])
def test_flip_twice_is_the_identity(scheme: object) -> None:
    points = np.random.default_rng(0).random((2, scheme.n_points, 2)).astype(np.float32)
    assert not np.array_equal(flip_points(points, scheme), points)
    np.testing.assert_array_equal(flip_points(flip_points(points, scheme), scheme), points)


def test_flip_needs_left_and_right() -> None:
    with pytest.raises(ValueError, match="cannot be mirrored"):
        flip_points(np.zeros((7, 2), np.float32), get_scheme("points7"))


def test_tight_box_leaves_unlabelled_points_out() -> None:
    points = np.array([[1, 2], [np.nan, np.nan], [5, 9], [3, -4]])
    assert tight_box(points) == FaceBox(1, -4, 5, 9)
    with pytest.raises(ValueError, match="no labelled point"):
        tight_box(np.full((3, 2), np.nan))


def test_landmark_box_spans_brows_to_chin() -> None:
    points = face(68)
    assert landmark_box(points, IBUG68) == tight_box(points)


@given(st.floats(10, 1000), st.floats(-40, 40), POINT)
def test_landmark_box_of_five_points_is_the_reference_face(
    side: float, degrees: float, centre: tuple[float, float]
) -> None:
    """The box does not turn with the face, but keeps its centre and size."""
    a = math.radians(degrees)
    turn = np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
    points = (REFERENCE_FIVE * side) @ turn + centre
    box = landmark_box(points.astype(np.float64), CELEBA5)
    assert box.width == pytest.approx(side, rel=1e-3, abs=0.01)
    assert box.height == pytest.approx(side, rel=1e-3, abs=0.01)
    assert box.centre == pytest.approx(centre, rel=1e-3, abs=0.05)


@pytest.mark.parametrize("n", [5, 15, 29])
def test_landmark_box_of_few_points_is_near_that_of_68(n: int) -> None:
    """The drawn faces of all schemes are one face: their boxes must agree roughly."""
    scheme = get_scheme({5: "celeba5", 15: "kaggle15", 29: "cofw29"}[n])
    box = landmark_box(UNIT_FACES[n]() * 100, scheme)
    whole = landmark_box(UNIT_FACES[68]() * 100, IBUG68)
    assert box.iou(whole) > 0.75


def test_landmark_box_with_points_missing() -> None:
    points = face(5)
    points[[0, 3]] = np.nan
    some = landmark_box(points, CELEBA5)
    assert some.iou(landmark_box(face(5), CELEBA5)) > 0.9
    points[1:] = np.nan
    points[2] = [7, 9]
    assert landmark_box(points, CELEBA5) == FaceBox(7, 9, 7, 9)


@given(BOXES, BOXES)
def test_iou(a: FaceBox, b: FaceBox) -> None:
    assume(a.area > 0)
    assert a.iou(a) == pytest.approx(1)
    assert a.iou(b) == pytest.approx(b.iou(a))
    assert 0 <= a.iou(b) <= 1 + 1e-9


def test_iou_by_hand() -> None:
    assert FaceBox(0, 0, 2, 2).iou(FaceBox(1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert FaceBox(0, 0, 2, 2).iou(FaceBox(2, 0, 4, 2)) == 0
