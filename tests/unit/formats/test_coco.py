from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from helpers.dataset_builders import coco_annotation, coco_json, face, picture, save

from kpcli.formats.coco import read, sniff
from kpcli.types import FaceBox, Reject, Sample

FACE = face(68)


def only(root: Path) -> Sample:
    (item,) = read(root)
    assert isinstance(item, Sample)
    return item


def test_visibility_flags(tmp_path: Path) -> None:
    annotation = coco_annotation(FACE)
    keypoints = annotation["keypoints"]
    keypoints[0:3] = [0, 0, 0]
    keypoints[3 + 2] = 1
    (tmp_path / "a.json").write_text(coco_json(["a.png"], [annotation]))
    sample = only(tmp_path)
    assert np.isnan(sample.points[0]).all()
    assert np.flatnonzero(~sample.visible).tolist() == [0, 1]
    np.testing.assert_array_equal(sample.points[1:], FACE[1:])
    assert sample.scheme == "ibug68"


def test_whole_body_takes_the_face(tmp_path: Path) -> None:
    annotation = {
        "id": 1,
        "image_id": 0,
        "category_id": 1,
        "keypoints": [1.0] * 51,
        "bbox": [0, 0, 200, 200],
        "face_kpts": [float(v) for p in FACE for v in (*p, 1)],
        "face_box": [10, 20, 30, 40],
        "face_valid": True,
    }
    faceless = {**annotation, "face_valid": False, "face_kpts": [0.0] * 204}
    (tmp_path / "coco_wholebody_val_v1.0.json").write_text(
        coco_json(["a.png"], [annotation, faceless])
    )
    sample = only(tmp_path)
    assert sample.face == FaceBox(10, 20, 40, 60)
    np.testing.assert_array_equal(sample.points, FACE)
    assert sample.split == "val"


def test_crowds_and_unlabelled_are_left_out(tmp_path: Path) -> None:
    rows = [
        coco_annotation(FACE, iscrowd=1),
        {**coco_annotation(FACE), "keypoints": [0.0] * 204},
        {"id": 3, "image_id": 0, "category_id": 1, "bbox": [1, 2, 3, 4]},
        coco_annotation(FACE),
    ]
    (tmp_path / "a.json").write_text(coco_json(["a.png"], rows))
    assert only(tmp_path).origin == f"{tmp_path / 'a.json'}: annotation 4"


def test_pictures_are_found_near_the_json(tmp_path: Path) -> None:
    for i, folder in enumerate(("images/train2017", "train2017", "images", "annotations", ".")):
        root = tmp_path / str(i)
        save(root / folder / "a.png", picture())
        (root / "annotations").mkdir(exist_ok=True)
        path = root / "annotations" / "person_keypoints_train2017.json"
        path.write_text(coco_json(["a.png"], [coco_annotation(FACE)]))
        assert only(root).image.samefile(root / folder / "a.png")
        assert only(root).split == "train"


def test_damage_is_a_reject(tmp_path: Path) -> None:
    rows = [
        {**coco_annotation(FACE), "keypoints": [1.0, 2.0]},
        coco_annotation(FACE, image=7),
        {**coco_annotation(FACE), "bbox": ["a", 1, 2, 3]},
        "no annotation",
        coco_annotation(FACE),
    ]
    (tmp_path / "a.json").write_text(coco_json(["a.png"], rows))
    items = list(read(tmp_path))
    assert [isinstance(i, Reject) for i in items] == [True] * 4 + [False]
    assert items[1].origin == f"{tmp_path / 'a.json'}: annotation 2"


def test_a_cut_file_is_one_reject(tmp_path: Path) -> None:
    text = coco_json(["a.png"], [coco_annotation(FACE)])
    (tmp_path / "a.json").write_text(text[:-40])
    (reject,) = read(tmp_path)
    assert isinstance(reject, Reject)
    assert reject.reason == "damaged file"


def test_boxes_only_or_other_json_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "empty.json").touch()
    (tmp_path / "a.json").write_text(json.dumps({"images": [], "annotations": []}))
    assert not sniff(tmp_path)
