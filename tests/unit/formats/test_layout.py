from __future__ import annotations

from pathlib import Path

import pytest

from kpcli.errors import InputError
from kpcli.formats.layout import find_files, place, split_of
from kpcli.formats.pictures import PicturesBeside
from kpcli.formats.reading import read_text


@pytest.mark.parametrize(
    ("names", "split"),
    [
        (("train",), "train"),
        (("trainset",), "train"),
        (("train_set",), "train"),
        (("list_98pt_rect_attr_test.txt",), "test"),
        (("wider_face_val_bbx_gt.txt",), "val"),
        (("person_keypoints_val2017",), "val"),
        (("Training", "faces"), "train"),
        (("train", "test"), "test"),
        (("contest", "trained", "valley"), None),
        ((), None),
    ],
)
def test_split_of(names: tuple[str, ...], split: str | None) -> None:
    assert split_of(*names) == split


@pytest.mark.parametrize(
    ("root", "file", "expected"),
    [
        ("300w", "afw/1_1.pts", ("300w", "afw", "train", "")),
        ("300w", "helen/trainset/1_1.pts", ("300w", "helen/trainset", "train", "")),
        ("300w", "lfpw/testset/1.pts", ("300w", "lfpw/testset", "test", "common")),
        ("300w", "ibug/image_003_1.pts", ("300w", "ibug", "test", "challenging")),
        ("300w", "01_Indoor/indoor_001.pts", ("300w", "01_indoor", "test", "private")),
        ("300w/helen/testset", "1_1.pts", ("300w", "helen/testset", "test", "common")),
        ("300w/helen", "testset/1_1.pts", ("300w", "helen/testset", "test", "common")),
        ("300w/ibug", "1.pts", ("300w", "ibug", "test", "challenging")),
        ("mine", "a/test/1.pts", ("mine", "a/test", "test", "")),
        ("mine", "1.pts", ("mine", "", "train", "")),
        ("mine/test", "1.pts", ("test", "", "test", "")),
        # A folder above the source may have any name.
        ("ibug/mine", "1.pts", ("mine", "", "train", "")),
        ("test_things", "1.pts", ("test_things", "", "train", "")),
    ],
)
def test_place(root: str, file: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / root).mkdir(parents=True)
    where = place(tmp_path / root / file, tmp_path / root)
    assert (where.dataset, where.source, where.split, where.subset) == expected


@pytest.mark.parametrize(
    ("stem", "group"),
    [
        ("111076519_1", "300w/afw/111076519"),
        ("111076519_12", "300w/afw/111076519"),
        ("111076519_1_mirror", "300w/afw/111076519"),
        ("image_0011", "300w/afw/image_0011"),
        ("image_0011_mirror", "300w/afw/image_0011"),
        ("image_003_1", "300w/afw/image_003"),
    ],
)
def test_faces_of_one_picture_share_a_group(stem: str, group: str, tmp_path: Path) -> None:
    assert place(tmp_path / "afw" / f"{stem}.pts", tmp_path).group(stem) == group


def test_find_files_goes_so_deep_and_ignores_case(tmp_path: Path) -> None:
    for name in ("b.PTS", "a.pts", "x/c.pts", "x/y/d.pts", "e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def found(depth: int | None) -> list[str]:
        files = find_files(tmp_path, "*.pts", depth=depth)
        return [p.relative_to(tmp_path).as_posix() for p in files]

    assert found(None) == ["a.pts", "b.PTS", "x/c.pts", "x/y/d.pts"]
    assert found(1) == ["a.pts", "b.PTS", "x/c.pts"]
    assert found(0) == ["a.pts", "b.PTS"]
    assert list(find_files(tmp_path / "a.pts", "*.pts")) == [tmp_path / "a.pts"]
    assert not list(find_files(tmp_path / "e.txt", "*.pts"))


def test_picture_beside_takes_any_ending(tmp_path: Path) -> None:
    for name in ("a.PNG", "b.webp", "c.png", "c.jpg"):
        (tmp_path / name).touch()
    picture_beside = PicturesBeside()
    assert picture_beside(tmp_path / "a.pts").name == "a.PNG"
    assert picture_beside(tmp_path / "b.pts").name == "b.webp"
    assert picture_beside(tmp_path / "c.pts").name == "c.jpg"
    assert picture_beside(tmp_path / "none.pts").name == "none.jpg"


def test_read_text_takes_bom_and_latin(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfJos\xc3\xa9")
    assert read_text(path) == "José"
    path.write_bytes(b"Jos\xe9")
    assert read_text(path) == "José"
    with pytest.raises(InputError, match="cannot be read"):
        read_text(tmp_path)
