from __future__ import annotations

from pathlib import Path

import pytest
from helpers.dataset_builders import build_widerface

from kpcli.formats.widerface import read
from kpcli.types import FaceBox, Reject, Sample


def write(root: Path, text: str) -> list[Sample | Reject]:
    (root / "wider_face_train_bbx_gt.txt").write_text(text)
    return list(read(root))


def test_boxes_attributes_and_invalid_ones(tmp_path: Path) -> None:
    first, flat, empty, _ = read(build_widerface(tmp_path).root)
    assert isinstance(first, Sample)
    assert first.face == FaceBox(10, 20, 40, 60)
    assert dict(first.attributes) == {
        "blur": "1",
        "expression": "0",
        "illumination": "0",
        "invalid": "0",
        "occlusion": "2",
        "pose": "0",
    }
    assert isinstance(flat, Sample)
    assert flat.attributes["invalid"] == "1"
    assert isinstance(empty, Sample)
    assert empty.face is None
    assert empty.image.name == "b.jpg"
    assert empty.image.is_file()


@pytest.mark.parametrize("zero", ["0\n0 0 0 0 0 0 0 0 0 0\n", "0\n"])
def test_a_picture_without_a_face_is_one_row(zero: str, tmp_path: Path) -> None:
    text = f"0--P/a b.jpg\n{zero}0--P/b.png\n1\n1 2 3 4 0 0 0 0 0 0 \n"
    empty, other = write(tmp_path, text)
    assert isinstance(empty, Sample)
    assert empty.face is None
    assert empty.image.name == "a b.jpg"
    assert isinstance(other, Sample)
    assert other.face == FaceBox(1, 2, 4, 6)


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ("bad.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n", 2),
        ("bad.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n5 6 7 8 0 0 0 0 0 0\n", 2),
        ("bad.jpg\nmany\n1 2 3 4 0 0 0 0 0 0\n", 2),
        ("bad.jpg\n1\n1 2 three 4 0 0 0 0 0 0\n", 3),
        ("bad.jpg\n1\n1 2 3\n", 3),
        ("bad.jpg\n1\n1 2 3 4 5\n", 3),
        ("bad.jpg\n1\n1 2 nan 4 0 0 0 0 0 0\n", 3),
        ("bad.jpg\n", 1),
    ],
)
def test_damage_rejects_its_picture_and_no_other(block: str, line: int, tmp_path: Path) -> None:
    reject, good = write(tmp_path, f"{block}good.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n")
    assert isinstance(reject, Reject)
    assert reject.origin == f"{tmp_path / 'wider_face_train_bbx_gt.txt'}:{line}"
    assert isinstance(good, Sample)
    assert good.image.name == "good.jpg"


@pytest.mark.parametrize("count", ["²", "9" * 5000])
def test_a_count_that_is_none(tmp_path: Path, count: str) -> None:
    root = build_widerface(tmp_path).root
    path = root / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    path.write_text(path.read_text().replace("a.jpg\n2\n", f"a.jpg\n{count}\n"))
    rejects = [item for item in read(root) if isinstance(item, Reject)]
    assert [r.origin for r in rejects] == [f"{path}:2"]
