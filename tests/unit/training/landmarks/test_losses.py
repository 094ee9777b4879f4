"""Losses against values worked out by hand."""

import math

import numpy as np
import pytest

from kpcli.errors import UsageError
from kpcli.training.landmarks import losses

TRUTH = np.zeros((1, 2, 2), np.float32)
OFF = np.array([[[0.03, -0.04], [0.3, 0.4]]], np.float32)


def value(loss: object, **outputs: np.ndarray) -> np.ndarray:
    return np.asarray(loss(TRUTH, {"points": OFF, **outputs}))[0]  # type: ignore[operator]


def test_mse_is_the_squared_distance() -> None:
    np.testing.assert_allclose(value(losses.mse), [0.0025, 0.25], rtol=1e-5)


def test_l1() -> None:
    np.testing.assert_allclose(value(losses.l1), [0.07, 0.7], rtol=1e-5)


def test_smooth_l1_is_linear_above_beta() -> None:
    np.testing.assert_allclose(value(losses.smooth_l1), [0.05, 0.68], rtol=1e-5)


def test_wing_is_logarithmic_near_and_linear_far() -> None:
    near = 0.1 * (math.log(1 + 0.03 / 0.02) + math.log(1 + 0.04 / 0.02))
    constant = 0.1 - 0.1 * math.log(1 + 0.1 / 0.02)
    np.testing.assert_allclose(value(losses.wing), [near, 0.7 - 2 * constant], rtol=1e-5)


def test_wing_is_continuous_where_its_pieces_meet() -> None:
    below, above = np.asarray(losses.wing_of(np.array([0.1 - 1e-6, 0.1 + 1e-6], np.float32)))
    assert below == pytest.approx(above, abs=1e-5)


def test_gaussian_nll() -> None:
    log_sigma = np.log(np.array([[0.05, 0.5]], np.float32))
    expected = [0.5 + 2 * math.log(0.05), 0.5 + 2 * math.log(0.5)]
    np.testing.assert_allclose(value(losses.gaussian_nll, log_scale=log_sigma), expected, rtol=1e-4)


def test_scale_nll_is_least_where_twice_b_is_the_distance() -> None:
    """The density exp(-d / b) / b^2 on the plane has mean distance 2 b."""
    scales = np.linspace(0.005, 0.1, 400, dtype=np.float32)
    values = [
        value(losses.scale_nll, log_scale=np.full((1, 2), math.log(b), np.float32))[0]
        for b in scales
    ]
    assert scales[int(np.argmin(values))] == pytest.approx(0.05 / 2, abs=3e-4)


def test_adaptive_wing_prefers_the_right_heatmap() -> None:
    truth = np.zeros((1, 1, 2), np.float32)
    cells = (np.arange(16) * 2 + 1) / 16 - 1
    gauss = np.exp(-0.5 * ((cells[:, None] * 8) ** 2 + (cells[None] * 8) ** 2))
    right = np.log((gauss + 1e-6) / (1 - gauss + 1e-6)).astype(np.float32)[None, :, :, None]
    wrong = np.roll(right, 5, axis=1)
    points = np.zeros((1, 1, 2), np.float32)
    good, bad = (
        float(np.asarray(losses.adaptive_wing(truth, {"points": points, "heatmaps": h}))[0, 0])
        for h in (right, wrong)
    )
    assert 0 <= good < 0.05 < bad


def test_loss_without_its_output_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="gaussian_nll"):
        losses.gaussian_nll(TRUTH, {"points": OFF})


def test_masked_points_do_not_count() -> None:
    values = np.array([[1.0, 100.0], [3.0, 5.0]], np.float32)
    mask = np.array([[1.0, 0.0], [1.0, 1.0]], np.float32)
    assert float(losses.masked_mean(values, mask)) == pytest.approx(3.0)
    assert float(losses.masked_mean(values, mask * 0)) == 0.0


def test_a_sliding_truth_leaves_the_error_across_the_outline() -> None:
    tangent = np.array([[[1.0, 0.0], [0.0, 0.0]]], np.float32)
    slid = np.asarray(losses.slid(TRUTH, OFF, tangent))
    np.testing.assert_allclose(slid[0], [[0.03, 0.0], [0.0, 0.0]], atol=1e-7)


def test_a_truth_slides_only_so_far() -> None:
    far = np.array([[[0.5, 0.1], [0.0, 0.0]]], np.float32)
    tangent = np.array([[[0.6, 0.8], [0.0, 0.0]]], np.float32)
    slid = np.asarray(losses.slid(TRUTH, far, tangent))[0, 0]
    assert np.linalg.norm(slid) == pytest.approx(losses.SLIDE)
