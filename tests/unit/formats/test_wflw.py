from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import build_wflw, face, wflw_line

from kpcli.formats.wflw import read
from kpcli.types import FaceBox, Reject, Sample

LIST = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_wflw(tmp_path).root


def samples(root: Path) -> list[Sample]:
    items = list(read(root))
    assert all(isinstance(i, Sample) for i in items), items
    return items


def test_rectangle_and_attributes(root: Path) -> None:
    test, *train = samples(root)
    assert test.split == "test"
    assert test.face == FaceBox(55, 40, 185, 180)
    assert dict(train[0].attributes) == {
        "pose": "1",
        "expression": "0",
        "illumination": "0",
        "makeup": "1",
        "occlusion": "0",
        "blur": "0",
    }


def test_subset_lists_set_their_attribute(root: Path) -> None:
    lists = root / "WFLW_annotations" / "list_98pt_test"
    lists.mkdir()
    plain = " ".join(f"{v:f}" for v in face(98).ravel())
    name = "1--Shaking/1_Shaking_test_1_0.jpg"
    for subset in ("largepose", "blur"):
        (lists / f"list_98pt_test_{subset}.txt").write_text(f"{plain} {name}\n")
    # The full list repeats what list_98pt_rect_attr_test.txt says.
    (lists / "list_98pt_test.txt").write_text(f"{plain} {name}\n")
    (test,) = (s for s in samples(root) if s.split == "test")
    assert test.attributes["pose"] == "1"
    assert test.attributes["blur"] == "1"
    assert test.attributes["occlusion"] == "0"
    assert test.face is not None


def test_plain_lists_alone_have_no_box(root: Path) -> None:
    lists = root / "WFLW_annotations"
    (lists / LIST.split("/")[1]).rename(root / "elsewhere")
    (root / "elsewhere").rename(root.parent / f"{root.name}_aside")
    plain = " ".join(f"{v:f}" for v in face(98).ravel())
    (lists / "list_98pt_test").mkdir()
    (lists / "list_98pt_test" / "list_98pt_test.txt").write_text(f"{plain} 1--A/a b.jpg\n")
    (sample,) = samples(root)
    assert sample.face is None
    assert sample.image == root / "WFLW_images" / "1--A" / "a b.jpg"
    np.testing.assert_array_equal(sample.points, face(98))


def test_several_faces_of_one_picture_share_a_group(root: Path) -> None:
    name = "10--People/10_People_Marching_10_716_{}.jpg"
    lines = [wflw_line(face(98), name.format(i)) for i in (0, 1)]
    lines.append(wflw_line(face(98), "10--People/10_People_Marching_10_717.jpg"))
    (root / LIST).write_text("\n".join(lines))
    groups = [s.group for s in samples(root) if s.split == "train"]
    assert groups[0] == groups[1] == "wflw/10--People/10_People_Marching_10_716"
    assert groups[2] == "wflw/10--People/10_People_Marching_10_717"


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("1 2 3 a.jpg", "found 4 values"),
        (wflw_line(face(98), "a.jpg").replace("0 0 0 0 0 0", "0 0 7 0 0 0"), "attributes"),
        (wflw_line(face(98), "a.jpg").replace("120.", "x.", 1), "could not convert"),
    ],
)
def test_damage_is_one_reject_with_its_line(line: str, detail: str, root: Path) -> None:
    text = (root / LIST).read_text()
    (root / LIST).write_text(f"{text}\n{line}\n")
    (reject,) = (i for i in read(root) if isinstance(i, Reject))
    assert reject.origin == f"{root / LIST}:4"
    assert detail in reject.detail
