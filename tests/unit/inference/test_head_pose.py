import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpcli.inference.head_pose import MEAN_FACE, RIGID, angles, head_pose, rotation_of


def projected(
    yaw: float, pitch: float, roll: float, at: tuple[float, float] = (0, 0), noise: float = 0.0
) -> np.ndarray:
    """68 points of the mean face, 12 eye distances before a camera of 640 x 480."""
    face = MEAN_FACE @ rotation_of(yaw, pitch, roll).T + [*at, 12.0]
    pixels = face[:, :2] / face[:, 2:] * 640 + [319.5, 239.5]
    points = np.full((68, 2), 300.0)
    points[list(RIGID)] = pixels + np.random.default_rng(0).normal(0, noise, pixels.shape)
    return points


@given(st.floats(-80, 80), st.floats(-60, 60), st.floats(-179, 179))
def test_angles_and_rotation_are_each_other_s_inverse(
    yaw: float, pitch: float, roll: float
) -> None:
    np.testing.assert_allclose(angles(rotation_of(yaw, pitch, roll)), (yaw, pitch, roll), atol=1e-6)


@given(
    st.floats(-65, 65), st.floats(-40, 40), st.floats(-170, 170), st.floats(-3, 3), st.floats(-2, 2)
)
def test_the_pose_of_a_projected_face_comes_back(
    yaw: float, pitch: float, roll: float, x: float, y: float
) -> None:
    got = head_pose(projected(yaw, pitch, roll, (x, y)), 640, 480)
    np.testing.assert_allclose(got, (yaw, pitch, roll), atol=0.1)


@pytest.mark.parametrize("wanted", [(0, 0, 0), (30, 0, 0), (0, -20, 0), (-20, 10, 25)])
def test_noise_of_a_pixel_moves_it_little(wanted: tuple[float, float, float]) -> None:
    got = head_pose(projected(*wanted, noise=0.5), 640, 480)
    np.testing.assert_allclose(got, wanted, atol=5)


def test_signs() -> None:
    """Right, up and clockwise as one sees them on the screen."""
    nose = RIGID.index(30)
    frontal = MEAN_FACE[nose]
    assert (MEAN_FACE @ rotation_of(30, 0, 0).T)[nose][0] > frontal[0]
    assert (MEAN_FACE @ rotation_of(0, 30, 0).T)[nose][1] < frontal[1]
    right_eye = MEAN_FACE[RIGID.index(45)] @ rotation_of(0, 0, 30).T
    assert right_eye[1] > MEAN_FACE[RIGID.index(45)][1]


def test_a_mirrored_face_has_the_mirrored_pose() -> None:
    from kpcli.schemes import IBUG68

    points = projected(25, -10, 15)
    mirrored = points[list(IBUG68.flip_order)] * [-1, 1] + [639, 0]
    np.testing.assert_allclose(head_pose(mirrored, 640, 480), (-25, -10, -15), atol=1e-3)


@pytest.mark.parametrize("points", [np.full((68, 2), np.nan), np.full((68, 2), 5.0)])
def test_points_that_are_no_face_have_no_pose(points: np.ndarray) -> None:
    assert all(math.isnan(v) for v in head_pose(points, 640, 480))
