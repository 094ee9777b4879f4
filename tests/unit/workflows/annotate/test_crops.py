from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.fakes import FakePredictor
from helpers.media import moving, write_picture, write_video
from PIL import Image

from kpcli.errors import InputError
from kpcli.geometry import REFERENCE_FIVE
from kpcli.images import write_image
from kpcli.options import AnnotateOptions
from kpcli.schemes import CELEBA5, get_scheme
from kpcli.types import Face, FaceBox, Pixels
from kpcli.workflows.annotate import crops
from kpcli.workflows.annotate.crops import SCALE, crop_transform
from kpcli.workflows.annotate.run import annotate
from kpcli.writers.landmark_csv import read_frames


def turned_face(degrees: float, side: float = 80.0) -> Face:
    """The reference face, turned clockwise about (150, 120)."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (REFERENCE_FIVE * side) @ turn.T + [150, 120]
    box = FaceBox(110, 80, 190, 160)
    return Face(box, points.astype(np.float32), np.ones(5, np.float32), 0.9)


@pytest.mark.parametrize("degrees", [0, 30, 90, 179])
def test_aligned_faces_lie_upright_at_one_place(degrees: float) -> None:
    face = turned_face(degrees)
    crop = crop_transform(face, CELEBA5, 256, align=True)
    expected = REFERENCE_FIVE * (256 / SCALE) + 127.5
    np.testing.assert_allclose(crop.to_crop_pixels(face.points), expected, atol=1e-3)


def test_without_align_the_crop_is_the_square_around_the_landmarks() -> None:
    face = turned_face(30)
    crop = crop_transform(face, CELEBA5, 128)
    linear = crop.matrix[:, :2]
    np.testing.assert_allclose(linear, np.eye(2) * linear[0, 0], atol=1e-9)  # not turned
    np.testing.assert_allclose(crop.to_frame_pixels(np.array([63.5, 63.5])), [150, 120], atol=0.01)
    np.testing.assert_allclose(crop.pixels_per_pixel, 128 / (80 * SCALE), rtol=1e-3)


def test_points_that_tell_no_direction() -> None:
    points = np.array([[10, 10], [30, 40]], np.float32)
    face = Face(FaceBox(0, 0, 50, 50), points, np.ones(2, np.float32), 0.9)
    crop = crop_transform(face, get_scheme("points2"), 64, align=True)
    np.testing.assert_allclose(crop.matrix[0, 1], 0, atol=1e-9)
    lost = replace(face, points=np.full((2, 2), np.nan, np.float32))
    assert crop_transform(lost, get_scheme("points2"), 64).size == 64


def options(tmp_path: Path, **changes: object) -> AnnotateOptions:
    values = {
        "inputs": (tmp_path / "in",), "out": tmp_path / "out", "detector": "whole_image",
        "workers": 1, "crops": True, "crop_size": 48, "overlays": False, **changes,
    }  # fmt: skip
    return AnnotateOptions(**values)  # type: ignore[arg-type]


def media(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "ä, b.png")
    write_video(tmp_path / "in" / "v" / "clip.mp4", 7, frames=moving(7))


def test_a_crop_a_row_and_the_column_names_it(tmp_path: Path) -> None:
    media(tmp_path)
    out = tmp_path / "out"
    report = annotate(
        options(tmp_path, crop_every=3, formats=("excel", "parquet"), measures=True),
        FakePredictor(),
    )
    assert report.exit_code == 0
    frames = list(read_frames(out / "landmarks.csv"))
    named = [face.crop for f in frames for face in f.faces if face.crop]
    assert named == [
        "crops/v/clip.mp4/000001_0.jpg", "crops/v/clip.mp4/000004_0.jpg",
        "crops/v/clip.mp4/000007_0.jpg", "crops/ä, b.png/000001_0.jpg",
    ]  # fmt: skip
    assert sorted(str(p.relative_to(out).as_posix()) for p in (out / "crops").rglob("*.jpg")) == (
        sorted(named)
    )
    assert all(Image.open(out / name).size == (48, 48) for name in named)
    openpyxl = pytest.importorskip("openpyxl")
    rows = list(openpyxl.load_workbook(out / "landmarks.xlsx").active.values)
    assert rows[0][-1] == "crop"
    assert [row[-1] for row in rows[1:] if row[-1]] == named
    table = pytest.importorskip("pyarrow.parquet").read_table(out / "landmarks.parquet")
    assert [v for v in table.column("crop").to_pylist() if v] == named


def test_a_crop_that_cannot_be_written_is_the_files_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media(tmp_path)
    written: list[Path] = []

    def write(path: Path, pixels: Pixels, quality: int) -> None:
        written.append(path)
        if len(written) == 3:
            raise InputError(f"{path}: cannot be written", actual="no room")
        write_image(path, pixels, quality)

    monkeypatch.setattr(crops, "write_image", write)
    report = annotate(options(tmp_path), FakePredictor())
    assert [(r.file, r.status) for r in report.problems] == [("v/clip.mp4", "partial")]
    assert "no crops" in report.problems[0].reason
    frames = list(read_frames(tmp_path / "out" / "landmarks.csv"))
    assert sum(bool(f.faces) for f in frames) == 8
    named = [face.crop for f in frames for face in f.faces]
    assert [bool(name) for name in named] == [True] * 2 + [False] * 5 + [True]
    assert all((tmp_path / "out" / name).is_file() for name in named if name)


def test_crops_of_the_user_are_in_the_way(tmp_path: Path) -> None:
    media(tmp_path)
    own = tmp_path / "out" / "crops" / "mine.jpg"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    with pytest.raises(InputError, match="in the way"):
        annotate(options(tmp_path, overwrite=True), FakePredictor())
    assert own.read_text() == "mine"


def test_crops_of_files_that_are_gone_go(tmp_path: Path) -> None:
    media(tmp_path)
    annotate(options(tmp_path), FakePredictor())
    (tmp_path / "in" / "v" / "clip.mp4").unlink()
    annotate(options(tmp_path, resume=True), FakePredictor())
    left = [p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.jpg")]
    assert left == ["crops/ä, b.png/000001_0.jpg"]
