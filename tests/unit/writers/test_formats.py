"""Golden outputs of every format, to the columns and structure of the tools that read them."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kpcli.catalogue import WRITERS
from kpcli.schemes import LandmarkScheme
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


def write(name: str, out: Path, what: Iterable[FrameFaces] | None = None) -> Path:
    module = WRITERS.load(name)
    with module.create(out, SCHEME) as writer:
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
        "y_0", "y_1", "Pitch", "Roll", "Yaw", "FrameHeight", "FrameWidth", "input", "frame",
        "approx_time",
    ]  # fmt: skip
    assert list(table["frame"]) == [0, 0, 0, 0, 1, 2, 2]
    assert list(table["approx_time"]) == ["00:00"] * 4 + ["01:01", "01:02", "01:02"]
    assert list(table["input"]) == ["a/p.jpg"] * 2 + ["b/p.jpg"] + ["v.mp4"] * 4
    assert table.loc[[2, 4], "FaceRectX":"Yaw"].isna().all(axis=None)
    assert (table["FrameHeight"] == 100).all()
    assert (table["FrameWidth"] == 200).all()
    assert table.loc[0, "FaceRectX":"FaceScore"].tolist() == [10, 20, 20, 30, 0.75]
    assert table.loc[3, ["Pitch", "Roll", "Yaw"]].tolist() == [-5, 2.5, -10]
    assert table.loc[0, ["Pitch", "Roll", "Yaw"]].isna().all()


def test_dlc(tmp_path: Path) -> None:
    folder = write("dlc", tmp_path)
    assert listing(folder) == ["pictures_0.csv", "pictures_1.csv", "v.mp4_0.csv", "v.mp4_1.csv"]
    header = (
        "scorer,kpcli,kpcli,kpcli,kpcli,kpcli,kpcli\n"
        "bodyparts,eye,eye,eye,mouth,mouth,mouth\n"
        "coords,x,y,likelihood,x,y,likelihood\n"
    )
    assert (folder / "v.mp4_1.csv").read_text() == (
        header + "0,,,,,,\n1,,,,,,\n2,61.500,22.000,0.5000,63.000,44.250,1.0000\n"
    )
    assert (folder / "pictures_1.csv").read_text() == (
        header + "a/p.jpg,111.500,22.000,0.5000,113.000,44.250,1.0000\n"
    )
    table = pd.read_csv(folder / "v.mp4_0.csv", header=[0, 1, 2], index_col=0)
    assert list(table.index) == [0, 1, 2]
    assert table[("kpcli", "mouth", "y")].tolist()[::2] == [44.25, 44.25]
    assert table.loc[1].isna().all()


def test_coco(tmp_path: Path) -> None:
    values = json.loads(write("coco", tmp_path).read_text())
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
        "iscrowd": 0, "num_keypoints": 2, "keypoints": [111.5, 22, 2, 113, 44.25, 2],
        "attributes": {"score": 0.75, "track_id": 1},
    }  # fmt: skip


def test_coco_s_own_library_reads_it(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    loaded = coco.COCO(str(write("coco", tmp_path)))
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
    truth = COCO(str(write("coco", tmp_path)))
    assert precision(0) == pytest.approx(1)
    assert precision(30) == pytest.approx(0)
    assert 0.1 < precision(2) < 0.9


def test_a_point_that_is_no_number(tmp_path: Path) -> None:
    points = np.array([[np.nan, 1], [2, 3]], np.float32)
    broken = [FrameFaces("p.jpg", 1, 0.0, 200, 100, (face(0, points=points),))]
    (annotation,) = json.loads(write("coco", tmp_path, broken).read_text())["annotations"]
    assert annotation["keypoints"] == [0, 0, 0, 2, 3, 2]
    assert annotation["num_keypoints"] == 1
    values = json.loads(write("json", tmp_path, broken).read_text())
    assert values["frames"][0]["faces"][0]["points"] == [[None, 1], [2, 3]]
    (task,) = json.loads(write("labelstudio", tmp_path, broken).read_text())
    assert len(task["predictions"][0]["result"]) == 1


def test_cvat(tmp_path: Path) -> None:
    folder = write("cvat", tmp_path)
    assert listing(folder) == ["pictures.zip", "v.mp4.zip"]

    def read(name: str) -> Any:
        with zipfile.ZipFile(folder / name) as archive:
            (entry,) = archive.namelist()
            assert entry == "annotations/person_keypoints_default.json"
            return json.loads(archive.read(entry))

    pictures, video = read("pictures.zip"), read("v.mp4.zip")
    assert [i["file_name"] for i in pictures["images"]] == ["a/p.jpg", "b/p.jpg"]
    assert [i["file_name"] for i in video["images"]] == [
        "frame_000000.png", "frame_000001.png", "frame_000002.png",
    ]  # fmt: skip
    assert [a["attributes"]["track_id"] for a in video["annotations"]] == [0, 0, 1]
    assert all("track_id" not in a["attributes"] for a in pictures["annotations"])


def test_labelstudio(tmp_path: Path) -> None:
    tasks = json.loads(write("labelstudio", tmp_path).read_text())
    assert [t["data"]["image"] for t in tasks] == [
        "a/p.jpg", "b/p.jpg", "v.mp4/000001.jpg", "v.mp4/000002.jpg", "v.mp4/000003.jpg",
    ]  # fmt: skip
    (prediction,) = tasks[0]["predictions"]
    assert len(prediction["result"]) == 4
    assert prediction["result"][1] == {
        "id": "1_0_1",
        "type": "keypointlabels",
        "from_name": "keypoints",
        "to_name": "image",
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "score": 1.0,
        "meta": {"text": ["face 0"]},
        "value": {"x": 6.5, "y": 44.25, "width": 0.4, "keypointlabels": ["mouth"]},
    }
    assert tasks[1]["predictions"][0]["result"] == []
    assert json.loads(write("labelstudio", tmp_path, []).read_text()) == []


def test_json(tmp_path: Path) -> None:
    values = json.loads(write("json", tmp_path).read_text())
    assert values["scheme"] == {"name": "two", "point_names": ["eye", "mouth"]}
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


def test_parquet_is_the_csv_typed(tmp_path: Path) -> None:
    table = pd.read_parquet(write("parquet", tmp_path))
    text = pd.read_csv(write("csv", tmp_path))
    assert list(table.columns) == list(text.columns)
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
    values = json.loads(write("coco", tmp_path, odd).read_text())
    assert values["images"][0]["file_name"] == 'ü, "x".jpg'
