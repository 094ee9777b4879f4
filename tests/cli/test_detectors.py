"""Wrong detectors and wrong data for one, from the command line: exit code and message."""

import sys
from pathlib import Path

import numpy as np
import pytest

from kpcli.cli import app
from kpcli.dataset_csv import BOXES, write_dataset
from kpcli.geometry import tight_box
from kpcli.images import write_image
from kpcli.model_bundle import ModelCard, write_card
from kpcli.schemes import IBUG68
from kpcli.types import FaceBox, Sample


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    write_image(tmp_path / "in" / "a.png", np.zeros((40, 40, 3), np.uint8))
    return tmp_path / "in" / "a.png"


def run(monkeypatch, capsys, *arguments: object) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["kpcli", *(str(a) for a in arguments)])
    with pytest.raises(SystemExit) as end:
        app.main()
    return int(end.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(
    ("detector", "code", "words"),
    [
        ("nonsense", 2, ("unknown detector", "builtin")),
        ("yunet", 2, ("yunet:FILE",)),
        ("ssd", 2, ("ssd:FILE",)),
        ("ssd:missing.pb", 3, ("missing.pb",)),
        ("yunet:missing.onnx", 3, ("missing.onnx",)),
        ("builtin:missing", 4, ("missing", "not a model bundle")),
    ],
)
def test_a_detector_that_cannot_be_used(
    monkeypatch, capsys, tmp_path, picture, detector, code, words
) -> None:
    found, said = run(
        monkeypatch, capsys, "annotate", "file", picture, "--out", tmp_path / "out",
        "--detector", detector,
    )  # fmt: skip
    assert found == code, said
    for word in words:
        assert word in said
    assert "Traceback" not in said


def test_a_bundle_of_landmarks_is_no_detector(monkeypatch, capsys, tmp_path, picture) -> None:
    card = ModelCard(
        name="x", task="landmarks", architecture="heatmap_fpn", input_size=128, colour="rgb",
        crop_scale=1.3, face_box="landmarks", scheme=IBUG68.to_json(),
    )  # fmt: skip
    (tmp_path / "bundle").mkdir()
    write_card(card, tmp_path / "bundle")
    code, said = run(
        monkeypatch, capsys, "annotate", "file", picture, "--out", tmp_path / "out",
        "--detector", f"builtin:{tmp_path / 'bundle'}",
    )  # fmt: skip
    assert code == 4
    assert "not a face detector" in said


def test_a_working_size_that_is_too_small(monkeypatch, capsys, tmp_path, picture) -> None:
    code, said = run(
        monkeypatch, capsys, "annotate", "file", picture, "--out", tmp_path / "out",
        "--detect-size", 10,
    )  # fmt: skip
    assert code == 2
    assert "detect-size" in said


def rows(folder: Path, *, boxes: bool) -> Path:
    """A CSV of two pictures, of boxes or of landmarks."""
    samples = []
    for i in range(2):
        write_image(folder / f"{i}.png", np.zeros((40, 40, 3), np.uint8))
        points = np.zeros((0, 2), np.float32)
        face: FaceBox | None = FaceBox(5, 5, 20, 25)
        if not boxes:
            points = np.array([[5, 5], [20, 6], [12, 15], [8, 20], [18, 21]], np.float32)
            face = tight_box(points)
        samples.append(
            Sample(
                folder / f"{i}.png", face, points, np.ones(len(points), bool),
                BOXES if boxes else "celeba5", "drawn", "train", str(i),
            )
        )  # fmt: skip
    path = folder / f"{'boxes' if boxes else 'faces'}.csv"
    write_dataset(samples, path, folder)
    return path


def test_a_detector_trains_on_boxes_and_landmarks_on_points(monkeypatch, capsys, tmp_path) -> None:
    boxes, faces = rows(tmp_path, boxes=True), rows(tmp_path, boxes=False)
    out = tmp_path / "run"
    code, said = run(monkeypatch, capsys, "train", faces, "--arch", "face_detector", "--out", out)
    assert code == 3
    assert "face boxes" in said
    code, said = run(monkeypatch, capsys, "train", boxes, "--out", out)
    assert code == 3
    assert "no landmarks" in said
    code, said = run(
        monkeypatch, capsys, "train", boxes, "--arch", "face_detector", "--out", out,
        "--val", "0.5", "--faces", boxes,
    )  # fmt: skip
    assert code == 3
    assert "--faces" in said
    assert not (out / "model").exists()
