"""What is said where a CSV has nothing to train or to validate on, and which boxes are taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.training import draw_faces
from PIL import Image

from kpcli.dataset_csv import read_dataset
from kpcli.errors import InputError
from kpcli.images import upright_size
from kpcli.options import TrainOptions
from kpcli.training.faces import box_share, boxed_as
from kpcli.training.split import train_and_val
from kpcli.types import FaceBox, Sample


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> list[Sample]:
    return read_dataset(draw_faces(tmp_path_factory.mktemp("split")))


def parts(samples: list[Sample], val: float = 0.2, *, own_val: bool = True):
    options = TrainOptions(csv=Path("faces.csv"), out=Path("run"), val=val)
    return train_and_val(samples, options, own_val=own_val)


def said(samples: list[Sample], val: float = 0.2) -> str:
    with pytest.raises(InputError) as error:
        parts(samples, val)
    assert error.value.next_step
    return str(error.value)


def test_each_cause_is_named(samples) -> None:
    assert "no rows to validate on" in said(samples, 0.0)
    assert "--val 0.1" in said(samples, 0.0)
    assert "one row is too few" in said(samples[:1])
    person = [replace(s, group="anna") for s in samples]
    assert "all of one group" in said(person)
    assert "12 rows of the group 'anna'" in said(person)
    assert "actual: 12 test" in said([replace(s, split="test") for s in samples])
    assert "an empty CSV" in said([])


def test_rows_of_split_val_are_taken_where_they_are_wanted(samples) -> None:
    mixed = [replace(s, split="val") if i < 3 else s for i, s in enumerate(samples)]
    train_set, val_set = parts(mixed)
    assert (len(train_set), len(val_set)) == (9, 3)
    train_set, val_set = parts(mixed, own_val=False)
    assert not {s.image for s in val_set} & {s.image for s in mixed[:3]}
    assert len(train_set) + len(val_set) == 9


def test_the_box_of_a_whole_picture_stands_upright(tmp_path: Path, samples) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    assert upright_size(tmp_path / "a.jpg") == (30, 40)
    (boxed,) = boxed_as([replace(samples[0], image=tmp_path / "a.jpg")], "image")
    assert boxed.face == FaceBox(-0.5, -0.5, 29.5, 39.5)
    assert box_share([boxed]) == 1.0
    half = replace(boxed, face=FaceBox(0, 0, 20, 10))
    assert box_share([half, half, boxed]) == 0.5


def test_boxes_are_of_the_kind_asked_for(samples) -> None:
    moved = [replace(s, face=FaceBox(1, 2, 30, 40)) for s in samples]
    assert boxed_as(moved, "dataset") == moved
    for before, after in zip(samples, boxed_as(moved, "landmarks"), strict=True):
        assert after.face != FaceBox(1, 2, 30, 40)
        np.testing.assert_array_equal(after.points, before.points)
