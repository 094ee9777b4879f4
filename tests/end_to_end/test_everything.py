"""The whole story on sample_images: annotate, prepare, train an epoch, eval, export, annotate."""

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from kpcli.cli.app import main
from kpcli.writers.pts import write_pts

PORTRAIT_TYPES = (".jpg", ".png")


@pytest.fixture
def kpcli(monkeypatch, capsys):
    """Run a command line in this process; returns its standard output."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["kpcli", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert not end.value.code, f"{arguments}: exit {end.value.code}\n{said.err}"
        return said.out

    return run


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def points_of(row: dict[str, str], n: int = 68) -> np.ndarray:
    return np.array([[float(row[f"x_{i}"]), float(row[f"y_{i}"])] for i in range(n)])


def labelled_portraits(rows: list[dict[str, str]], pictures: Path, root: Path) -> int:
    """A 300-W-like dataset of the pictures that show one face: every third one is test."""
    by_file: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_file.setdefault(row["file"], []).append(row)
    single = [
        r[0] for name, r in sorted(by_file.items())
        if len(r) == 1 and r[0]["success"] == "1" and name.endswith(PORTRAIT_TYPES)
    ]  # fmt: skip
    for i, row in enumerate(single):
        folder = root / "helen" / ("testset" if i % 3 == 2 else "trainset")
        folder.mkdir(parents=True, exist_ok=True)
        source = pictures / row["file"]
        shutil.copy(source, folder / source.name)
        write_pts(folder / f"{source.stem}.pts", points_of(row))
    return len(single)


def test_everything(kpcli, sample_images, tmp_path) -> None:
    out = tmp_path / "annotated"
    assert "faces" in kpcli("annotate", "folder", sample_images, "--out", out)
    rows = rows_of(out / "landmarks.csv")
    assert sum(row["success"] == "1" for row in rows) > 10
    faces = labelled_portraits(rows, sample_images, tmp_path / "data")
    assert faces >= 4

    prepared = tmp_path / "faces.csv"
    kpcli("prepare", tmp_path / "data", "--val", "0.3", "--out", prepared)
    splits = [row["split"] for row in rows_of(prepared)]
    assert len(splits) == faces
    assert set(splits) == {"train", "val", "test"}

    run = tmp_path / "run"
    kpcli("train", prepared, "--out", run, "--arch", "cnn_gray96", "--epochs", "1",
          "--learning-rate", "1e-4")  # fmt: skip
    report = tmp_path / "report"
    kpcli("eval", prepared, "--split", "test", "--model", run / "model", "--out", report)
    metrics = json.loads((report / "metrics.json").read_text())
    assert metrics["faces"] == splits.count("test")
    assert metrics["nme_mean"] > 0

    # The labels are the default model's own points (from other boxes): it must fit them well.
    kpcli("eval", prepared, "--split", "test", "--out", tmp_path / "own")
    own = json.loads((tmp_path / "own" / "metrics.json").read_text())
    assert own["nme_mean"] < 4 < metrics["nme_mean"]

    kpcli("export", run / "model", "--to", "onnx")
    picture = next((tmp_path / "data" / "helen" / "testset").glob("*.jpg"))
    found = []
    for runtime in ("keras", "onnx"):
        target = tmp_path / runtime
        kpcli("annotate", "file", picture, "--out", target, "--model", run / "model",
              "--runtime", runtime, "--no-overlays")  # fmt: skip
        found.append(points_of(rows_of(target / "landmarks.csv")[0]))
    np.testing.assert_allclose(found[0], found[1], atol=0.1)
