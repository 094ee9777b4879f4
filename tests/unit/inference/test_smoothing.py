import numpy as np
import pytest

from kpcli.inference.smoothing import OneEuro

SIDE = 100.0


def run(track: np.ndarray, rate: float = 30.0, side: float = SIDE) -> np.ndarray:
    """Filter points (T, N, 2) at a steady rate."""
    one = OneEuro()
    return np.array([one(p.astype(np.float32), side, i / rate) for i, p in enumerate(track)])


def still(count: int = 200, noise: float = 0.5) -> np.ndarray:
    generator = np.random.default_rng(0)
    return np.array([[40.0, 60.0], [10.0, 5.0]]) + generator.normal(0, noise, (count, 2, 2))


def jitter(track: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(track, 2, axis=0), axis=2).mean())


def test_a_still_face_trembles_much_less() -> None:
    track = still()
    assert jitter(run(track)) < 0.25 * jitter(track)
    assert np.abs(run(track)[50:].mean(axis=0) - track.mean(axis=0)).max() < 0.1


def test_a_moving_face_does_not_lag() -> None:
    """Two face sides a second: what the filter holds back stays below 2 % of the face."""
    track = still(60, 0.0) + np.linspace(0, 400, 60)[:, None, None]
    lag = np.abs(run(track) - track).max()
    assert lag < 0.04 * SIDE


def test_it_does_not_depend_on_the_size_of_the_face() -> None:
    track = still()
    np.testing.assert_allclose(run(track * 3, side=3 * SIDE), run(track) * 3, rtol=1e-4)


def test_true_time_counts_not_frames() -> None:
    """A step half-way to its end after the same seconds at 60 as at 30 frames a second."""
    step = np.zeros((60, 1, 2))
    step[1:] = 1.0
    slow, fast = run(step, 30.0), run(np.concatenate([step, step[-1:]]), 60.0)
    assert fast[12, 0, 0] == pytest.approx(slow[6, 0, 0], abs=0.08)


def test_after_a_gap_it_begins_anew() -> None:
    one = OneEuro()
    points = np.zeros((3, 2), np.float32)
    one(points, SIDE, 0.0)
    np.testing.assert_array_equal(one(points + 50, SIDE, 1.0), points + 50)
    # Time that stands still or runs back gives no speed.
    np.testing.assert_array_equal(one(points + 70, SIDE, 1.0), points + 70)
