"""A drawn point must move with its pixel under every geometric augmentation."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from kpcli.options import AugmentOptions
from kpcli.schemes import IBUG68, LandmarkScheme, get_scheme
from kpcli.training import augment
from kpcli.types import FaceBox

SIZE, SCALE = 128, 1.3
OFF = AugmentOptions(**{f.name: 0.0 for f in fields(AugmentOptions) if f.name != "strength"})
PAIR = LandmarkScheme("pair", ("left", "right"), flip_order=(1, 0))
BOX = FaceBox(60, 70, 140, 150)
POINTS = np.array([[80.0, 95.0], [123.0, 101.0]], np.float32)
COLOURS = ((255, 0, 0), (0, 255, 0))


def drawn() -> np.ndarray:
    pixels = np.zeros((220, 200, 3), np.uint8)
    for point, colour in zip(POINTS, COLOURS, strict=True):
        x, y = (int(v) for v in point)
        cv2.circle(pixels, (x, y), 4, colour, -1)
    return pixels


def centroid(channel: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: channel.shape[0], : channel.shape[1]]
    weight = channel.astype(float)
    assert weight.sum() > 1000, "the dot left the crop"
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("box_from_points", [False, True])
@pytest.mark.parametrize(
    "change",
    [{"rotation": 60.0}, {"scale": 0.3}, {"shift": 0.1}, {"flip": 1.0},
     {"rotation": 40.0, "scale": 0.2, "shift": 0.1, "flip": 0.5}],
    ids=lambda c: "+".join(c),
)  # fmt: skip
def test_point_moves_with_its_pixel(change: dict[str, float], box_from_points: bool) -> None:
    options = replace(OFF, **change)
    positions = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        box = BOX if not box_from_points else FaceBox(80, 80, 123, 123)
        crop, unit, _ = augment.geometric(
            rng, drawn(), POINTS, box, PAIR, options, SIZE, 3.0 if box_from_points else SCALE,
            box_from_points=box_from_points,
        )  # fmt: skip
        pixels = ((unit + 1) * SIZE - 1) / 2
        # Mirrored points are reordered: the first point of the result is then the green dot.
        red, green = centroid(crop[..., 0]), centroid(crop[..., 1])
        mirrored = np.linalg.norm(red - pixels[0]) > np.linalg.norm(green - pixels[0])
        seen = np.array([green, red] if mirrored else [red, green])
        np.testing.assert_allclose(seen, pixels, atol=0.35)
        assert mirrored == (change.get("flip") == 1.0) or 0 < change.get("flip", 0) < 1
        positions.append(pixels[0])
    if change != {"flip": 1.0}:
        assert np.ptp(positions, axis=0).max() > 3, "nothing moved"


def test_mirroring_needs_a_flip_order() -> None:
    options = replace(OFF, flip=1.0)
    generic = get_scheme("points2")
    crop, unit, _ = augment.geometric(
        np.random.default_rng(0), drawn(), POINTS, BOX, generic, options, SIZE, SCALE
    )
    pixels = ((unit + 1) * SIZE - 1) / 2
    np.testing.assert_allclose(centroid(crop[..., 0]), pixels[0], atol=0.35)


def testturned_box_is_the_box_of_the_turned_points() -> None:
    """A face turned by 90 degrees is framed as tightly as an upright one."""
    rng = np.random.default_rng(3)
    points = rng.uniform(-1, 1, (68, 2)).astype(np.float32) * [30, 50] + [100, 110]
    points = points.astype(np.float32)
    low, high = points.min(0), points.max(0)
    box = FaceBox(*low.tolist(), *high.tolist())
    resized, shift = augment.turned_box(points, box, IBUG68, 90.0)
    assert resized.side == pytest.approx(box.side, rel=1e-3)
    assert np.hypot(*shift) * resized.side == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(
    "step", [augment.colour, augment.gray, augment.occlude, augment.shrink, augment.blur,
             augment.jpeg],
)  # fmt: skip
def test_photometric_steps_change_pixels_not_shape(step: object) -> None:
    rng = np.random.default_rng(1)
    crop = cv2.GaussianBlur(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), (0, 0), 2)
    changed = [step(np.random.default_rng(seed), crop) for seed in range(8)]  # type: ignore[operator]
    for after in changed:
        assert after.shape == crop.shape
        assert after.dtype == np.uint8
    assert any((after != crop).any() for after in changed)


def test_occlusion_covers_a_part_and_leaves_the_rest() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    before = crop.copy()
    shares, flat = [], 0
    for seed in range(60):
        after = augment.occlude(np.random.default_rng(seed), crop)
        changed = (after != crop).any(axis=2)
        shares.append(changed.mean())
        flat += len(np.unique(after[changed], axis=0)) == 1
    np.testing.assert_array_equal(crop, before)
    assert 0 < min(shares) < max(shares) < 0.7
    assert 8 < flat < 32  # one in three is of one colour


def test_blur_keeps_a_dot_in_its_place() -> None:
    crop = np.zeros((65, 65, 3), np.uint8)
    crop[30:35, 40:45] = 255
    for seed in range(20):
        after = augment.blur(np.random.default_rng(seed), crop)
        np.testing.assert_allclose(centroid(after[..., 0]), [42, 32], atol=0.6)


def test_strength_zero_switches_off_and_scales() -> None:
    assert augment.scaled(AugmentOptions(strength=0)).rotation == 0
    assert augment.scaled(AugmentOptions(strength=2)).rotation == 2 * AugmentOptions().rotation
    assert augment.scaled(AugmentOptions(strength=9)).colour == 1.0


def test_rotation_stays_within_three_times_the_limit() -> None:
    rng = np.random.default_rng(0)
    turns = np.array([augment.random_rotation(rng, 30.0) for _ in range(4000)])
    assert np.abs(turns).max() <= 90
    assert (np.abs(turns) > 30).mean() == pytest.approx(1 / 7 * 2 / 3, abs=0.03)
