"""README's Python section runs as it stands, on sample_images."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

import kpcli
from kpcli.writers.pts import write_pts

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path, sample_images: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what README speaks of: a portrait, a clip, videos, a labelled dataset."""
    portraits = sorted((sample_images / "portraits").iterdir())
    shutil.copy(sample_images / "portraits" / "grace_hopper.jpg", tmp_path / "portrait.jpg")
    shutil.copy(sample_images / "clip.mp4", tmp_path / "clip.mp4")
    (tmp_path / "my_videos").mkdir()
    shutil.copy(portraits[0], tmp_path / "my_videos")
    shutil.copy(sample_images / "clip.mp4", tmp_path / "my_videos")
    finder = kpcli.FaceFinder()
    for i, picture in enumerate(portraits):
        folder = tmp_path / "300w" / "helen" / ("testset" if i == 0 else "trainset")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, folder)
        write_pts(folder / f"{picture.stem}.pts", finder.picture(picture)[0].points)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_python_section_runs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "\n".join(blocks("python"))
    assert code.count("epochs=30") == 1
    names: dict[str, object] = {}
    exec(compile(code.replace("epochs=30", "epochs=1"), "README.md", "exec"), names)

    table, points, faces = names["table"], names["points"], names["faces"]
    assert set(table["file"]) == {"clip.mp4", "barack_obama.jpg"}  # type: ignore[index]
    assert len(points) == 68 * int(table["success"].sum())  # type: ignore[arg-type,index]
    assert (np.diff(faces[0].points[27:31, 1]) > 0).all()  # type: ignore[index]  # down the nose
    opened = (names["mouth"].max() - names["mouth"].min()).dropna()  # type: ignore[attr-defined]
    assert len(opened) == table["success"].sum()  # type: ignore[index]
    assert opened.between(1, 200).all()
    said = capsys.readouterr().out
    for words in ("2 files, ", "faces.csv: ", "model: runs/mine/model", "NME", "onnx: "):
        assert words in said
    assert (project / "runs" / "mine" / "model" / "model.onnx").is_file()
    assert (project / "eval_faces_test" / "metrics.json").is_file()


def test_the_project_file_is_one(project: Path) -> None:
    (text,) = blocks("toml")
    assert tomllib.loads(text)["annotate"]["overlays"] is False
    Path("kpcli.toml").write_text(text)
    import sys
    from unittest.mock import patch

    from kpcli.cli.app import main

    with patch.object(sys, "argv", ["kpcli", "annotate", "my_videos", "--dry-run"]):
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
