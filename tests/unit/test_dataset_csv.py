from __future__ import annotations

import csv
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import face
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kpcli.dataset_csv import (
    BOXES,
    META_COLUMNS,
    n_points_of,
    read_dataset,
    with_landmark_box,
    write_dataset,
)
from kpcli.errors import InputError
from kpcli.geometry import tight_box
from kpcli.types import FaceBox, Sample

PLAIN = Sample(
    image=Path("a.jpg"),
    face=FaceBox(10.25, 20.5, 110.125, 140),
    points=face(5).astype(np.float32),
    visible=np.array([True, False, True, True, True]),
    scheme="celeba5",
    dataset="set",
    split="train",
    group="set/a",
    subset="common",
    box_source="file",
    attributes={"source": "helen/testset", "blur": "1"},
)


@given(
    points=arrays(
        np.float32, (68, 2), elements=st.one_of(st.floats(-5000, 20000, width=32), st.just(np.nan))
    ),
    left=st.floats(-100, 10000),
    top=st.floats(-100, 10000),
    width=st.floats(1, 8000),
    height=st.floats(1, 8000),
)
def test_pixels_come_back_within_a_hundredth(
    points: np.ndarray, left: float, top: float, width: float, height: float
) -> None:
    points[np.isnan(points).any(axis=1)] = np.nan
    sample = replace(
        PLAIN,
        face=FaceBox(left, top, left + width, top + height),
        points=points,
        visible=~np.isnan(points).any(axis=1),
        scheme="ibug68",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "faces.csv")
        write_dataset([sample], path, Path(folder))
        (again,) = read_dataset(path)
    np.testing.assert_allclose(again.points, points, atol=0.01, rtol=0)
    np.testing.assert_array_equal(again.visible, sample.visible)
    assert again.face is not None
    for side in ("left", "top", "right", "bottom"):
        assert abs(getattr(again.face, side) - getattr(sample.face, side)) < 0.001


def test_everything_else_comes_back(tmp_path: Path) -> None:
    odd = replace(PLAIN, image=tmp_path / 'ö, "x"/ä;b.jpg', group='set/"q", r')
    plain = replace(PLAIN, image=tmp_path / "a.jpg")
    write_dataset([plain, odd], tmp_path / "faces.csv", tmp_path)
    first, second = read_dataset(tmp_path / "faces.csv")
    for again, sample in ((first, plain), (second, odd)):
        for name in ("image", "scheme", "dataset", "split", "group", "subset", "box_source"):
            assert getattr(again, name) == getattr(sample, name)
        assert again.attributes == sample.attributes
        np.testing.assert_array_equal(again.visible, sample.visible)
    assert first.origin == f"{tmp_path / 'faces.csv'}:2"


def test_golden_header_and_row(tmp_path: Path) -> None:
    box = FaceBox(0, 0, 100, 100)
    points = np.array([[0, 0], [100, 0], [50, 50], [0, 100], [np.nan, np.nan]], np.float32)
    visible = np.array([True, True, False, True, False])
    sample = replace(PLAIN, image=tmp_path / "x" / "a.jpg", face=box, points=points)
    write_dataset([replace(sample, visible=visible)], tmp_path / "faces.csv", tmp_path / "x")
    header, row = csv.reader((tmp_path / "faces.csv").open())
    axes = [f"{axis}_{i}" for axis in "xy" for i in range(5)]
    assert header == [*META_COLUMNS, *axes]
    values = dict(zip(header, row, strict=True))
    assert values["image"] == "a.jpg"
    assert values["root"] == (tmp_path / "x").as_posix()
    assert values["occluded"] == "2"
    assert values["attributes"] == "source=helen/testset;blur=1"
    assert [values[a] for a in axes[:5]] == ["-1.000000", "1.000000", "0.000000", "-1.000000", ""]
    assert [values[a] for a in axes[5:]] == ["-1.000000", "-1.000000", "0.000000", "1.000000", ""]


def test_boxes_only_and_pictures_without_a_face(tmp_path: Path) -> None:
    nothing = np.zeros((0, 2), np.float32)
    box = replace(
        PLAIN, points=nothing, visible=np.zeros(0, bool), scheme=BOXES, image=tmp_path / "a.jpg"
    )
    write_dataset([box, replace(box, face=None)], tmp_path / "b.csv", tmp_path)
    first, second = read_dataset(tmp_path / "b.csv")
    assert first.face == PLAIN.face
    assert second.face is None
    assert first.points.shape == second.points.shape == (0, 2)


def test_a_csv_can_move_with_its_pictures_or_be_given_a_root(tmp_path: Path) -> None:
    write_dataset([replace(PLAIN, image=tmp_path / "a" / "b.jpg")], tmp_path / "f.csv", tmp_path)
    text = (tmp_path / "f.csv").read_text().replace(tmp_path.as_posix(), "pictures")
    (tmp_path / "f.csv").write_text(text)
    assert read_dataset(tmp_path / "f.csv")[0].image == tmp_path / "pictures" / "a" / "b.jpg"
    elsewhere = read_dataset(tmp_path / "f.csv", root=Path("/data"))
    assert elsewhere[0].image == Path("/data/a/b.jpg")


def test_only_one_split(tmp_path: Path) -> None:
    rows = [replace(PLAIN, split=s) for s in ("train", "val", "test", "train")]
    write_dataset(rows, tmp_path / "f.csv", tmp_path)
    assert len(read_dataset(tmp_path / "f.csv", split="train")) == 2
    assert len(read_dataset(tmp_path / "f.csv", split="none")) == 0


def test_nothing_is_left_of_a_failed_write(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    write_dataset([PLAIN], path, tmp_path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="points without a box"):
        write_dataset([PLAIN, replace(PLAIN, face=None)], path, tmp_path)
    with pytest.raises(ValueError, match="one scheme"):
        write_dataset([PLAIN, replace(PLAIN, scheme="ibug68")], path, tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def damaged(tmp_path: Path, old: str, new: str) -> Path:
    path = tmp_path / "f.csv"
    write_dataset([PLAIN, PLAIN], path, tmp_path)
    text = path.read_text()
    assert old in text
    head, last = text.rstrip("\n").rsplit("\n", 1)
    path.write_text(f"{head}\n{last.replace(old, new, 1)}\n" if old in last else text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("celeba5", "nonsense", "unknown landmark scheme"),
        ("celeba5", "points5", "mix"),
        ("10.2500", "left", "f.csv:3: a damaged row"),
        ("10.2500", "", "points without a box"),
        (",1,source", ",9,source", "f.csv:3: a damaged row"),
        (",file", ",file,more", "f.csv:3: a row of another length"),
    ],
)
def test_damage_names_the_line(old: str, new: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_dataset(damaged(tmp_path, old, new))
    assert problem in str(error.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such CSV"):
        read_dataset(tmp_path / "none.csv")
    path = tmp_path / "x.csv"
    for content in (b"", b"a,b\n1,2\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a CSV that `kpcli prepare` writes"):
            read_dataset(path)
    path.write_bytes(b"\x89PNG\r\n\xff\xfe\x00")
    with pytest.raises(InputError, match="not a readable CSV"):
        read_dataset(path)


def test_landmark_box_of_rows() -> None:
    sample = replace(PLAIN, points=face(68).astype(np.float32), scheme="ibug68")
    derived = with_landmark_box(sample)
    assert derived.face == tight_box(sample.points)
    assert derived.box_source == "points"
    box = replace(PLAIN, points=np.zeros((0, 2), np.float32), scheme=BOXES)
    assert with_landmark_box(box) is box


def test_number_of_points() -> None:
    assert n_points_of(BOXES) == 0
    assert n_points_of("ibug68") == 68
    assert n_points_of("points7") == 7


@pytest.mark.parametrize("corner", ["inf", "nan", "1e11", "1e300", "10.2500001"])
def test_sizes_that_no_picture_has_are_damage(tmp_path: Path, corner: str) -> None:
    path = tmp_path / "f.csv"
    write_dataset([replace(PLAIN, face=FaceBox(10.25, 20.5, 110.125, 20.5))], path, tmp_path)
    text = path.read_text()
    assert len(read_dataset(path)) == 1
    path.write_text(text.replace("110.1250", corner))
    with pytest.raises(InputError, match=r"f\.csv:2: a damaged row"):
        read_dataset(path)
