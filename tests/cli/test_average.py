"""kpcli average: where the mean face's features lie, what is left out, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.drawn_faces import face_of, paint, points_at
from helpers.media import write_picture
from typer.testing import CliRunner

from kpcli.cli.app import app
from kpcli.errors import InputError, UsageError
from kpcli.images import read_image
from kpcli.schemes import CELEBA5, IBUG68
from kpcli.types import Face
from kpcli.workflows import average

RUN = CliRunner()
SKIN = (232, 190, 160)
PLACES = {
    "a.png": (90, 100, 80, 0.0),
    "b.png": (130, 120, 120, 20.0),
    "turned.png": (100, 90, 90, 0),
}


class DrawnFinder:
    """Knows where the faces of the drawn pictures are."""

    scheme = IBUG68

    def __init__(self, options: object) -> None:
        pass

    def picture(self, path: Path) -> tuple[Face, ...]:
        read_image(path)
        if path.name not in PLACES:
            return ()
        x, y, side, roll = PLACES[path.name]
        yaw = 50.0 if path.name == "turned.png" else 0.0
        return (face_of(points_at(x, y, side, roll), yaw=yaw), face_of(points_at(20, 20, 15)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(average, "FaceFinder", DrawnFinder)
    for name, (x, y, side, roll) in PLACES.items():
        pixels = np.full((240, 260, 3), 90, np.uint8)
        paint(pixels, points_at(x, y, side, roll), SKIN)
        write_picture(tmp_path / "in" / name, pixels)
    write_picture(tmp_path / "in" / "none.png", np.zeros((50, 50, 3), np.uint8))
    return tmp_path / "in"


def run(folder: Path, out: Path, *more: str) -> tuple[int, str]:
    done = RUN.invoke(app, ["average", str(folder), "--out", str(out), "--size", "160", *more])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_the_mean_of_two_turned_faces_is_an_upright_one(folder: Path, tmp_path: Path) -> None:
    code, told = run(folder, tmp_path / "mean.png")
    assert code == 0
    assert "2 faces of 4 pictures; 4 left out" in told
    mean = read_image(tmp_path / "mean.png").astype(int)
    assert mean.shape == (160, 160, 3)
    drawn = np.full((160, 160, 3), 90, np.uint8)
    paint(drawn, points_at(80, 0.56 * 160, 80), SKIN)
    middle = (slice(55, 125), slice(45, 115))
    assert np.abs(mean[middle] - drawn[middle]).mean() < 12


def test_a_broken_file_is_told_and_the_rest_is_averaged(folder: Path, tmp_path: Path) -> None:
    (folder / "c.jpg").write_bytes(b"\xff\xd8\xff no picture")
    code, told = run(folder, tmp_path / "mean.png")
    assert code == 5
    assert "failed: c.jpg: " in told
    assert (tmp_path / "mean.png").is_file()


def test_nothing_of_the_user_s_is_replaced_but_an_earlier_mean_is(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.png").write_text("mine")
    with pytest.raises(InputError, match="not written by kpcli"):
        run(folder, tmp_path / "mine.png")
    with pytest.raises(InputError):
        run(folder, folder / "a.png")
    for _ in range(2):
        assert run(folder, tmp_path / "mean.png")[0] == 0


def test_a_folder_without_faces_or_pictures(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PLACES:
        (folder / name).unlink()
    with pytest.raises(InputError, match="no face to average"):
        run(folder, tmp_path / "mean.png")
    monkeypatch.setattr(DrawnFinder, "scheme", CELEBA5)
    with pytest.raises(UsageError, match="no mean shape"):
        run(folder, tmp_path / "mean.png")
    (folder / "none.png").unlink()
    with pytest.raises(InputError):
        run(folder, tmp_path / "mean.png")
    assert not (tmp_path / "mean.png").exists()
