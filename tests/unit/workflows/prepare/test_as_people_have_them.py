"""Datasets as people have them: moved, renamed, split by folders, labelled twice, turned by EXIF.

Every case was a silent wrong result or a refusal before; the right value is what is asserted.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import (
    SIZE,
    Built,
    Points,
    build_coco,
    coco_annotation,
    coco_json,
    dlib_image,
    dlib_xml,
    face,
    picture,
    pts_text,
    save,
)
from helpers.tool_builders import build_cvat, build_labelme, build_labelstudio, build_yolo
from PIL import Image

from kpcli.dataset_csv import read_dataset
from kpcli.errors import InputError, UsageError
from kpcli.options import PrepareOptions
from kpcli.schemes import get_scheme
from kpcli.types import Sample
from kpcli.workflows.prepare.report import Prepared
from kpcli.workflows.prepare.run import prepare

FACE = face(68)
FLIP = get_scheme("ibug68").flip_order


def made(root: Path, **options: object) -> tuple[Prepared, list[Sample]]:
    """Prepare ``root`` and read the CSV back."""
    out = root.parent / f"{root.name}.out.csv"
    result = prepare(PrepareOptions(sources=(root,), out=out, **options))  # type: ignore[arg-type]
    return result, read_dataset(out)


def pts_set(folder: Path, *stems: str, n: int = 68) -> None:
    """A picture and its ``.pts`` a stem; no two pictures look alike."""
    for i, stem in enumerate(stems):
        points = face(n, (118 + i % 7, 118))
        save(folder / f"{stem}.png", picture(points, zlib.crc32(stem.encode()) % 10_000))
        (folder / f"{stem}.pts").write_text(pts_text(points))


def splits(rows: list[Sample]) -> Counter[str]:
    return Counter(row.split for row in rows)


def roboflow(root: Path) -> None:
    for split, count in (("train", 3), ("valid", 2), ("test", 2)):
        names = [f"f{split}{i}_png.rf.{i}a.png" for i in range(count)]
        for i, name in enumerate(names):
            save(root / split / name, picture(FACE, 7 * len(split) + i))
        rows = [coco_annotation(FACE, i) for i in range(count)]
        (root / split / "_annotations.coco.json").write_text(coco_json(names, rows))


def test_splits_by_folder(tmp_path: Path) -> None:
    roboflow(tmp_path / "r")
    assert splits(made(tmp_path / "r")[1]) == {"train": 3, "val": 2, "test": 2}
    assert splits(made(tmp_path / "r" / "test")[1]) == {"test": 2}
    assert splits(made(tmp_path / "r", split="test")[1]) == {"test": 7}


def test_roboflow_variants_of_a_picture_are_one_group(tmp_path: Path) -> None:
    names = ["a_jpg.rf.11aa.png", "a_jpg.rf.22bb.png", "b_jpg.rf.33cc.png"]
    for i, name in enumerate(names):
        save(tmp_path / "r" / name, picture(FACE, i))
    text = coco_json(names, [coco_annotation(FACE, i) for i in range(3)])
    (tmp_path / "r" / "_annotations.coco.json").write_text(text)
    groups = [row.group for row in made(tmp_path / "r")[1]]
    assert groups[0] == groups[1] != groups[2]


def test_numbered_pictures_are_not_one_person(tmp_path: Path) -> None:
    pts_set(tmp_path / "d", *(f"hand_{i}" for i in range(1, 13)))
    rows = made(tmp_path / "d", val=0.25)[1]
    assert splits(rows) == {"train": 9, "val": 3}
    assert len({row.group for row in rows}) == 12


def test_group_by(tmp_path: Path) -> None:
    pts_set(tmp_path / "d" / "a", "ann_1", "ann_2", "bob_1")
    pts_set(tmp_path / "d" / "b", "ann_3", "bob_2")
    root = tmp_path / "d"

    def groups(by: str) -> list[str]:
        return [row.group for row in made(root, group_by=by)[1]]

    assert groups("folder") == ["d/a"] * 3 + ["d/b"] * 2
    assert groups("([a-z]+)_") == ["d/ann", "d/ann", "d/bob", "d/ann", "d/bob"]
    assert len(set(groups("none"))) == 5
    assert sorted(set(groups("ann"))) == ["d/a/bob_1.png", "d/ann", "d/b/bob_2.png"]
    with pytest.raises(UsageError, match="matches no picture"):
        made(root, group_by="zoe")
    with pytest.raises(UsageError, match="not a regular expression"):
        made(root, group_by="(")


def test_a_cut_that_leaves_nothing_says_why(tmp_path: Path) -> None:
    pts_set(tmp_path / "d", "a", "b", "c")
    with pytest.raises(InputError, match="nothing to train on") as caught:
        made(tmp_path / "d", val=0.2, group_by="folder")
    assert "one group, 'd/.'" in caught.value.actual
    assert "--group-by" in caught.value.next_step


def test_test_is_cut_as_val_is_and_leaves_val_alone(tmp_path: Path) -> None:
    pts_set(tmp_path / "d", *(f"p{i}x" for i in range(20)))
    only_val = {r.image for r in made(tmp_path / "d", val=0.2)[1] if r.split == "val"}
    rows = made(tmp_path / "d", val=0.2, test=0.1)[1]
    assert splits(rows) == {"train": 14, "val": 4, "test": 2}
    assert {r.image for r in rows if r.split == "val"} == only_val


def test_keep_split_keeps_every_picture_on_its_side(tmp_path: Path) -> None:
    root = tmp_path / "d"
    pts_set(root, *(f"p{i}x" for i in range(20)))
    _, before = made(root, val=0.2)
    old = tmp_path / "old.csv"
    (tmp_path / "d.out.csv").rename(old)
    pts_set(root, *(f"a{i}y" for i in range(10)))
    (root / "p3x.pts").write_text(pts_text(FACE + 1))  # corrected
    _, after = made(root, val=0.2, keep_split=old)
    sides = {row.image: row.split for row in after}
    assert {row.image: sides[row.image] for row in before} == {r.image: r.split for r in before}
    assert splits([r for r in after if r.image.name.startswith("a")]) == {"train": 8, "val": 2}
    pts_set(tmp_path / "other", "q1", "q2")
    with pytest.raises(InputError, match="none of these pictures"):
        made(tmp_path / "other", keep_split=old)


@pytest.mark.parametrize("path", ["images\\{}", "C:\\data\\images\\{}", "D:/x/images/{}"])
def test_paths_of_windows(path: str, tmp_path: Path) -> None:
    root = tmp_path / "d"
    names = ["a0.png", "a1.png"]
    for i, name in enumerate(names):
        save(root / "images" / name, picture(FACE, i))
    rows = [dlib_image(path.format(name), FACE) for name in names]
    (root / "labels.xml").write_text(dlib_xml(rows))
    assert [row.image.name for row in made(root)[1]] == names
    text = coco_json([path.format(n) for n in names], [coco_annotation(FACE, i) for i in range(2)])
    (root / "labels.xml").unlink()
    (root / "a.json").write_text(text)
    assert [row.image.name for row in made(root)[1]] == names


def test_case_siblings_images_and_links(tmp_path: Path) -> None:
    root = tmp_path / "d"
    save(root / "images" / "A0.PNG", picture(FACE, 1))
    save(root / "images" / "a1.png", picture(FACE, 2))
    for name in ("a0", "a1"):
        (root / "labels").mkdir(exist_ok=True)
        (root / "labels" / f"{name}.pts").write_text(pts_text(FACE))
    result, rows = made(root)
    assert [row.image.name for row in rows] == ["A0.PNG", "a1.png"]
    assert [note.text for note in result.notes] == [
        "pictures found elsewhere than their labels say"
    ]
    # The labels' folder alone, its pictures beside it.
    assert len(made(root / "labels")[1]) == 2
    # Labels without pictures, which are elsewhere altogether.
    (root / "images").rename(tmp_path / "far away")
    with pytest.raises(InputError, match="no usable label"):
        made(root)
    assert len(made(root, images=tmp_path / "far away")[1]) == 2
    # A link to a folder; and one that goes round in a circle.
    (root / "images").symlink_to(tmp_path / "far away")
    (root / "images" / "again").symlink_to(root)
    assert len(made(root)[1]) == 2


def test_linked_folders_hold_labels_too(tmp_path: Path) -> None:
    pts_set(tmp_path / "here" / "own", "a", "b")
    pts_set(tmp_path / "elsewhere", "c", "d", "e")
    (tmp_path / "here" / "linked").symlink_to(tmp_path / "elsewhere")
    assert len(made(tmp_path / "here")[1]) == 5


def test_a_missing_picture_is_missing_whatever_lies_elsewhere(tmp_path: Path) -> None:
    """The first of a COCO file; and one whose name another person's picture has."""
    built = build_coco(tmp_path / "d")
    (built.root / "images" / "train" / "train0.png").unlink()
    save(built.root / "images" / "val" / "train0.png", picture(FACE, 99))
    result, rows = made(built.root)
    assert len(rows) == 2
    assert [r.reason for r in result.rejects] == ["picture missing"]
    for person in ("s1", "s2"):
        pts_set(tmp_path / "e" / person, "1", "2")
    (tmp_path / "e" / "s1" / "1.png").unlink()
    result, rows = made(tmp_path / "e")
    assert (len(rows), len(result.rejects)) == (3, 1)


def test_utf16_of_every_kind(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        root = tmp_path / encoding
        save(root / "a.png", picture(FACE, 1))
        (root / "a.pts").write_text(pts_text(FACE), encoding=encoding)
        np.testing.assert_allclose(made(root)[1][0].points, FACE, atol=0.01)
        (root / "a.pts").unlink()
        (root / "a.json").write_text(
            coco_json(["a.png"], [coco_annotation(FACE)]), encoding=encoding
        )
        np.testing.assert_allclose(made(root)[1][0].points, FACE, atol=0.01)


def test_a_size_that_contradicts_the_picture_is_a_reject(tmp_path: Path) -> None:
    root = tmp_path / "d"
    save(root / "a.png", picture(FACE, 1))
    text = coco_json(["a.png"], [coco_annotation(FACE)])
    (root / "a.json").write_text(text.replace(f'"width": {SIZE}', '"width": 160'))
    with pytest.raises(InputError):
        made(root)
    (line,) = (tmp_path / "d.out.rejects.csv").read_text().splitlines()[1:]
    assert f"the picture is {SIZE} x {SIZE}, the label file says 160 x {SIZE}" in line


def turned_photo(root: Path, orientation: int, *, labels_stored: bool) -> Points:
    """A photo that EXIF turns, with COCO labels of stored or upright pixels; its upright points."""
    upright = np.zeros((SIZE, 300, 3), np.uint8)
    upright[:, :SIZE] = picture(FACE, 1)
    image = Image.fromarray(upright)
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = image.transpose(inverse[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    root.mkdir(parents=True)
    stored.save(root / "a.png", exif=exif)
    pixels = np.asarray(stored)
    places = FACE
    size = (300, SIZE)
    if labels_stored:
        # Whoever draws on a mirrored face calls its right eye the left one.
        seen = FACE[list(FLIP)] if orientation in (2, 4, 5, 7) else FACE
        places = np.array([stored_place(p, orientation, stored.size) for p in seen])
        assert all((pixels[int(y), int(x)] == 255).all() for x, y in places)
        size = stored.size
    entry = {"id": 0, "file_name": "a.png", "width": size[0], "height": size[1]}
    content = json.loads(coco_json(["a.png"], [coco_annotation(places)]))
    content["images"] = [entry]
    (root / "a.json").write_text(json.dumps(content))
    return FACE


def stored_place(point: Points, orientation: int, stored: tuple[int, int]) -> tuple[float, float]:
    """Where an upright place lies in the pixels as stored (EXIF's table, read backwards)."""
    width, height = stored[0] - 1, stored[1] - 1
    x, y = point
    return {
        2: (width - x, y),
        3: (width - x, height - y),
        4: (x, height - y),
        5: (y, x),
        6: (y, height - x),
        7: (width - y, height - x),
        8: (width - y, x),
    }[orientation]


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("stored", [True, False])
def test_labels_on_stored_pixels_of_turned_photos(
    orientation: int, stored: bool, tmp_path: Path
) -> None:
    points = turned_photo(tmp_path / "d", orientation, labels_stored=stored)
    # A half turn leaves the size: only the user knows.
    exif = "stored" if orientation == 3 and stored else "auto"
    result, (row,) = made(tmp_path / "d", exif=exif)
    np.testing.assert_allclose(row.points, points, atol=0.01)
    assert row.face is not None
    assert abs(row.face.left - points[:, 0].min()) < 0.01
    told = " ".join(note.text for note in result.notes)
    assert ("--exif stored" in told) == (orientation == 3 and not stored)


@pytest.mark.parametrize("orientation", [2, 4, 5, 7])
def test_mirrored_photos_exchange_left_and_right(orientation: int, tmp_path: Path) -> None:
    points = turned_photo(tmp_path / "d", orientation, labels_stored=True)
    _, (row,) = made(tmp_path / "d", exif="stored")
    np.testing.assert_allclose(row.points, points, atol=0.01)


def test_placeholders_are_never_positions(tmp_path: Path) -> None:
    raw = FACE + 1
    for name, written in (("zeros", (0, 0)), ("minus", (-1, -1))):
        places = raw.copy()
        places[[3, 50]] = written
        save(tmp_path / name / "a.png", picture(FACE, 1))
        text = pts_text(places - 1)
        (tmp_path / name / "a.pts").write_text(text)
        result, (row,) = made(tmp_path / name)
        assert np.flatnonzero(np.isnan(row.points).any(axis=1)).tolist() == [3, 50]
        assert [note.count for note in result.notes] == [2]
    places = raw.copy()
    places[[3, 50]] *= -1
    save(tmp_path / "m" / "a.png", picture(FACE, 1))
    (tmp_path / "m" / "a.pts").write_text(pts_text(places - 1))
    result, (row,) = made(tmp_path / "m")
    np.testing.assert_allclose(row.points, FACE, atol=0.01)
    assert np.flatnonzero(~row.visible).tolist() == [3, 50]
    assert "occluded" in result.notes[0].text


def test_a_face_at_the_corner_keeps_points_outside(tmp_path: Path) -> None:
    """Negative places of a face that the picture cuts are no marks."""
    points = face(68, (56, 70), 100)
    points[:3, 0] -= 10
    points[17, :] = (-4, -3)
    save(tmp_path / "d" / "a.png", picture(None, 1))
    (tmp_path / "d" / "a.pts").write_text(pts_text(points))
    _, (row,) = made(tmp_path / "d")
    np.testing.assert_allclose(row.points, points, atol=0.01)
    assert row.visible.all()


def test_two_lists_of_one_set_do_not_double_rows(tmp_path: Path) -> None:
    built = build_coco(tmp_path / "d")
    names = ["train0.png", "train1.png", "val0.png"]
    parts = [
        json.loads((built.root / "annotations" / f"person_keypoints_{s}.json").read_text())
        for s in ("train", "val")
    ]
    content = json.loads(coco_json([f"train/{n}" if "t" in n else f"val/{n}" for n in names], []))
    rows = parts[0]["annotations"] + parts[1]["annotations"]
    content["annotations"] = [{**row, "image_id": i} for i, row in enumerate(rows)]
    (built.root / "annotations" / "all.json").write_text(json.dumps(content))
    result, found = made(built.root)
    assert splits(found) == {"train": 2, "val": 1}
    assert [(n.text, n.count) for n in result.notes] == [
        ("faces told by two label files: taken once", 3)
    ]


@pytest.mark.parametrize("build", [build_labelme, build_labelstudio, build_cvat, build_yolo])
def test_other_tools_keep_their_splits(build, tmp_path: Path) -> None:
    built: Built = build(tmp_path / "d")
    assert splits(made(built.root)[1]) == built.rows


def test_no_known_layout_names_the_plain_form(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(InputError) as caught:
        made(tmp_path / "d")
    assert "image,x_0,y_0,x_1,y_1" in caught.value.next_step
