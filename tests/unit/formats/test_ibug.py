from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import face, picture, pts_text, save
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kpcli.formats.ibug import parse_pts, read
from kpcli.types import Reject, Sample
from kpcli.writers.pts import write_pts

THREE = np.array([[0, 0], [9.5, 19.25], [-1, 99]], np.float32)


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nn_points:  3\n{\n1 1\n10.5 20.25\n0 100\n}\n",
        "version: 1\r\nn_points: 3\r\n{\r\n1 1\r\n10.5 20.25\r\n0 100\r\n}\r\n",
        "Version:1\nN_POINTS:3\n{\n  1   1  \n10.5\t20.25 \n0.0 1e2\n}",
        "version 1\nn_points 3\n{\n\n1 1\n\n10.5 20.25\n0 100\n}\n\n\ntrailing words",
        "1 1\n10.5 20.25\n0 100\n",
        "1,1\n10.5, 20.25\n0,100",
        "{1 1\n10.5 20.25\n0 100}",
        "n_points: 3\n{\n1 1\n10.5 20.25\n0 100",
    ],
)
def test_one_based_points_whatever_the_header(text: str) -> None:
    np.testing.assert_array_equal(parse_pts(text), THREE)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "no points"),
        ("version: 1\nn_points: 3\n{\n}\n", 4, "no points"),
        ("version: 1\nn_points: 3\n{\n1 1\n2 2\n}\n", 6, "promises 3 points, 2 found"),
        (f"version: 1\nn_points: {'9' * 5000}\n{{\n1 1\n}}\n", 2, "n_points: 999"),
        ("version: 1\nn_points: 1\n{\n1 1 1\n}\n", 4, "expected `x y`"),
        ("version: 1\nn_points: 1\n{\n1 one\n}\n", 4, "'1 one'"),
        ("n_points: 2\n{\n1 1\n\x00\x01\x02\n}\n", 4, "expected `x y`"),
    ],
)
def test_damage_names_line_and_problem(text: str, line: int, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as error:
        parse_pts(text)
    assert error.value.args[0] == line


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 100), st.just(2)),
        elements=st.floats(-1000, 20000, width=32),
    )
)
def test_write_pts_then_parse_gives_the_points_back(points: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.pts")
        write_pts(path, points)
        again = parse_pts(path.read_text())
    np.testing.assert_allclose(again, points, rtol=1e-6, atol=1e-5)


def test_written_file_is_one_based_ibug(tmp_path: Path) -> None:
    write_pts(tmp_path / "a.pts", THREE)
    assert (tmp_path / "a.pts").read_text().splitlines() == [
        "version: 1",
        "n_points: 3",
        "{",
        "1.000000 1.000000",
        "10.500000 20.250000",
        "0.000000 100.000000",
        "}",
    ]


def test_a_damaged_file_is_one_reject(tmp_path: Path) -> None:
    save(tmp_path / "a.png", picture())
    (tmp_path / "a.pts").write_text(pts_text(face(68)))
    (tmp_path / "b.pts").write_text("n_points: 68\n{\n1 1\n}\n")
    (tmp_path / "c.pts").touch()
    good, short, empty = read(tmp_path)
    assert isinstance(good, Sample)
    assert good.image == tmp_path / "a.png"
    assert isinstance(short, Reject)
    assert (short.origin, short.reason) == (f"{tmp_path / 'b.pts'}:4", "damaged label")
    assert isinstance(empty, Reject)


@pytest.mark.parametrize(
    ("n_points", "scheme"), [(68, "ibug68"), (98, "wflw98"), (29, "cofw29"), (15, "points15")]
)
def test_scheme_follows_the_number_of_points(n_points: int, scheme: str, tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_text(pts_text(face(n_points)))
    assert [s.scheme for s in read(tmp_path)] == [scheme]


def test_a_single_file_is_a_source(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.pts").write_text(pts_text(face(68)))
    assert [s.origin for s in read(tmp_path / "b.pts")] == [str(tmp_path / "b.pts")]


@pytest.mark.shared
def test_a_300w_label_survives_reading_and_writing(shared: Path, tmp_path: Path) -> None:
    path = shared / "300w" / "afw" / "134212_1.pts"
    numbers = [line.split() for line in path.read_text().splitlines()[3:71]]
    write_pts(tmp_path / "a.pts", parse_pts(path.read_text()))
    again = [line.split() for line in (tmp_path / "a.pts").read_text().splitlines()[3:71]]
    difference = np.array(again, float) - np.array(numbers, float)
    assert np.abs(difference).max() < 0.001
