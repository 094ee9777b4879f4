"""Golden outputs of every format, to the columns and structure of the tools that read them."""

from __future__ import annotations

import csv
import json
import math
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from kpcli.catalogue import WRITERS
from kpcli.inference.head_pose import rotation_of
from kpcli.schemes import LandmarkScheme, get_scheme
from kpcli.types import Face, FaceBox, FrameFaces, HeadPose

SCHEME = LandmarkScheme("two", ("eye", "mouth"), edges=((0, 1),))


def face(track: int, shift: float = 0.0, **changes: Any) -> Face:
    values = Face(
        box=FaceBox(10 + shift, 20, 30 + shift, 50, 0.9),
        points=np.array([[11.5 + shift, 22], [13 + shift, 44.25]], np.float32),
        point_confidences=np.array([0.5, 1.0], np.float32),
        confidence=0.75,
        track=track,
    )
    return replace(values, **changes)


def frames() -> list[FrameFaces]:
    """A picture with two faces, one with none, a video whose second face comes and goes."""
    pose = HeadPose(10.0, -5.0, 2.5)
    plan = [
        ("a/p.jpg", 1, 0.0, (face(0), face(1, 100.0)), False),
        ("b/p.jpg", 1, 0.0, (), False),
        ("v.mp4", 1, 0.0, (face(0, pose=pose),), True),
        ("v.mp4", 2, 61.5, (), True),
        ("v.mp4", 3, 62.0, (face(0, 1.0), face(1, 50.0)), True),
    ]
    return [FrameFaces(f, i, s, 200, 100, faces, m) for f, i, s, faces, m in plan]


def write(
    name: str,
    out: Path,
    what: Iterable[FrameFaces] | None = None,
    extras: Collection[str] = (),
    scheme: LandmarkScheme = SCHEME,
) -> Path:
    module = WRITERS.load(name)
    with module.create(out, scheme, extras) as writer:
        for frame in what if what is not None else frames():
            writer.write(frame)
    return out / module.OUTPUT


def listing(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_openface(tmp_path: Path) -> None:
    folder = write("openface", tmp_path)
    assert listing(folder) == ["a/p.jpg.csv", "b/p.jpg.csv", "v.mp4.csv"]
    assert (folder / "v.mp4.csv").read_text() == (
        "frame,face_id,timestamp,confidence,success,x_0,x_1,y_0,y_1\n"
        "1,0,0.000,0.75,1,11.5,13.0,22.0,44.2\n"
        "2,0,61.500,0.00,0,0.0,0.0,0.0,0.0\n"
        "3,0,62.000,0.75,1,12.5,14.0,22.0,44.2\n"
        "3,1,62.000,0.75,1,61.5,63.0,22.0,44.2\n"
    )
    assert (folder / "a" / "p.jpg.csv").read_text() == (
        "face,confidence,x_0,x_1,y_0,y_1\n0,0.75,11.5,13.0,22.0,44.2\n1,0.75,111.5,113.0,22.0,44.2\n"
    )
    assert (folder / "b" / "p.jpg.csv").read_text() == "face,confidence,x_0,x_1,y_0,y_1\n"
    # With and without blanks after the commas, as versions of OpenFace have them.
    for spaced in (True, False):
        table = pd.read_csv(folder / "v.mp4.csv", skipinitialspace=spaced)
        assert list(table.columns[:5]) == ["frame", "face_id", "timestamp", "confidence", "success"]
        assert list(table["frame"]) == [1, 2, 3, 3]
        assert table.loc[table["success"] == 1, "x_1"].tolist() == [13, 14, 63]


def test_pyfeat(tmp_path: Path) -> None:
    path = write("pyfeat", tmp_path)
    table = pd.read_csv(path)
    assert list(table.columns) == [
        "FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", "x_0", "x_1",
        "y_0", "y_1", "Pitch", "Roll", "Yaw", "X", "Y", "Z", "FrameHeight", "FrameWidth", "input",
        "frame", "approx_time",
    ]  # fmt: skip
    assert list(table["frame"]) == [0, 0, 0, 0, 1, 2, 2]
    assert list(table["approx_time"]) == ["00:00"] * 4 + ["01:01", "01:02", "01:02"]
    assert list(table["input"]) == ["a/p.jpg"] * 2 + ["b/p.jpg"] + ["v.mp4"] * 4
    assert table.loc[[2, 4], "FaceRectX":"Z"].isna().all(axis=None)
    assert (table["FrameHeight"] == 100).all()
    assert (table["FrameWidth"] == 200).all()
    assert table.loc[0, "FaceRectX":"FaceScore"].tolist() == [10, 20, 20, 30, 0.75]
    assert table.loc[[0, 1], "Pitch":"Z"].isna().all(axis=None)
    assert table[["X", "Y", "Z"]].isna().all(axis=None)


def turned(**angles: float) -> FrameFaces:
    pose = HeadPose(*(angles.get(name, 0.0) for name in HeadPose._fields))
    return FrameFaces("p.jpg", 1, 0.0, 200, 100, (face(0, pose=pose),))


def look(pitch: float, roll: float, yaw: float) -> tuple[float, float, float, float]:
    """What feat.plotting.draw_facepose (2.1.5) draws: ends of the lines to the front and right."""
    yaw = -yaw
    front = math.sin(yaw), -math.cos(yaw) * math.sin(pitch)
    right = (
        math.cos(yaw) * math.cos(roll),
        math.cos(pitch) * math.sin(roll) + math.cos(roll) * math.sin(pitch) * math.sin(yaw),
    )
    return *front, *right


def test_pyfeat_draws_the_head_as_it_is_turned(tmp_path: Path) -> None:
    poses = [(30, 0, 0), (0, 20, 0), (0, 0, 15), (40, -25, 10)]
    what = [turned(yaw=y, pitch=p, roll=r) for y, p, r in poses]
    table = pd.read_csv(write("pyfeat", tmp_path, what))
    angles = table[["Pitch", "Roll", "Yaw"]]
    assert angles.loc[0].tolist() == pytest.approx([0, 0, -math.radians(30)], abs=1e-4)
    assert angles.loc[1].tolist() == pytest.approx([math.radians(20), 0, 0], abs=1e-4)
    assert angles.loc[2].tolist() == pytest.approx([0, math.radians(15), 0], abs=1e-4)
    for (yaw, pitch, roll), row in zip(poses, angles.to_numpy(), strict=True):
        rotation = rotation_of(yaw, pitch, roll)
        drawn = look(*row)
        assert drawn[:2] == pytest.approx(-rotation[:2, 2], abs=1e-3)  # the face looks to -z
        assert drawn[2:] == pytest.approx(rotation[:2, 0], abs=1e-3)


def test_openface_has_the_angles_of_its_own_rotation(tmp_path: Path) -> None:
    what = [turned(yaw=40, pitch=-25, roll=10), turned(yaw=-30), turned(pitch=20), turned(roll=15)]
    path = write("openface", tmp_path, what, ("pose",)) / "p.jpg.csv"
    table = pd.read_csv(path)
    assert list(table.columns[:6]) == [
        "face", "confidence", "pose_Rx", "pose_Ry", "pose_Rz", "x_0",
    ]  # fmt: skip
    angles = table[["pose_Rx", "pose_Ry", "pose_Rz"]].to_numpy()
    x, y, z = angles[0]
    # Utilities::Euler2RotationMatrix of OpenFace 2.2, its first row and last column.
    assert [math.cos(y) * math.cos(z), -math.cos(y) * math.sin(z), math.sin(y)] == pytest.approx(
        rotation_of(40, -25, 10)[0], abs=2e-3
    )
    assert [math.sin(y), -math.cos(y) * math.sin(x), math.cos(x) * math.cos(y)] == pytest.approx(
        rotation_of(40, -25, 10)[:, 2], abs=2e-3
    )
    assert angles[1] == pytest.approx([0, math.radians(30), 0], abs=1e-3)  # to the picture's left
    assert angles[2] == pytest.approx([-math.radians(20), 0, 0], abs=1e-3)  # up
    assert angles[3] == pytest.approx([0, 0, math.radians(15)], abs=1e-3)  # clockwise


def test_openface_of_a_video_has_a_number_in_every_place(tmp_path: Path) -> None:
    text = (write("openface", tmp_path, extras=("pose",)) / "v.mp4.csv").read_text().splitlines()
    assert text[0].endswith("success,pose_Rx,pose_Ry,pose_Rz,x_0,x_1,y_0,y_1")
    assert text[1].startswith("1,0,0.000,0.75,1,0.095,-0.171,0.044,11.5,")
    assert text[2] == "2,0,61.500,0.00,0,0.000,0.000,0.000,0.0,0.0,0.0,0.0"


def test_dlc(tmp_path: Path) -> None:
    folder = write("dlc", tmp_path)
    assert listing(folder) == [
        "pictures_0.csv", "pictures_0_files.csv", "pictures_1.csv", "pictures_1_files.csv",
        "v.mp4_0.csv", "v.mp4_1.csv",
    ]  # fmt: skip
    header = (
        "scorer,kpcli,kpcli,kpcli,kpcli,kpcli,kpcli\n"
        "bodyparts,eye,eye,eye,mouth,mouth,mouth\n"
        "coords,x,y,likelihood,x,y,likelihood\n"
    )
    unseen = ",,,0.0000,,,0.0000\n"
    assert (folder / "v.mp4_1.csv").read_text() == (
        header + f"0{unseen}1{unseen}2,61.500,22.000,0.5000,63.000,44.250,1.0000\n"
    )
    assert (folder / "pictures_1.csv").read_text() == (
        header + "0,111.500,22.000,0.5000,113.000,44.250,1.0000\n"
    )
    assert (folder / "pictures_1_files.csv").read_text() == "row,file\n0,a/p.jpg\n"


def test_dlc_keeps_every_frame_in_pandas(tmp_path: Path) -> None:
    """Without a likelihood in frame 0, its row was taken for the index's name."""
    folder = write("dlc", tmp_path)
    for name, seen in (("v.mp4_0.csv", [1, 0, 1]), ("v.mp4_1.csv", [0, 0, 1])):
        table = pd.read_csv(folder / name, header=[0, 1, 2], index_col=0)
        assert list(table.index) == [0, 1, 2]
        assert table[("kpcli", "mouth", "likelihood")].tolist() == seen
        assert table[("kpcli", "mouth", "y")].notna().tolist() == [bool(s) for s in seen]


def test_dlc_in_small_portions_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write("dlc", tmp_path / "whole")
    monkeypatch.setattr("kpcli.writers.dlc.HELD", 10)
    portions = write("dlc", tmp_path / "portions")
    assert listing(whole) == listing(portions)
    for name in listing(whole):
        assert (whole / name).read_bytes() == (portions / name).read_bytes()


def coco(out: Path, what: Iterable[FrameFaces] | None = None) -> Path:
    return write("coco", out, what) / "person_keypoints_default.json"


def test_coco(tmp_path: Path) -> None:
    values = json.loads(coco(tmp_path).read_text())
    assert values["categories"] == [
        {
            "id": 1,
            "name": "face",
            "supercategory": "person",
            "keypoints": ["eye", "mouth"],
            "skeleton": [[1, 2]],
        }
    ]
    assert values["images"][0] == {"id": 1, "file_name": "a/p.jpg", "width": 200, "height": 100}
    assert values["images"][4] == {
        "id": 5, "file_name": "v.mp4/000003.jpg", "width": 200, "height": 100, "video": "v.mp4",
        "frame": 3, "timestamp": 62.0,
    }  # fmt: skip
    assert [a["image_id"] for a in values["annotations"]] == [1, 1, 3, 5, 5]
    assert values["annotations"][1] == {
        "id": 2, "image_id": 1, "category_id": 1, "bbox": [110, 20, 20, 30], "area": 600,
        "iscrowd": 0, "segmentation": [], "num_keypoints": 2,
        "keypoints": [111.5, 22, 2, 113, 44.25, 2], "attributes": {"score": 0.75, "track_id": 1},
    }  # fmt: skip


def test_coco_s_own_library_reads_it(tmp_path: Path) -> None:
    library = pytest.importorskip("pycocotools.coco")
    loaded = library.COCO(str(coco(tmp_path)))
    assert loaded.getCatIds(["face"]) == [1]
    assert len(loaded.getImgIds()) == 5
    annotations = loaded.loadAnns(loaded.getAnnIds(imgIds=[1]))
    assert [a["bbox"][0] for a in annotations] == [10, 110]
    assert annotations[0]["keypoints"] == [11.5, 22, 2, 13, 44.25, 2]


def test_coco_s_own_library_scores_it(tmp_path: Path) -> None:
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    from pycocotools.coco import COCO

    def precision(moved: float) -> float:
        """Mean average precision of the same faces, moved to the right by so many pixels."""
        results = [
            {
                "image_id": a["image_id"],
                "category_id": a["category_id"],
                "keypoints": [v + moved * (i % 3 == 0) for i, v in enumerate(a["keypoints"])],
                "score": a["attributes"]["score"],
            }
            for a in truth.dataset["annotations"]
        ]
        evaluation = cocoeval.COCOeval(truth, truth.loadRes(results), iouType="keypoints")
        evaluation.params.kpt_oks_sigmas = np.full(2, 0.05)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return float(evaluation.stats[0])

    # COCO's range "all" begins at 0, its "medium" above faces as small as these.
    truth = COCO(str(coco(tmp_path)))
    assert precision(0) == pytest.approx(1)
    assert precision(30) == pytest.approx(0)
    assert 0.1 < precision(2) < 0.9


def test_a_point_that_is_no_number(tmp_path: Path) -> None:
    points = np.array([[np.nan, 1], [2, 3]], np.float32)
    broken = [FrameFaces("p.jpg", 1, 0.0, 200, 100, (face(0, points=points),))]
    (annotation,) = json.loads(coco(tmp_path, broken).read_text())["annotations"]
    assert annotation["keypoints"] == [0, 0, 0, 2, 3, 2]
    assert annotation["num_keypoints"] == 1
    values = json.loads(write("json", tmp_path, broken).read_text())
    assert values["frames"][0]["faces"][0]["points"] == [[None, 1], [2, 3]]
    (task,) = json.loads((write("labelstudio", tmp_path, broken) / "tasks.json").read_text())
    assert [r["type"] for r in task["predictions"][0]["result"]] == [
        "rectanglelabels", "keypointlabels",
    ]  # fmt: skip
    rows = (write("dlc", tmp_path, broken) / "pictures_0.csv").read_text().splitlines()
    assert rows[3] == "0,,,0.0000,2.000,3.000,1.0000"
    table = pd.read_parquet(write("parquet", tmp_path, broken))
    assert table[["x_0", "y_0", "x_1", "y_1"]].isna().to_numpy().tolist() == [
        [True, False, False, False]
    ]


def inside(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        (entry,) = archive.namelist()
        assert entry == "annotations/person_keypoints_default.json"
        return json.loads(archive.read(entry))


def test_cvat(tmp_path: Path) -> None:
    folder = write("cvat", tmp_path)
    assert listing(folder) == ["labels.json", "pictures.zip", "v.mp4.zip"]
    pictures, video = inside(folder / "pictures.zip"), inside(folder / "v.mp4.zip")
    assert [i["file_name"] for i in pictures["images"]] == ["a/p.jpg", "b/p.jpg"]
    assert [i["file_name"] for i in video["images"]] == [
        "frame_000000.png", "frame_000001.png", "frame_000002.png",
    ]  # fmt: skip
    assert [a["attributes"] for a in video["annotations"]] == [
        {"score": 0.75, "track_id": t, "keyframe": True} for t in (0, 0, 1)
    ]
    assert [a["attributes"] for a in pictures["annotations"]] == [{"score": 0.75}] * 2
    # The middle of the first pixel is 0, 0 here and 0.5, 0.5 there.
    assert pictures["annotations"][0]["keypoints"] == [12, 22.5, 2, 13.5, 44.75, 2]
    assert pictures["annotations"][0]["bbox"] == [10.5, 20.5, 20, 30]


def test_cvat_s_label_is_a_skeleton_of_the_scheme(tmp_path: Path) -> None:
    names = ("left <eye>", "nose", "chin & throat")
    scheme = LandmarkScheme("own", names, edges=((0, 1), (1, 2)))
    points = np.array([[10, 20], [30, 40], [20, 60]], np.float32)
    scores = np.ones(3, np.float32)
    one = [FrameFaces("p.jpg", 1, 0, 99, 99, (face(0, points=points, point_confidences=scores),))]
    for what, places in (
        (one, [(5, 5), (50, 50), (27.5, 95)]),
        ([], [(50, 5), (93.3, 72.5), (6.7, 72.5)]),
    ):
        (label,) = json.loads(
            (write("cvat", tmp_path, what, (), scheme) / "labels.json").read_text()
        )
        assert (label["name"], label["type"]) == ("face", "skeleton")
        assert [part["name"] for part in label["sublabels"]] == list(names)
        assert {part["type"] for part in label["sublabels"]} == {"points"}
        svg = ElementTree.fromstring(f"<svg>{label['svg']}</svg>")
        circles = svg.findall("circle")
        assert [c.get("data-label-name") for c in circles] == list(names)
        assert [c.get("data-node-id") for c in circles] == ["1", "2", "3"]
        assert [c.get("data-element-id") for c in circles] == ["1", "2", "3"]
        drawn = [[float(str(c.get(k))) for k in ("cx", "cy")] for c in circles]
        if not what:
            spread = np.ptp(drawn, axis=0)
            assert spread.max() == pytest.approx(90, abs=0.01)
        else:
            np.testing.assert_allclose(drawn, places, atol=0.01)
        assert [(e.get("data-node-from"), e.get("data-node-to")) for e in svg.findall("line")] == [
            ("1", "2"), ("2", "3"),
        ]  # fmt: skip


def test_labelstudio(tmp_path: Path) -> None:
    folder = write("labelstudio", tmp_path)
    assert listing(folder) == ["config.xml", "tasks.json"]
    tasks = json.loads((folder / "tasks.json").read_text())
    served = "/data/local-files/?d="
    assert [t["data"]["image"].removeprefix(served) for t in tasks] == [
        "a/p.jpg", "b/p.jpg", "v.mp4/000001.jpg", "v.mp4/000002.jpg", "v.mp4/000003.jpg",
    ]  # fmt: skip
    assert tasks[4]["data"] == {
        "image": served + "v.mp4/000003.jpg", "file": "v.mp4", "frame": 3, "timestamp": 62,
    }  # fmt: skip
    (prediction,) = tasks[0]["predictions"]
    common = {
        "to_name": "image", "original_width": 200, "original_height": 100, "image_rotation": 0,
    }  # fmt: skip
    rectangle, _, mouth, other, *_ = prediction["result"]
    assert rectangle == common | {
        "id": "1_0", "type": "rectanglelabels", "from_name": "faces", "score": 0.75,
        "meta": {"text": ["face 0"]}, "value": {"x": 5.25, "y": 20.5, "width": 10, "height": 30,
        "rotation": 0, "rectanglelabels": ["face"]},
    }  # fmt: skip
    assert mouth == common | {
        "id": "1_0_1", "type": "keypointlabels", "from_name": "keypoints", "parentID": "1_0",
        "score": 1.0, "value": {"x": 6.75, "y": 44.75, "width": 0.4, "keypointlabels": ["mouth"]},
    }  # fmt: skip
    assert other["id"] == "1_1"
    results = [r for task in tasks for r in task["predictions"][0]["result"]]
    assert len({r["id"] for r in tasks[0]["predictions"][0]["result"]}) == 6
    assert len(results) == 5 * 3
    assert tasks[1]["predictions"][0]["result"] == []
    assert json.loads((write("labelstudio", tmp_path, []) / "tasks.json").read_text()) == []


def test_labelstudio_s_configuration_has_the_tags_of_the_tasks(tmp_path: Path) -> None:
    view = ElementTree.parse(write("labelstudio", tmp_path) / "config.xml").getroot()
    assert [(e.tag, e.get("name"), e.get("toName")) for e in view] == [
        ("Image", "image", None),
        ("RectangleLabels", "faces", "image"),
        ("KeyPointLabels", "keypoints", "image"),
    ]
    assert view[0].get("value") == "$image"
    assert [(e.get("value"), e.get("model_index")) for e in view[2]] == [
        ("eye", "0"),
        ("mouth", "1"),
    ]


def test_labelstudio_names_pictures_as_addresses(tmp_path: Path) -> None:
    odd = [FrameFaces("ü/a b&c#1?.jpg", 1, 0.0, 200, 100, ())]
    (task,) = json.loads((write("labelstudio", tmp_path, odd) / "tasks.json").read_text())
    address = urlsplit(task["data"]["image"])
    assert parse_qs(address.query) == {"d": ["ü/a b&c#1?.jpg"]}
    assert address.fragment == ""


def test_json(tmp_path: Path) -> None:
    path = write("json", tmp_path)
    values = json.loads(path.read_text())
    assert values["scheme"] == {"name": "two", "point_names": ["eye", "mouth"]}
    assert path.read_text().count("\n") == 3 + len(frames())
    assert [(f["file"], f["frame"], len(f["faces"])) for f in values["frames"]] == [
        ("a/p.jpg", 1, 2), ("b/p.jpg", 1, 0), ("v.mp4", 1, 1), ("v.mp4", 2, 0), ("v.mp4", 3, 2),
    ]  # fmt: skip
    assert values["frames"][2]["faces"] == [
        {
            "face_id": 0,
            "box": [10, 20, 30, 50],
            "confidence": 0.75,
            "points": [[11.5, 22], [13, 44.25]],
            "scores": [0.5, 1],
            "pose": {"yaw": 10, "pitch": -5, "roll": 2.5},
        }
    ]


@pytest.mark.parametrize(("name", "side"), [("ibug68", "picture"), ("kaggle15", "person")])
def test_json_says_whose_left(tmp_path: Path, name: str, side: str) -> None:
    values = json.loads(write("json", tmp_path, [], scheme=get_scheme(name)).read_text())
    assert values["scheme"]["sides"] == side
    unknown = json.loads(write("json", tmp_path, [], scheme=get_scheme("points3")).read_text())
    assert "sides" not in unknown["scheme"]


def rich_frames() -> list[FrameFaces]:
    smooth = np.array([[1.25, 2], [3, 4.5]], np.float32)
    full = face(0, pose=HeadPose(10.0, -5.0, 2.5), smoothed=smooth)
    unsure = face(1, pose=HeadPose(np.nan, np.nan, np.nan), smoothed=smooth)
    plan = [("v.mp4", (full, unsure)), ("w.mp4", ())]
    return [FrameFaces(f, 1, 0.0, 200, 100, faces, True) for f, faces in plan]


@pytest.mark.parametrize("extras", [(), ("pose",), ("smooth",), ("pose", "smooth")])
def test_parquet_is_the_csv_typed(tmp_path: Path, extras: tuple[str, ...]) -> None:
    what = rich_frames() if extras else frames()
    table = pd.read_parquet(write("parquet", tmp_path, what, extras))
    text = pd.read_csv(write("csv", tmp_path, what, extras))
    assert list(table.columns) == list(text.columns)
    assert ("yaw" in table.columns, "smooth_y_1" in table.columns) == (
        "pose" in extras, "smooth" in extras,
    )  # fmt: skip
    assert table["success"].dtype == np.int8
    for name in text.columns:
        if name == "file":
            assert list(table[name]) == list(text[name])
        else:
            np.testing.assert_allclose(
                table[name].to_numpy(float), text[name].to_numpy(float), atol=1e-3
            )


def test_parquet_in_many_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kpcli.writers.parquet.GROUP", 3)
    many = [replace(frame, index=i) for i, frame in enumerate(frames() * 5, 1)]
    table = pd.read_parquet(write("parquet", tmp_path, many))
    assert len(table) == 35
    assert table["frame"].is_monotonic_increasing


def test_pts_is_one_based(tmp_path: Path) -> None:
    folder = write("pts", tmp_path)
    assert listing(folder) == [
        "a/p.jpg_0.pts", "a/p.jpg_1.pts", "v.mp4_000001_0.pts", "v.mp4_000003_0.pts",
        "v.mp4_000003_1.pts",
    ]  # fmt: skip
    assert (folder / "a" / "p.jpg_0.pts").read_text() == (
        "version: 1\nn_points: 2\n{\n12.500000 23.000000\n14.000000 45.250000\n}\n"
    )


def test_names_with_commas_and_letters_of_all_kinds(tmp_path: Path) -> None:
    odd = [FrameFaces('ü, "x".jpg', 1, 0.0, 200, 100, (face(0),))]
    with write("pyfeat", tmp_path, odd).open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["input"] == 'ü, "x".jpg'
    values = json.loads(coco(tmp_path, odd).read_text())
    assert values["images"][0]["file_name"] == 'ü, "x".jpg'
