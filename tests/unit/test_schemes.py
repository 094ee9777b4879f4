from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.dataset_builders import UNIT_FACES, face, unit_face68, unit_face98
from hypothesis import given
from hypothesis import strategies as st

from kpcli.errors import InputError, UsageError
from kpcli.geometry import flip_points
from kpcli.schemes import (
    CELEBA5,
    IBUG51,
    IBUG68,
    SCHEMES,
    WFLW98,
    WFLW98_TO_IBUG68,
    LandmarkScheme,
    can_convert,
    convert_points,
    convert_visible,
    five_points,
    get_scheme,
    scheme_for_count,
)

ALL = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda s: s.name)
NAMED = [s for s in SCHEMES.values() if s.n_points in UNIT_FACES]


@ALL
def test_flip_is_an_involution(scheme: LandmarkScheme) -> None:
    order = np.array(scheme.flip_order)
    assert sorted(order) == list(range(scheme.n_points))
    np.testing.assert_array_equal(order[order], np.arange(scheme.n_points))


@pytest.mark.parametrize("scheme", NAMED, ids=lambda s: s.name)
def test_a_symmetric_face_mirrored_is_itself(scheme: LandmarkScheme) -> None:
    """Mirror the drawn face and swap left and right: every point is back in its place."""
    points = UNIT_FACES[scheme.n_points]().astype(np.float32)
    if scheme.n_points == 98:  # brows of the drawn face are not numbered symmetrically inside
        points[[38, 39, 40, 41, 47, 48, 49, 50]] = 0
    again = flip_points(points * [-1, 1], scheme)
    np.testing.assert_allclose(again, points, atol=1e-6)


@ALL
def test_names_edges_regions_and_normalisers(scheme: LandmarkScheme) -> None:
    everything = set(range(scheme.n_points))
    assert len(set(scheme.point_names)) == scheme.n_points
    assert {i for edge in scheme.edges for i in edge} <= everything
    assert len({frozenset(e) for e in scheme.edges}) == len(scheme.edges)
    regions = [i for group in scheme.regions.values() for i in group]
    assert sorted(regions) == sorted(everything), "each point is in exactly one region"
    assert scheme.default_normaliser in scheme.normalisers
    for a, b in scheme.normalisers.values():
        assert a
        assert b
        assert {*a, *b} <= everything
        # The normaliser's ends mirror each other.
        assert {scheme.flip_order[i] for i in a} == set(b)


@ALL
def test_edges_mirror_to_edges(scheme: LandmarkScheme) -> None:
    edges = {frozenset(e) for e in scheme.edges}
    mirrored = {frozenset(scheme.flip_order[i] for i in e) for e in scheme.edges}
    assert mirrored == edges


@ALL
def test_json_round_trip(scheme: LandmarkScheme) -> None:
    assert LandmarkScheme.from_json(json.loads(json.dumps(scheme.to_json()))) == scheme


@pytest.mark.parametrize("scheme", NAMED, ids=lambda s: s.name)
def test_five_points_are_left_right_and_upright(scheme: LandmarkScheme) -> None:
    five = five_points(face(scheme.n_points).astype(np.float32), scheme)
    assert five is not None
    left_eye, right_eye, nose, mouth_left, mouth_right = five
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < nose[0] < mouth_right[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


def test_wflw_to_ibug_index_map() -> None:
    """The published map, spelt out as in formats.md."""
    jaw = list(range(0, 33, 2))
    brows = [33, 34, 35, 36, 37, 42, 43, 44, 45, 46]
    nose = list(range(51, 60))
    eyes = [60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75]
    mouth = list(range(76, 96))
    assert list(WFLW98_TO_IBUG68) == [*jaw, *brows, *nose, *eyes, *mouth]
    converted = convert_points(unit_face98().astype(np.float32), "wflw98", "ibug68")
    np.testing.assert_allclose(converted, unit_face68().astype(np.float32), atol=1e-6)


def test_wflw_map_agrees_with_left_and_right() -> None:
    """Mirroring before or after the conversion is the same."""
    order = np.array(WFLW98_TO_IBUG68)
    np.testing.assert_array_equal(
        order[list(IBUG68.flip_order)], np.array(WFLW98.flip_order)[order]
    )


def test_to_five_points_takes_means_of_eyes() -> None:
    points = face(68).astype(np.float32)
    five = convert_points(points, "ibug68", "celeba5")
    np.testing.assert_allclose(five[0], points[36:42].mean(axis=0))
    np.testing.assert_allclose(five[1], points[42:48].mean(axis=0))
    np.testing.assert_allclose(five[2:], points[[30, 48, 54]])


def test_51_points_are_the_68_without_the_jaw() -> None:
    points = face(68).astype(np.float32)
    inner = convert_points(points, "ibug68", "ibug51")
    np.testing.assert_array_equal(inner, points[17:])
    assert IBUG51.point_names == IBUG68.point_names[17:]
    np.testing.assert_allclose(
        convert_points(inner, "ibug51", "celeba5"), convert_points(points, "ibug68", "celeba5")
    )


def test_unlabelled_and_occluded_points_carry_over() -> None:
    points = face(68).astype(np.float32)
    points[36] = np.nan
    visible = np.ones(68, bool)
    visible[[37, 48]] = False
    five = convert_points(points, "ibug68", "celeba5")
    assert np.isnan(five).any(axis=1).tolist() == [True, False, False, False, False]
    assert convert_visible(visible, "ibug68", "celeba5").tolist() == [
        False,
        True,
        True,
        False,
        True,
    ]
    assert convert_visible(visible, "ibug68", "ibug68") is visible


@pytest.mark.parametrize(
    ("source", "target", "possible"),
    [
        ("wflw98", "ibug68", True),
        ("ibug68", "wflw98", False),
        ("ibug68", "celeba5", True),
        ("cofw29", "celeba5", True),
        ("kaggle15", "celeba5", True),
        ("celeba5", "ibug68", False),
        ("points7", "celeba5", False),
        ("points7", "points7", True),
    ],
)
def test_what_converts(source: str, target: str, possible: bool) -> None:
    assert can_convert(source, target) == possible
    points = np.zeros((get_scheme(source).n_points, 2), np.float32)
    if possible:
        assert convert_points(points, source, target).shape == (get_scheme(target).n_points, 2)
    else:
        with pytest.raises(InputError, match="cannot be converted"):
            convert_points(points, source, target)


def test_names_and_counts() -> None:
    assert get_scheme("celeba5") is CELEBA5
    assert get_scheme("points12").n_points == 12
    assert not get_scheme("points12").flip_order
    for name in ("points0", "points", "ibug", "points-3", "points3 "):
        with pytest.raises(UsageError, match="unknown landmark scheme"):
            get_scheme(name)


@given(st.integers(1, 500))
def test_every_count_has_a_scheme_of_that_size(n: int) -> None:
    assert get_scheme(scheme_for_count(n)).n_points == n
