from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import build_kaggle, face, kaggle_row, picture

from kpcli.formats.kaggle import read, sniff
from kpcli.types import Reject, Sample

POINTS = face(15, (48, 46), 70)


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_blank_and_nan_cells_are_unlabelled(tmp_path: Path) -> None:
    row = kaggle_row(POINTS, picture(POINTS, 0, 96))
    row |= {"nose_tip_x": "", "left_eye_center_y": "NaN", "mouth_left_corner_x": " "}
    write(tmp_path / "training.csv", [row])
    (sample,) = read(tmp_path)
    assert isinstance(sample, Sample)
    unlabelled = np.isnan(sample.points).all(axis=1)
    assert np.flatnonzero(unlabelled).tolist() == [0, 10, 11]
    np.testing.assert_array_equal(sample.visible, ~unlabelled)
    np.testing.assert_array_equal(sample.points[~unlabelled], POINTS[~unlabelled])


def test_columns_in_another_order(tmp_path: Path) -> None:
    row = kaggle_row(POINTS, picture(POINTS, 0, 96))
    write(tmp_path / "training.csv", [dict(reversed(row.items()))])
    (sample,) = read(tmp_path)
    assert isinstance(sample, Sample)
    np.testing.assert_array_equal(sample.points, POINTS)
    np.testing.assert_array_equal(sample.pixels, np.repeat(picture(POINTS, 0, 96)[..., :1], 3, 2))


def test_damaged_rows_are_rejects(tmp_path: Path) -> None:
    good = kaggle_row(POINTS, picture(POINTS, 0, 96))
    bad = [{**good, "Image": "1 2 3"}, {**good, "Image": good["Image"].replace("255", "256", 1)}]
    write(tmp_path / "training.csv", [*bad, {**good, "nose_tip_x": "left"}, good])
    with (tmp_path / "training.csv").open("a") as file:
        file.write("1,2\n")
    items = list(read(tmp_path))
    assert [isinstance(i, Reject) for i in items] == [True, True, True, False, True]
    assert [i.origin.rsplit(":", 1)[1] for i in items] == ["2", "3", "4", "5", "6"]


def test_files_without_labels_are_no_source(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("ImageId,Image\n1,0 0 0\n")
    assert not sniff(tmp_path)
    build_kaggle(tmp_path)
    assert len(list(read(tmp_path))) == 2


@pytest.fixture
def python_field_limit() -> Iterator[None]:
    limit = csv.field_size_limit(131_072)
    yield
    csv.field_size_limit(limit)


@pytest.mark.usefixtures("python_field_limit")
def test_an_unclosed_quote_is_a_reject(tmp_path: Path) -> None:
    build_kaggle(tmp_path)
    with (tmp_path / "training.csv").open("a") as file:
        file.write('"' + "x,\n" * 50_000)
    *good, reject = read(tmp_path)
    assert len(good) == 2
    assert isinstance(reject, Reject)
    assert reject.reason == "damaged file"
