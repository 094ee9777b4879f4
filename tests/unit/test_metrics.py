"""Metrics against cases computed by hand, and what must hold for any face."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpcli.errors import UsageError
from kpcli.geometry import similarity
from kpcli.metrics import (
    auc,
    bootstrap_interval,
    ced,
    face_nme,
    failure_rate,
    nme,
    normalisers,
    protocol_for,
    score,
)
from kpcli.schemes import CELEBA5, COFW29, IBUG51, IBUG68, KAGGLE15, WFLW98, LandmarkScheme

INF, NAN = math.inf, math.nan


def five_points_face() -> np.ndarray:
    """Eyes 40 apart, nose and mouth below."""
    return np.array([[[10, 20], [50, 20], [30, 40], [15, 60], [45, 60]]], np.float32)


# --- normalisers ---------------------------------------------------------------------------


def test_pupil_distance_of_five_points() -> None:
    lengths = normalisers(five_points_face(), CELEBA5, "pupil")
    np.testing.assert_allclose(lengths, [40])


def test_ocular_is_outer_corners_and_pupil_is_means_of_six() -> None:
    points = np.zeros((1, 68, 2), np.float32)
    points[0, 36], points[0, 45] = (0, 0), (60, 80)
    assert normalisers(points, IBUG68, "ocular")[0] == 100
    # Five of six points of the left eye stay at 0, the sixth does so too; of the right one
    # five are at 0 and one at (60, 80): its mean is (10, 13.33), 16.67 away.
    assert normalisers(points, IBUG68, "pupil")[0] == pytest.approx(100 / 6)


@pytest.mark.parametrize(
    ("scheme", "protocol", "ends"),
    [
        (WFLW98, "ocular", (60, 72)),
        (COFW29, "ocular", (8, 9)),
        (COFW29, "pupil", (16, 17)),
        (CELEBA5, "pupil", (0, 1)),
        (IBUG51, "ocular", (36 - 17, 45 - 17)),
    ],
)
def test_published_normaliser_points(
    scheme: LandmarkScheme, protocol: str, ends: tuple[int, int]
) -> None:
    points = np.random.default_rng(0).uniform(0, 9, (1, scheme.n_points, 2))
    points[0, ends[0]], points[0, ends[1]] = (0, 0), (3, 4)
    assert normalisers(points, scheme, protocol)[0] == pytest.approx(5)


def test_box_is_the_root_of_its_area() -> None:
    truth = np.array([[[0, 0], [40, 30], [7, 90], [500, NAN], [NAN, NAN]]], np.float32)
    assert normalisers(truth, CELEBA5, "box")[0] == 60
    assert np.isnan(normalisers(np.full_like(truth, NAN), CELEBA5, "box")[0])


def test_unlabelled_or_coinciding_eyes_give_no_length() -> None:
    unlabelled, coinciding = five_points_face(), five_points_face()
    unlabelled[0, 0] = NAN
    coinciding[0, 0] = coinciding[0, 1]
    lengths = normalisers(np.concatenate([unlabelled, coinciding]), CELEBA5, "pupil")
    assert np.isnan(lengths).all()


# --- protocols -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "name", "protocol", "cut"),
    [
        (IBUG68, None, "ocular", 8),
        (IBUG68, "pupil", "pupil", 8),
        (IBUG68, "box", "box", 7),
        (WFLW98, None, "ocular", 10),
        (COFW29, None, "ocular", 10),
        (CELEBA5, None, "pupil", 10),
        (KAGGLE15, None, "pupil", 10),
        (LandmarkScheme("points3", ("a", "b", "c")), None, "box", 7),
    ],
)
def test_default_protocols_and_cuts(
    scheme: LandmarkScheme, name: str | None, protocol: str, cut: float
) -> None:
    found = protocol_for(scheme, name)
    assert (found.name, found.cut) == (protocol, cut)


def test_the_normaliser_says_which_points() -> None:
    assert protocol_for(IBUG68).normaliser == "distance of points 36 and 45"
    assert "means of points 36, 37" in protocol_for(IBUG68, "pupil").normaliser


def test_an_unknown_protocol_names_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        protocol_for(CELEBA5, "ocular")
    assert caught.value.expected == "pupil, box"


# --- NME -----------------------------------------------------------------------------------


def test_nme_by_hand() -> None:
    truth = five_points_face()
    predicted = truth.copy()
    predicted[0, 2] += (3, 4)  # 5 pixels off
    predicted[0, 3] += (0, 3)  # 3 pixels off
    # (0 + 0 + 5 + 3 + 0) / 5 points / 40 pixels = 4 %.
    np.testing.assert_allclose(nme(predicted, truth, np.array([40.0])), [4.0])
    np.testing.assert_allclose(face_nme(predicted, truth, CELEBA5), [4.0])


def test_unlabelled_points_do_not_count() -> None:
    truth = five_points_face()
    predicted = truth + np.array([0, 2], np.float32)
    predicted[0, 2] = 1000
    truth[0, 2] = NAN
    np.testing.assert_allclose(nme(predicted, truth, np.array([40.0])), [5.0])


def test_a_prediction_that_is_missing_is_infinite() -> None:
    truth = five_points_face()
    assert nme(np.full_like(truth, NAN), truth, np.array([40.0]))[0] == INF
    one = truth.copy()
    one[0, 1, 0] = NAN
    assert nme(one, truth, np.array([40.0]))[0] == INF


def test_without_label_or_normaliser_the_error_is_unknown() -> None:
    truth = np.concatenate([five_points_face(), five_points_face()])
    lengths = np.array([40.0, NAN])
    truth[0] = NAN
    assert np.isnan(nme(np.zeros_like(truth), truth, lengths)).all()


def test_face_nme_of_an_unknown_scheme_takes_the_points_own_box() -> None:
    scheme = LandmarkScheme("points3", ("a", "b", "c"))
    truth = np.array([[[0, 0], [40, 0], [NAN, NAN]], [[0, 0], [40, 90], [10, 10]]], np.float32)
    errors = face_nme(truth + np.array([3, 0], np.float32), truth, scheme)
    assert np.isnan(errors[0])  # two points on a line span no area
    assert errors[1] == pytest.approx(100 * 3 / 60)


coordinate = st.floats(-200, 200, width=32)


@given(
    angle=st.floats(-math.pi, math.pi),
    scale=st.floats(0.1, 10),
    shift=st.tuples(coordinate, coordinate),
    seed=st.integers(0, 1000),
)
def test_ocular_nme_does_not_change_with_turn_size_and_place(
    angle: float, scale: float, shift: tuple[float, float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 100, (3, 68, 2))
    truth[:, 45] = truth[:, 36] + (40, 10)
    predicted = truth + rng.normal(0, 3, truth.shape)
    linear = scale * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    moved = [points @ linear.T + np.array(shift) for points in (predicted, truth)]
    before = face_nme(predicted, truth, IBUG68)
    after = face_nme(moved[0], moved[1], IBUG68)
    np.testing.assert_allclose(after, before, rtol=1e-6)
    fitted = similarity(truth[0], moved[1][0])  # the same transform, found independently
    np.testing.assert_allclose(fitted[:, :2], linear, atol=1e-6 * scale)


# --- failure rate, CED, AUC ----------------------------------------------------------------


def test_failure_rate_counts_errors_above_the_cut_and_missed_faces() -> None:
    errors = np.array([2.0, 8.0, 8.001, INF])
    assert failure_rate(errors, 8) == 50
    assert math.isnan(failure_rate(np.array([]), 8))


def test_ced_by_hand() -> None:
    grid, share = ced(np.array([1.0, 2.0, 2.0, INF]), 4)
    assert len(grid) == 401
    assert share[0] == 0
    assert share[99] == 0
    assert share[100] == 25  # an error of exactly 1 % is at most 1 %
    assert share[199] == 25
    assert share[200] == 75
    assert share[-1] == 75  # the missed face never joins


def test_auc_where_all_errors_lie_below_the_cut() -> None:
    # The CED of errors e is 0 up to e and 1 from there: its area is the mean of 1 - e / cut;
    # the trapezium at the step adds half a step (0.01 / 2 / 8 = 0.06 percent) to each.
    errors = np.array([2.0, 4.0, 5.0, 1.0])
    by_hand = 100 * np.mean(1 - errors / 8) + 100 * 0.005 / 8
    assert auc(errors, 8) == pytest.approx(by_hand, abs=1e-9)


def test_auc_at_its_ends() -> None:
    assert auc(np.zeros(5), 8) == pytest.approx(100)
    assert auc(np.full(5, 8.5), 8) == 0
    assert auc(np.full(5, INF), 8) == 0
    assert auc(np.array([0.0, INF]), 8) == pytest.approx(50)
    assert math.isnan(auc(np.array([]), 8))


errors_of_faces = st.lists(st.one_of(st.floats(0, 50), st.just(INF)), min_size=1, max_size=40).map(
    np.array
)


@given(errors=errors_of_faces, first=st.floats(0.1, 20), second=st.floats(0.1, 20))
def test_failure_rate_falls_as_the_cut_grows(
    errors: np.ndarray, first: float, second: float
) -> None:
    low, high = sorted((first, second))
    assert failure_rate(errors, low) >= failure_rate(errors, high)


@given(errors=errors_of_faces)
def test_ced_rises_and_meets_the_failure_rate_at_the_cut(errors: np.ndarray) -> None:
    _, share = ced(errors, 8)
    assert (np.diff(share) >= 0).all()
    # The grid forgives 1e-6 of a step at its end.
    assert 100 - failure_rate(errors, 8) <= share[-1] + 1e-9
    assert 100 - failure_rate(errors, 8 + 1e-6) >= share[-1] - 1e-9


@given(errors=errors_of_faces)
def test_auc_is_the_mean_distance_to_the_cut(errors: np.ndarray) -> None:
    expected = 100 * np.mean(np.clip(1 - errors / 8, 0, None))
    assert auc(errors, 8) == pytest.approx(expected, abs=100 * 0.01 / 8)


# --- score ---------------------------------------------------------------------------------


def test_score_by_hand() -> None:
    found = score(np.array([1.0, 2.0, 6.0, 9.0, INF, NAN]), 8)
    assert (found.faces, found.missed) == (5, 1)  # the face of unknown error is none
    assert found.nme_mean == 4.5
    assert found.nme_median == 4.0
    assert found.failure_rate == 40  # 9 % and the missed one
    assert found.auc == pytest.approx(100 * (7 + 6 + 2) / 8 / 5, abs=0.07)
    low, high = found.interval
    assert 1 <= low < 4.5 < high <= 9


def test_score_of_missed_faces_only() -> None:
    found = score(np.array([INF, INF]), 8)
    assert (found.faces, found.missed, found.failure_rate, found.auc) == (2, 2, 100, 0)
    assert math.isnan(found.nme_mean)
    assert math.isnan(found.interval[0])


def test_score_of_nothing() -> None:
    found = score(np.array([NAN]), 8)
    assert (found.faces, found.missed) == (0, 0)
    assert math.isnan(found.failure_rate)
    assert math.isnan(found.nme_median)


def test_interval_is_the_seeds_and_narrows_with_more_faces() -> None:
    errors = np.random.default_rng(3).gamma(4, 1, 400)
    assert bootstrap_interval(errors, seed=1) == bootstrap_interval(errors, seed=1)
    assert bootstrap_interval(errors, seed=1) != bootstrap_interval(errors, seed=2)
    low, high = bootstrap_interval(errors)
    # Standard error of the mean of 400 draws with deviation 2 is 0.1: 95 % lie within 0.196.
    assert high - low == pytest.approx(2 * 1.96 * errors.std() / 20, rel=0.1)
    assert bootstrap_interval(errors[:25])[1] - bootstrap_interval(errors[:25])[0] > high - low
    assert math.isnan(bootstrap_interval(errors, resamples=0)[0])


def test_missed_faces_leave_the_interval_alone() -> None:
    errors = np.array([1.0, 2.0, 3.0])
    assert bootstrap_interval(errors) == bootstrap_interval(np.append(errors, INF))
