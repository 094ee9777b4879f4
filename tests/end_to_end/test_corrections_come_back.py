"""Predictions out to CVAT and Label Studio, corrections of theirs in: the same faces."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.annotated import face, frame
from helpers.media import write_picture

from kpcli.catalogue import WRITERS
from kpcli.dataset_csv import read_dataset
from kpcli.options import PrepareOptions
from kpcli.schemes import CELEBA5
from kpcli.types import FrameFaces
from kpcli.workflows.prepare.run import prepare

MOVED = (3.0, -2.0)
"""Pixels by which the person moves the nose of every face."""


def correct_cvat(out: Path) -> Path:
    """Move the noses in the zip that CVAT imports, which is what it exports too."""
    path = out / "cvat" / "pictures.zip"
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        content = json.loads(archive.read(name))
    for annotation in content["annotations"]:
        annotation["keypoints"][6] += MOVED[0]
        annotation["keypoints"][7] += MOVED[1]
    # What CVAT writes around it: its nameless licence, and its attributes of shapes.
    content["licenses"] = [{"name": "", "id": 0, "url": ""}]
    for annotation in content["annotations"]:
        annotation["attributes"] = {"occluded": False, **annotation.get("attributes", {})}
    exported = out.parent / "corrected.zip"
    with zipfile.ZipFile(exported, "w") as archive:
        archive.writestr(name, json.dumps(content))
    return exported


def correct_labelstudio(out: Path) -> Path:
    """Tasks as Label Studio exports them: what a person made of the prediction, beside it."""
    tasks = json.loads((out / "labelstudio" / "tasks.json").read_text())
    for task in tasks:
        results = json.loads(json.dumps(task["predictions"][0]["result"]))
        for result in results:
            if result["value"].get("keypointlabels") == ["nose_tip"]:
                result["value"]["x"] += 100 * MOVED[0] / result["original_width"]
                result["value"]["y"] += 100 * MOVED[1] / result["original_height"]
        task["annotations"] = [{"id": 1, "completed_by": 1, "result": results}]
    exported = out.parent / "project-1.json"
    exported.write_text(json.dumps(tasks))
    return exported


@pytest.mark.parametrize(
    ("name", "correct"), [("cvat", correct_cvat), ("labelstudio", correct_labelstudio)]
)
def test_predictions_out_corrections_in(
    name: str, correct: Callable[[Path], Path], tmp_path: Path
) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    out.mkdir()
    frames = [
        FrameFaces(f, 1, 0.0, 48, 40, faces)
        for f, faces in (
            ("a.png", frame("a", 1, face(0), face(1, left=4)).faces),
            ("deep/b.png", frame("b", 1, face(0, left=6)).faces),
        )
    ]
    for one in frames:
        write_picture(pictures / one.file)
    with WRITERS.load(name).create(out, CELEBA5) as writer:
        for one in frames:
            writer.write(one)
    faces_csv = tmp_path / "faces.csv"
    prepare(PrepareOptions(sources=(correct(out),), out=faces_csv, images=pictures, format=name))
    rows = {(s.image.name, round(float(s.points[0, 0]))): s.points for s in read_dataset(faces_csv)}
    wanted = [(one.file, f.points) for one in frames for f in one.faces]
    assert len(rows) == len(wanted) == 3
    for file, points in wanted:
        moved = points.copy()
        moved[2] += np.float32(MOVED)
        found = rows[Path(file).name, round(float(points[0, 0]))]
        np.testing.assert_allclose(found, moved, atol=0.02)
