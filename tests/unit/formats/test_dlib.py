from __future__ import annotations

from pathlib import Path

import numpy as np
from helpers.dataset_builders import dlib_image, dlib_xml, face

from kpcli.dataset_csv import BOXES
from kpcli.formats.dlib import read, sniff
from kpcli.schemes import get_scheme
from kpcli.types import FaceBox, Reject, Sample

FACE = face(68)


def write(root: Path, *rows: str, name: str = "labels.xml") -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(dlib_xml(list(rows)))


def samples(root: Path) -> list[Sample]:
    items = list(read(root))
    assert all(isinstance(i, Sample) for i in items), items
    return items


def test_missing_parts_are_unlabelled(tmp_path: Path) -> None:
    write(tmp_path, dlib_image("a.jpg", FACE, leave_out=(0, 30)))
    (sample,) = samples(tmp_path)
    assert sample.scheme == "ibug68"
    missing = np.isnan(sample.points).any(axis=1)
    assert np.flatnonzero(missing).tolist() == [0, 30]
    assert np.flatnonzero(~sample.visible).tolist() == [0, 30]
    np.testing.assert_array_equal(sample.points[~missing], FACE[~missing])


def test_ignored_boxes_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, dlib_image("a.jpg", FACE), dlib_image("b.jpg", FACE, "ignore='1'"))
    assert [s.image.name for s in samples(tmp_path)] == ["a.jpg"]


def test_box_is_left_top_width_height(tmp_path: Path) -> None:
    write(
        tmp_path,
        "<image file='a.jpg'><box top='10' left='20' width='30' height='40'/></image>",
        "<image file='b.jpg'><box top='1' left='2' width='3' height='4' ignore='1'/></image>",
    )
    first, second = samples(tmp_path)
    assert first.scheme == BOXES
    assert first.face == FaceBox(20, 10, 50, 50)
    assert first.points.shape == (0, 2)
    assert "invalid" not in first.attributes
    assert second.attributes["invalid"] == "1"


def test_several_faces_of_one_picture(tmp_path: Path) -> None:
    row = dlib_image("a.jpg", FACE)
    box = row[row.index("<box") : row.index("</image>")]
    write(tmp_path, row.replace("</image>", f"{box}</image>"))
    first, second = samples(tmp_path)
    assert first.image == second.image
    assert first.origin != second.origin


def test_numbers_from_one_and_names(tmp_path: Path) -> None:
    five = face(5)
    parts = "".join(f"<part name='{i}' x='{x}' y='{y}'/>" for i, (x, y) in enumerate(five, 1))
    box = "<box top='1' left='1' width='9' height='9'>"
    write(tmp_path / "one", f"<image file='a.jpg'>{box}{parts}</box></image>")
    (sample,) = samples(tmp_path / "one")
    assert sample.scheme == "celeba5"
    np.testing.assert_array_equal(sample.points, five)

    named = "<part name='nose' x='1' y='2'/><part name='chin' x='3' y='4'/>"
    write(tmp_path / "named", f"<image file='a.jpg'>{box}{named}</box></image>")
    (sample,) = samples(tmp_path / "named")
    assert get_scheme(sample.scheme).name == "points2"
    assert get_scheme(sample.scheme).point_names == ("chin", "nose")
    assert sample.points.tolist() == [[3, 4], [1, 2]]


def test_a_list_of_all_beside_train_and_test_is_not_read_twice(tmp_path: Path) -> None:
    train = dlib_image("helen/trainset/1_1.jpg", FACE)
    test = dlib_image("ibug/image_003_1.jpg", FACE)
    mirror = dlib_image("helen/trainset/1_1_mirror.jpg", FACE)
    write(tmp_path, train, mirror, test, name="labels_ibug_300W.xml")
    write(tmp_path, train, mirror, name="labels_ibug_300W_train.xml")
    write(tmp_path, test, name="labels_ibug_300W_test.xml")
    found = samples(tmp_path)
    assert [s.split for s in found] == ["test", "train", "train"]
    assert [s.subset for s in found] == ["challenging", "", ""]
    assert found[1].group == found[2].group == "300w/helen/trainset/1"


def test_a_broken_file_keeps_what_stands_before_the_fault(tmp_path: Path) -> None:
    write(tmp_path, dlib_image("a.jpg", FACE), "<image file='b.jpg'><box></image>")
    good, no_box, broken = sorted(read(tmp_path), key=lambda i: isinstance(i, Reject))
    assert isinstance(good, Sample)
    assert isinstance(no_box, Reject)
    assert no_box.reason == "damaged label"
    assert isinstance(broken, Reject)
    assert broken.reason == "damaged file"
    assert int(broken.origin.rsplit(":", 1)[1]) > 70


def test_entities_are_not_expanded_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden.jpg")
    (tmp_path / "a.xml").write_text(
        f"<!DOCTYPE dataset [<!ENTITY e SYSTEM '{tmp_path / 'secret'}'>]>"
        "<dataset><images>&e;<image file='a.jpg'><box top='1' left='1' width='2' height='2'/>"
        "</image></images></dataset>"
    )
    assert [s.image.name for s in samples(tmp_path)] == ["a.jpg"]


def test_other_xml_is_not_dlib(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotation><object/></annotation>")
    assert not sniff(tmp_path)
    write(tmp_path, name="b.xml")
    assert sniff(tmp_path)
    assert sniff(tmp_path / "b.xml")


def test_one_damaged_part_name_costs_one_face(tmp_path: Path) -> None:
    for name in ("x", "99999999999", "²", "68"):
        good = [dlib_image(f"{i}.jpg", FACE) for i in range(100)]
        bad = dlib_image("bad.jpg", FACE).replace("name='05'", f"name='{name}'")
        write(tmp_path / name, *good, bad)
        *kept, reject = read(tmp_path / name)
        assert [s.scheme for s in kept if isinstance(s, Sample)] == ["ibug68"] * 100
        assert isinstance(reject, Reject)
        assert name in reject.detail
