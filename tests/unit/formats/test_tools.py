"""What annotation tools write, case by case; that points lie on their pixels is the contract's."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import SIZE, face, picture, save
from helpers.tool_builders import (
    NAMES,
    build_cvat,
    build_labelme,
    build_labelstudio,
    build_via,
    cvat_meta,
    cvat_skeleton,
    studio_task,
)

from kpcli.catalogue import FORMATS
from kpcli.schemes import get_scheme
from kpcli.types import FaceBox, Reject, Sample

FACE = face(68)


def read(name: str, root: Path) -> tuple[list[Sample], list[Reject]]:
    assert FORMATS.load(name).sniff(root)
    items = list(FORMATS.load(name).read(root))
    return (
        [i for i in items if isinstance(i, Sample)],
        [i for i in items if isinstance(i, Reject)],
    )


def labelme_file(path: Path, shapes: list[dict]) -> None:
    save(path.with_suffix(".png"), picture(None, 1))
    content = {"version": "5", "shapes": shapes, "imagePath": f"..\\x\\{path.stem}.png"}
    path.write_text(json.dumps({**content, "imageHeight": SIZE, "imageWidth": SIZE}))


def spot(label: str, x: float, y: float, group: int | None = None, **flags: bool) -> dict:
    return {
        "label": label,
        "points": [[x + 0.5, y + 0.5]],  # counted from the pixel's edge
        "group_id": group,
        "shape_type": "point",
        "flags": flags,
    }


def test_labelme_groups_rectangles_and_doubt(tmp_path: Path) -> None:
    two = [spot("a", 1, 2, 1), spot("b", 3, 4, 1, occluded=True), spot("a", 5, 6, 2)]
    labelme_file(tmp_path / "g.json", two)
    first, second = read("labelme", tmp_path)[0]
    assert first.points.tolist() == [[1, 2], [3, 4]]
    assert first.visible.tolist() == [True, False]
    assert np.isnan(second.points[1]).all()
    assert first.image == tmp_path / "g.png", "imagePath is another machine's"
    assert first.size == (SIZE, SIZE)
    boxes = [
        {"label": "face", "points": [[9, 9], [0, 0]], "shape_type": "rectangle"},
        {"label": "face", "points": [[10, 10], [20, 20]], "shape_type": "rectangle"},
    ]
    labelme_file(tmp_path / "g.json", [*boxes, spot("a", 1, 2), spot("a", 15, 15), spot("b", 3, 4)])
    first, second = read("labelme", tmp_path)[0]
    assert first.face == FaceBox(-0.5, -0.5, 8.5, 8.5)
    assert first.points.tolist() == [[1, 2], [3, 4]]
    assert second.points[0].tolist() == [15, 15]
    labelme_file(tmp_path / "g.json", [spot("a", 1, 2), spot("a", 5, 6)])
    samples, (reject,) = read("labelme", tmp_path)
    assert not samples
    assert "no group or rectangle" in reject.detail


def test_label_studio_halves_a_pixel_and_keeps_faces_apart(tmp_path: Path) -> None:
    faces = [FACE - 20, FACE + 20]
    save(tmp_path / "images" / "a.png", picture(None, 1))
    task = studio_task("/data/local-files/?d=images%5Ca.png", faces, parents=True)
    task["annotations"][0]["result"].append({"type": "choices", "value": {"choices": ["x"]}})
    cancelled = {"was_cancelled": True, "result": [{"value": {"keypointlabels": ["x"]}}]}
    task["annotations"].append(cancelled)
    (tmp_path / "p.json").write_text(json.dumps([task]))
    samples, rejects = read("labelstudio", tmp_path)
    assert not rejects
    for sample, points in zip(samples, faces, strict=True):
        np.testing.assert_allclose(sample.points, points, atol=1e-4)
        assert sample.face == FaceBox(
            *(pytest.approx(v) for v in (*points.min(axis=0), *points.max(axis=0)))
        )
        assert sample.image.is_file()
    assert samples[0].scheme == "ibug68"
    task["annotations"][0]["result"][3]["image_rotation"] = 90
    (tmp_path / "p.json").write_text(json.dumps([task]))
    samples, (reject,) = read("labelstudio", tmp_path)
    assert "turned" in reject.detail


def test_label_studio_config_orders_points(tmp_path: Path) -> None:
    save(tmp_path / "a.png", picture(None, 1))
    task = studio_task("a.png", [FACE])
    result = task["annotations"][0]["result"][:3]
    for r, name in zip(result, ("nose", "chin", "ear"), strict=True):
        r["value"]["keypointlabels"] = [name]
    task["annotations"][0]["result"] = result
    (tmp_path / "p.json").write_text(json.dumps([task]))
    (sample,) = read("labelstudio", tmp_path)[0]
    assert get_scheme(sample.scheme).point_names == ("chin", "ear", "nose")
    labels = "".join(f'<Label value="{n}"/>' for n in ("nose", "chin", "ear"))
    (tmp_path / "config.xml").write_text(
        f'<View><KeyPointLabels name="k" toName="i">{labels}</KeyPointLabels></View>'
    )
    (sample,) = read("labelstudio", tmp_path)[0]
    assert get_scheme(sample.scheme).point_names == ("nose", "chin", "ear")
    np.testing.assert_allclose(sample.points, FACE[:3], atol=1e-4)


def test_cvat_skeletons_of_one_picture_names_edges_and_zips(tmp_path: Path) -> None:
    names = ("tip", "base")
    two = "".join(
        f'<skeleton label="face"><points label="base" outside="{out}" occluded="1" '
        f'points="{x}.50,8.50"/><points label="tip" outside="0" occluded="0" points="{x}.50,9.50"/>'
        "</skeleton>"
        for x, out in ((3, 0), (30, 1))
    )
    text = (
        f"<annotations><version>1.1</version>{cvat_meta(names)}"
        f'<image id="0" name="a.png" width="{SIZE}" height="{SIZE}">{two}</image></annotations>'
    )
    save(tmp_path / "images" / "a.png", picture(None, 1))
    (tmp_path / "annotations.xml").write_text(text)
    first, second = read("cvat", tmp_path)[0]
    assert get_scheme(first.scheme).point_names == names
    assert get_scheme(first.scheme).edges == ((0, 1),)
    assert first.points.tolist() == [[3, 9], [3, 8]]
    assert first.visible.tolist() == [True, False]
    assert np.isnan(second.points[1]).all()
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.write(tmp_path / "annotations.xml", "annotations.xml")
    (tmp_path / "annotations.xml").unlink()
    assert read("cvat", tmp_path)[0][0].points.tolist() == [[3, 9], [3, 8]]


def test_cvat_for_video_and_loose_points(tmp_path: Path) -> None:
    skeletons = "".join(
        cvat_skeleton(FACE + i).replace("<skeleton ", f'<skeleton frame="{i}" ') for i in range(2)
    )
    (tmp_path / "v.xml").write_text(
        "<annotations><version>1.1</version><meta><task><original_size><width>240</width>"
        "<height>200</height></original_size></task></meta>"
        f'<track id="0" label="face">{skeletons}</track>'
        '<track id="1" label="jaw_0"><points frame="9" outside="1" points="1,1"/></track>'
        "</annotations>"
    )
    samples, rejects = read("cvat", tmp_path)
    assert not rejects
    assert [s.image.name for s in samples] == ["frame_000000.png", "frame_000001.png"]
    assert {s.group for s in samples} == {f"{tmp_path.name}/v"}
    assert samples[0].size == (240, 200)
    np.testing.assert_allclose(samples[1].points, FACE + 1)


def test_cvats_coco_counts_from_the_edge_too(tmp_path: Path) -> None:
    annotation = {
        "image_id": 1,
        "category_id": 1,
        "keypoints": [10.5, 20.5, 2, 30.5, 40.5, 1, 0, 0, 0],
        "bbox": [10.5, 20.5, 20, 20],
        "attributes": {"occluded": False},
    }
    content = {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "images": [{"id": 1, "file_name": "a.png", "width": 0, "height": 0}],
        "categories": [{"id": 1, "keypoints": ["a", "b", "c"], "skeleton": []}],
        "annotations": [annotation],
    }
    (tmp_path / "person_keypoints_default.json").write_text(json.dumps(content))
    (sample,) = read("coco", tmp_path)[0]
    assert sample.points[:2].tolist() == [[10, 20], [30, 40]]
    assert sample.face == FaceBox(10, 20, 30, 40)
    assert sample.size is None


def test_coco_without_v_and_with_a_skeleton_from_zero(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "keypoints": list("abcdef"), "skeleton": [[0, 1]]}],
        "annotations": [{"image_id": 1, "category_id": 1, "keypoints": [*range(1, 11), 0, 0]}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    (sample,) = read("coco", tmp_path)[0]
    assert sample.points[:2].tolist() == [[1, 2], [3, 4]]
    assert np.isnan(sample.points[5]).all()
    assert get_scheme(sample.scheme).edges == ((0, 1),)


def test_via_csv_groups_and_polylines(tmp_path: Path) -> None:
    rows = [
        ("a.png", {"name": "point", "cx": 1, "cy": 2}, {"name": "nose", "face": "1"}),
        ("a.png", {"name": "point", "cx": 3, "cy": 4}, {"name": "nose", "face": "2"}),
        ("a.png", {"name": "rect", "x": 0, "y": 0, "width": 9, "height": 8}, {"face": "1"}),
    ]
    with (tmp_path / "via.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        head = ["filename", "file_size", "file_attributes", "region_count", "region_id"]
        writer.writerow([*head, "region_shape_attributes", "region_attributes"])
        for i, (name, shape, about) in enumerate(rows):
            writer.writerow([name, 1, "{}", 3, i, json.dumps(shape), json.dumps(about)])
    first, second = read("via", tmp_path)[0]
    assert (first.points.tolist(), first.face) == ([[1, 2]], FaceBox(0, 0, 9, 8))
    assert (second.points.tolist(), second.face) == ([[3, 4]], None)
    (tmp_path / "via.csv").unlink()
    line = {"name": "polyline", "all_points_x": [1, 3, 5], "all_points_y": [2, 4, 6]}
    entry = {"filename": "a.png", "regions": {"0": {"shape_attributes": line}}}
    (tmp_path / "via.json").write_text(json.dumps({"a.png1": entry}))
    (sample,) = read("via", tmp_path)[0]
    assert sample.points.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_a_point_of_via_without_name_says_what_to_do(tmp_path: Path) -> None:
    built = build_via(tmp_path)
    path = built.root / "via_val.json"
    path.write_text(path.read_text().replace('"name": "jaw_3"', '"name": ""'))
    samples, (reject,) = read("via", tmp_path)
    assert len(samples) == 2
    assert "without a name" in reject.detail


def test_deeplabcut_of_several_animals_and_of_frames(tmp_path: Path) -> None:
    folder = tmp_path / "labeled-data" / "clip"
    save(folder / "img1.png", picture(None, 1))
    (folder / "CollectedData_x.csv").write_text(
        "scorer,x,x,x,x\nindividuals,m1,m1,m2,m2\nbodyparts,nose,nose,nose,nose\n"
        "coords,x,y,x,y\nlabeled-data\\clip\\img1.png,1,2,3,4\n"
    )
    first, second = read("deeplabcut", tmp_path)[0]
    assert (first.points.tolist(), second.points.tolist()) == ([[1, 2]], [[3, 4]])
    assert first.image.is_file()
    assert first.group.endswith("/clip")
    (folder / "CollectedData_x.csv").unlink()
    (tmp_path / "run.mp4_0.csv").write_text(
        "scorer,s,s,s\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n0,1,2,0.5\n1,0,0,0\n2,,,\n"
    )
    (sample,) = read("deeplabcut", tmp_path)[0]
    assert sample.image == tmp_path / "run.mp4" / "000001.jpg"
    assert sample.group.endswith("/run.mp4")


def test_yolo_names_flips_and_two_values_a_point(tmp_path: Path) -> None:
    save(tmp_path / "images" / "train" / "a.png", picture(None, 1))
    label = tmp_path / "labels" / "train" / "a.txt"
    label.parent.mkdir(parents=True)
    label.write_text("0 0.5 0.5 0.5 0.5 0.25 0.25 0.75 0.25 0 0\n")
    (tmp_path / "data.yaml").write_text(
        "train: images/train\nkpt_shape: [3, 2]\nflip_idx: [1, 0, 2]\n"
        "kpt_names:\n  0:\n    - left\n    - right\n    - 'tip x'\nnames: {0: thing}\n"
    )
    (sample,) = read("yolo", tmp_path)[0]
    assert sample.points[:2].tolist() == [[60, 60], [180, 60]]
    assert np.isnan(sample.points[2]).all()
    assert sample.face == FaceBox(60, 60, 180, 180)
    assert get_scheme(sample.scheme).point_names == ("left", "right", "tip x")
    assert get_scheme(sample.scheme).flip_order == (1, 0, 2)
    label.write_text("0 0.5 0.5 0.5 0.5 0.25 0.25 0.75\n")
    assert not read("yolo", tmp_path)[0]


@pytest.mark.parametrize(
    "text",
    [
        "image,x_0,y_0,x_1,y_1\na.png,1,2,3,4\n",
        "x_0;x_1;y_0;y_1;filename\n1;3;2;4;a.png\n",
        "file\tx0\ty0\tx1\ty1\na.png\t1\t2\t3\t4\n",
        "path,0,1,2,3\na.png,1,2,3,4\n",
        "a.png,1,2,3,4\n",
    ],
)
def test_plain_csv_in_many_forms(text: str, tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text(text)
    (sample,) = read("csv", tmp_path)[0]
    assert sample.points.tolist() == [[1, 2], [3, 4]]
    assert sample.image == tmp_path / "a.png"


def test_plain_csv_takes_names_blanks_boxes_splits_and_flags(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text(
        "image,split,person,left,top,right,bottom,nose_x,nose_y,chin_x,chin_y,chin_v\n"
        "a.png,test,ann,0,0,9,9,1,2,3,4,1\nb.png,train,bob,,,,,,,3,4,2\nc.png,,,,,,,,,,,\n"
        "d.png,,,,,,,1,,3,4,2\n"
    )
    (first, second), rejects = read("csv", tmp_path)
    assert get_scheme(first.scheme).point_names == ("nose", "chin")
    assert (first.split, first.group) == ("test", f"{tmp_path.name}/ann")
    assert first.face == FaceBox(0, 0, 9, 9)
    assert first.visible.tolist() == [True, False]
    assert np.isnan(second.points[0]).all()
    assert [r.detail for r in rejects] == [
        "no point is labelled",
        "the point 'nose' has one coordinate only",
    ]


def test_rows_of_prepare_are_no_plain_csv(tmp_path: Path) -> None:
    from kpcli.dataset_csv import META_COLUMNS

    (tmp_path / "faces.csv").write_text(",".join([*META_COLUMNS, "x_0", "y_0"]) + "\n")
    assert not FORMATS.load("csv").sniff(tmp_path)


def test_openface_and_pyfeat(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4.csv").write_text(
        "frame, face_id, timestamp, confidence, success, x_0, x_1, y_0, y_1\n"
        "1, 0, 0.0, 0.9, 1, 1.0, 3.0, 2.0, 4.0\n2, 0, 0.04, 0.0, 0, 0, 0, 0, 0\n"
    )
    (sample,) = read("annotated", tmp_path)[0]
    assert sample.image == tmp_path / "clip.mp4" / "000001.jpg"
    assert sample.points.tolist() == [[1, 2], [3, 4]]
    (tmp_path / "clip.mp4.csv").rename(tmp_path / "unused")
    (tmp_path / "fex.csv").write_text(
        "FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight,FaceScore,x_0,x_1,y_0,y_1,"
        "FrameHeight,FrameWidth,input,frame\n5,6,7,8,0.9,1,3,2,4,200,240,a.png,0\n"
        ",,,,,,,,,200,240,b.png,0\n"
    )
    (sample,) = read("annotated", tmp_path)[0]
    assert (sample.face, sample.size) == (FaceBox(5, 6, 12, 14), (240, 200))
    assert sample.image == tmp_path / "a.png"


@pytest.mark.parametrize("build", [build_labelme, build_labelstudio, build_cvat])
def test_a_mistyped_name_costs_its_face_only(build, tmp_path: Path) -> None:
    """Where there are enough faces to tell a slip from a point."""
    built = build(tmp_path)
    other = build(tmp_path / "more")
    path = next(p for p in sorted(built.root.rglob("t*.[jx]*")) if "more" not in p.parts)
    path.write_text(path.read_text().replace(NAMES[5] + '"', NAMES[5] + 'x"', 1))
    name = build.__name__.removeprefix("build_")
    samples, rejects = read(name, tmp_path)
    assert len(samples) == sum(built.rows.values()) + sum(other.rows.values()) - 1
    assert {s.scheme for s in samples} == {"ibug68"}
    assert len(rejects) == 1
