"""Measures of drawn faces whose shape is known."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from kpcli.inference.head_pose import MEAN_FACE, RIGID, rotation_of
from kpcli.inference.measures import HONEST_PITCH, HONEST_YAW, SYMMETRIC_YAW, appearance, measure
from kpcli.schemes import IBUG51, IBUG68, WFLW98, WFLW98_TO_IBUG68, LandmarkScheme, get_scheme
from kpcli.types import Face, FaceBox, HeadPose, Measures


def drawn(
    left: float = 0.3, right: float = 0.3, gap: float = 0.0, smile: float = 50, brow: float = 20
) -> np.ndarray:
    """A face in pixels: outer eye corners 100 apart, eyes 30 wide, of these aspect ratios.

    The mouth is ``smile`` wide, its inside 40 and ``gap`` pixels open; brows stand ``brow``
    pixels above the eyes' middles.
    """
    points = np.zeros((68, 2))
    for first, x, ratio in ((36, -35, left), (42, 35, right)):
        half = 30 * ratio / 2
        points[first : first + 6] = [
            (x - 15, 0), (x - 5, -half), (x + 5, -half), (x + 15, 0), (x + 5, half), (x - 5, half),
        ]  # fmt: skip
        brows = 17 if x < 0 else 22
        points[brows : brows + 5] = [(x + dx, -brow) for dx in (-16, -8, 0, 8, 16)]
    points[27:31] = [(0, 5), (0, 15), (0, 25), (0, 35)]
    points[31:36] = [(dx, 42) for dx in (-12, -6, 0, 6, 12)]
    outer = [-1, -0.6, -0.2, 0, 0.2, 0.6, 1]
    points[48:55] = [(smile / 2 * dx, 65 - (8 if abs(dx) < 1 else 0)) for dx in outer]
    points[55:60] = [(smile / 2 * dx, 75) for dx in (0.6, 0.2, 0, -0.2, -0.6)]
    inner = [(-20, 0), (-8, -gap / 2), (0, -gap / 2), (8, -gap / 2), (20, 0), (8, gap / 2),
             (0, gap / 2), (-8, gap / 2)]  # fmt: skip
    points[60:68] = [(x, 65 + y) for x, y in inner]
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([65 * np.cos(angle), 15 + 85 * np.sin(angle)], axis=1)
    return points


def face(points: np.ndarray, pose: HeadPose | None = None) -> Face:
    moved = (points + 200).astype(np.float32)
    scores = np.ones(len(points), np.float32)
    return Face(FaceBox(100, 110, 190, 150), moved, scores, 0.9, 0, pose)


def measured(points: np.ndarray, pose: HeadPose | None = None) -> Measures:
    return measure(face(points, pose), IBUG68)


def test_every_measure_of_a_known_face() -> None:
    m = measured(drawn(left=0.3, right=0.2, gap=16, smile=60, brow=20))
    assert m.ear_left == pytest.approx(0.3, abs=1e-5)
    assert m.ear_right == pytest.approx(0.2, abs=1e-5)
    assert m.ear == pytest.approx(0.25, abs=1e-5)
    assert m.mouth_open == pytest.approx(16 / 40, abs=1e-5)
    assert m.mouth_width == pytest.approx(0.6, abs=1e-5)
    assert m.brow_left == pytest.approx(0.2, abs=1e-5)
    assert m.brow_right == pytest.approx(0.2, abs=1e-5)
    assert m.eye_distance == pytest.approx(70, abs=1e-3)
    assert m.face_size == pytest.approx(60)
    assert m.doubtful == 0
    assert math.isnan(m.sharpness)
    assert math.isnan(m.brightness)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 3.0), (35, 1.0), (-90, 0.5), (180, 1.0)])
def test_shape_does_not_depend_on_size_and_lean(degrees: float, scale: float) -> None:
    points = drawn(left=0.32, right=0.21, gap=9, smile=57, brow=24)
    turn = rotation_of(0, 0, degrees)[:2, :2]
    there = np.array(measured(scale * points @ turn.T)[:7])
    np.testing.assert_allclose(there, measured(points)[:7], atol=1e-4)


def by_trial(points: np.ndarray) -> float:
    """The asymmetry about the best of many midlines through the middle of the 51 points."""
    inner = points[17:]
    here = inner - inner.mean(axis=0)
    there = here[list(IBUG51.flip_order)]

    def about(angle: float) -> np.ndarray:
        c, s = math.cos(2 * angle), math.sin(2 * angle)
        return here - there @ np.array([[c, s], [s, -c]])

    best, width = np.pi / 2, np.pi / 2
    for _ in range(5):  # ever finer about the best so far
        best = min(best + np.linspace(-width, width, 201), key=lambda a: (about(a) ** 2).sum())
        width /= 50
    return np.linalg.norm(about(best), axis=1).mean() / np.linalg.norm(points[45] - points[36])


def test_asymmetry_is_that_about_the_own_midline() -> None:
    points = drawn()
    assert measured(points).asymmetry == pytest.approx(0, abs=1e-5)
    dropped, raised = points.copy(), points.copy()
    dropped[48, 1] += 10  # one corner of the mouth, 0.1 inter-ocular distances
    raised[17:22, 1] -= 6  # one brow
    for uneven in (dropped, raised):
        assert measured(uneven).asymmetry == pytest.approx(by_trial(uneven), rel=1e-4)
    assert measured(raised).asymmetry > measured(dropped).asymmetry > 0.1 / 51
    assert measured(raised).brow_left == pytest.approx(0.26, abs=1e-5)


def turned(yaw: float, pitch: float) -> tuple[np.ndarray, HeadPose]:
    """The mean face under orthography; of the lips' inside, a flat mouth with a gap."""
    model = np.zeros((68, 3))
    model[list(RIGID)] = MEAN_FACE
    lips = [(-0.2, 0), (-0.08, -0.06), (0, -0.06), (0.08, -0.06), (0.2, 0), (0.08, 0.06),
            (0, 0.06), (-0.08, 0.06)]  # fmt: skip
    model[60:68] = [(x, 0.74 + y, 0.0) for x, y in lips]
    rotation = rotation_of(yaw, pitch, 7)
    return 100 * (model @ rotation.T)[:, :2], HeadPose(yaw, pitch, 7)


@pytest.mark.parametrize(
    ("yaw", "pitch"), [(15, 0), (-15, 0), (28, 0), (0, 15), (0, -15), (20, 10)]
)
def test_a_turn_is_taken_out(yaw: float, pitch: float) -> None:
    frontal = measured(*turned(0, 0))
    points, pose = turned(yaw, pitch)
    there, raw = measured(points, pose), measured(points)
    worst_raw = 0.0
    for name in ("ear_left", "ear_right", "mouth_open", "mouth_width", "brow_left", "brow_right"):
        was, now = getattr(frontal, name), getattr(there, name)
        assert now == pytest.approx(was, rel=0.12), name
        worst_raw = max(worst_raw, abs(getattr(raw, name) / was - 1))
    assert worst_raw > 0.05  # without the pose it would have been wrong


def test_no_value_where_none_is_honest() -> None:
    points = drawn()
    for pose in (
        HeadPose(HONEST_YAW + 1, 0, 0),
        HeadPose(0, -HONEST_PITCH - 1, 0),
        HeadPose(*[math.nan] * 3),
    ):
        m = measured(points, pose)
        assert all(math.isnan(v) for v in m[:7])
        assert math.isnan(m.ear)
        assert m.eye_distance == pytest.approx(70, abs=1e-3)
    slight = measured(points, HeadPose(SYMMETRIC_YAW + 1, 0, 0))
    assert math.isnan(slight.asymmetry)
    assert math.isfinite(slight.ear)


def test_other_schemes() -> None:
    points = drawn(left=0.31, gap=12)
    one = measured(points)
    inner = measure(face(points[17:]), IBUG51)
    np.testing.assert_allclose(inner[:8], one[:8], atol=1e-5)
    wide = np.zeros((98, 2))
    wide[list(WFLW98_TO_IBUG68)] = points
    wide[[96, 97]] = [(-35, 0), (35, 0)]
    np.testing.assert_allclose(measure(face(wide), WFLW98)[:8], one[:8], atol=1e-5)
    five = measure(
        face(np.array([(-35, 0), (35, 0), (0, 35), (-20, 60), (20, 60)])), get_scheme("celeba5")
    )
    assert all(math.isnan(v) for v in five[:7])
    assert five.eye_distance == pytest.approx(70, abs=1e-3)
    own = measure(face(points[:3]), LandmarkScheme("own", ("a", "b", "c")))
    assert all(math.isnan(v) for v in own[:8])
    assert own.face_size == pytest.approx(60)


def test_points_that_are_no_numbers_or_all_one() -> None:
    broken = drawn()
    broken[37] = np.nan
    m = measured(broken)
    assert math.isnan(m.ear_left)
    assert m.ear == m.ear_right == pytest.approx(0.3, abs=1e-5)
    assert all(math.isnan(v) for v in measured(np.zeros((68, 2)))[:7])


def test_share_of_doubtful_points() -> None:
    scores = np.ones(68, np.float32)
    scores[:17] = 0.49
    assert measure(replace(face(drawn()), point_confidences=scores), IBUG68).doubtful == 0.25


def scene(side: int) -> np.ndarray:
    """A drawn face of ``side`` pixels, its box at 20, 20."""
    pixels = np.full((side + 40, side + 40, 3), 100, np.uint8)
    middle, unit = 20 + side // 2, side / 100
    for x in (-20, 20):
        place = (round(middle + x * unit), round(middle - 15 * unit))
        cv2.circle(pixels, place, round(8 * unit), (20, 20, 20), -1)
    cv2.ellipse(
        pixels, (middle, round(middle + 25 * unit)), (round(20 * unit), round(6 * unit)), 0, 0, 360,
        (160, 40, 40), -1,
    )  # fmt: skip
    return pixels


def test_brightness_is_the_box_s_mean() -> None:
    pixels = np.full((200, 200, 3), 250, np.uint8)
    pixels[50:100, 50:100] = 90
    assert appearance(pixels, FaceBox(50, 50, 100, 100))[1] == pytest.approx(90)
    assert appearance(pixels, FaceBox(-100, -100, 10, 10))[1] == pytest.approx(250)
    assert all(math.isnan(v) for v in appearance(pixels, FaceBox(300, 0, 400, 90)))


def test_a_blurred_face_is_less_sharp_at_any_size() -> None:
    values = []
    for side in (128, 256, 512):
        pixels = scene(side)
        box = FaceBox(20, 20, 20 + side, 20 + side)
        sharp = appearance(pixels, box)[0]
        soft = appearance(cv2.GaussianBlur(pixels, (0, 0), side / 60), box)[0]
        softer = appearance(cv2.GaussianBlur(pixels, (0, 0), side / 25), box)[0]
        assert sharp > 2 * soft > 2 * softer
        values.append(sharp)
    assert max(values) < 3 * min(values)
    small = cv2.resize(scene(256), None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    assert appearance(small, FaceBox(2, 2, 35, 35))[0] < min(values) / 5
