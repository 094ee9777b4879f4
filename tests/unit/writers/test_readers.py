"""Outputs read by the tools they are for, where those are installed.

``pip install movement datumaro label-studio-sdk openpyxl`` in an environment with pytest runs
them all; none needs weights or a network.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpcli.catalogue import WRITERS
from kpcli.images import write_image
from kpcli.outputs import Outputs
from kpcli.schemes import IBUG68
from kpcli.types import Face, FaceBox, Frame, FrameFaces
from kpcli.writers.frame_pictures import FramePictures


def face(track: int, shift: float = 0.0) -> Face:
    points = np.random.default_rng(track).uniform(60, 140, (68, 2)).astype(np.float32) + shift
    scores = np.full(68, 0.75, np.float32)
    box = FaceBox(60 + shift, 60 + shift, 140 + shift, 140 + shift)
    return Face(box, points.astype(np.float32), scores, 0.5, track)


def frames() -> list[FrameFaces]:
    """A picture with two faces, one with none, a video whose second face comes late."""
    plan = [
        ("a/p.jpg", 1, (face(0), face(1, 50)), False),
        ("b/ü.jpg", 1, (), False),
        ("v.mp4", 1, (), True),
        ("v.mp4", 2, (face(0),), True),
        ("v.mp4", 3, (face(0, 1), face(1, 50)), True),
    ]
    return [FrameFaces(f, i, i / 25, 320, 240, faces, m) for f, i, faces, m in plan]


def write(name: str, out: Path) -> Path:
    module = WRITERS.load(name)
    with module.create(out, IBUG68) as writer:
        for frame in frames():
            writer.write(frame)
    return Path(out / module.OUTPUT)


def test_movement_reads_dlc(tmp_path: Path) -> None:
    load_poses = pytest.importorskip("movement.io.load_poses")
    folder = write("dlc", tmp_path)
    late = load_poses.from_dlc_file(folder / "v.mp4_1.csv", fps=25)
    assert late.sizes["time"] == 3
    assert list(late.keypoints.values) == list(IBUG68.point_names)
    assert np.isnan(late.position.values[:2]).all()
    assert (late.confidence.values[:, 0, 0] == [0, 0, 0.75]).all()
    np.testing.assert_allclose(
        late.position.values[2, :, :, 0].T, frames()[4].faces[1].points, atol=1e-3
    )
    first = load_poses.from_dlc_file(folder / "v.mp4_0.csv", fps=25)
    assert np.isnan(first.position.values[0]).all()
    pictures = load_poses.from_dlc_file(folder / "pictures_1.csv")
    np.testing.assert_allclose(
        pictures.position.values[0, :, :, 0].T, frames()[0].faces[1].points, atol=1e-3
    )


def faces_of(item: Any) -> list[Any]:
    """Skeletons of a datumaro item, in the order of faces (its own is another)."""
    points = [a for a in item.annotations if a.type.name == "points"]
    return sorted(points, key=lambda a: a.attributes["track_id"])


def test_datumaro_reads_coco_with_its_pictures(tmp_path: Path) -> None:
    datumaro = pytest.importorskip("datumaro")
    write("coco", tmp_path)
    (tmp_path / "staging").mkdir()
    pictures = FramePictures(Outputs(tmp_path, "annotate"), tmp_path / "staging")
    for frame in frames():
        source = tmp_path / "staging" / "source.jpg"
        pixels = np.full((240, 320, 3), 10 * frame.index, np.uint8)
        write_image(source, pixels)
        pictures.add(frame.file, Frame(source, frame.index, 0, pixels, frame.moving))
    pictures.publish()
    dataset = datumaro.Dataset.import_from(str(tmp_path), "coco_person_keypoints")
    items = {item.id: item for item in dataset}
    assert set(items) == {"a/p", "b/ü", "v.mp4/000001", "v.mp4/000002", "v.mp4/000003"}
    assert all(item.media.data.shape == (240, 320, 3) for item in items.values())
    points = faces_of(items["a/p"])
    assert len(points) == 2
    np.testing.assert_allclose(
        np.reshape(points[1].points, (-1, 2)), frames()[0].faces[1].points, atol=0.01
    )


def test_datumaro_reads_what_cvat_imports(tmp_path: Path) -> None:
    """CVAT unpacks the zip and reads it by Datumaro; an ``images`` folder it makes itself."""
    datumaro = pytest.importorskip("datumaro")
    with zipfile.ZipFile(write("cvat", tmp_path) / "v.mp4.zip") as archive:
        archive.extractall(tmp_path / "task")
    (tmp_path / "task" / "images").mkdir()
    dataset = datumaro.Dataset.import_from(str(tmp_path / "task"), "coco_person_keypoints")
    items = {item.id: item for item in dataset}
    assert set(items) == {"frame_000000", "frame_000001", "frame_000002"}
    last = faces_of(items["frame_000002"])
    # What CVAT's import_dm_annotations makes a track of, and its key frames.
    assert [a.attributes["track_id"] for a in last] == [0, 1]
    assert all(a.attributes["keyframe"] is True for a in last)
    np.testing.assert_allclose(
        np.reshape(last[1].points, (-1, 2)), frames()[4].faces[1].points + 0.5, atol=0.01
    )


def test_label_studio_validates_the_tasks(tmp_path: Path) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    folder = write("labelstudio", tmp_path)
    labelling = interface.LabelInterface((folder / "config.xml").read_text())
    labelling.validate()
    for task in json.loads((folder / "tasks.json").read_text()):
        assert all(labelling.validate_prediction(p) for p in task.pop("predictions"))
        assert labelling.validate_task(task)  # of SDK 2.1 it cannot have predictions


def test_label_studio_keeps_faces_apart_in_yolo(tmp_path: Path) -> None:
    converter = pytest.importorskip("label_studio_sdk.converter")
    folder = write("labelstudio", tmp_path)
    tasks = json.loads((folder / "tasks.json").read_text())
    for number, task in enumerate(tasks):  # accepted as they are, as an annotator would
        task["id"] = number
        task["annotations"] = [{"id": number, "result": task.pop("predictions")[0]["result"]}]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    text = (folder / "config.xml").read_text()
    made = converter.Converter(config=text, project_dir=str(tmp_path), download_resources=False)
    made.convert_to_yolo(str(tmp_path / "export.json"), str(tmp_path / "yolo"), is_dir=False)
    label = next((tmp_path / "yolo" / "labels").glob("*p.txt"))
    rows = [[float(v) for v in line.split()] for line in label.read_text().splitlines()]
    assert [len(row) for row in rows] == [5 + 3 * 68] * 2
    for row, there in zip(rows, frames()[0].faces, strict=True):
        points = np.reshape(row[5:], (68, 3))[:, :2] * (320, 240) - 0.5
        np.testing.assert_allclose(points, there.points, atol=0.01)


def test_openpyxl_reads_the_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(write("excel", tmp_path))
    assert book.sheetnames == ["landmarks"]
    rows = list(book["landmarks"].iter_rows(values_only=True))
    assert rows[0][:4] == ("file", "frame", "timestamp", "face_id")
    assert [row[0] for row in rows[1:]] == ["a/p.jpg"] * 2 + ["b/ü.jpg"] + ["v.mp4"] * 4
    assert rows[3][3:10] == (None, None, None, None, None, 0, 0)
    assert rows[1][10] == pytest.approx(float(frames()[0].faces[0].points[0, 0]), abs=1e-3)
    assert {len(row) for row in rows} == {10 + 3 * 68}


def test_py_feat_reads_its_table(tmp_path: Path) -> None:
    io = pytest.importorskip("feat.utils.io")
    fex = io.read_feat(str(write("pyfeat", tmp_path)))
    assert list(fex.poses.columns) == ["Pitch", "Roll", "Yaw", "X", "Y", "Z"]
    assert fex.landmarks.shape == (7, 136)
    assert list(fex.faceboxes.columns)[:2] == ["FaceRectX", "FaceRectY"]
    assert list(fex.time["frame"]) == [0, 0, 0, 0, 1, 2, 2]
