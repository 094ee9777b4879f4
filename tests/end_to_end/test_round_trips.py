"""What one command writes, another reads: annotate, prepare and eval joined."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from kpcli.cli import app


def kpcli(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["kpcli", *map(str, arguments)])
    try:
        app.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def annotated(tmp_path: Path, sample_images: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Portraits with annotate's table and .pts files."""
    shutil.copytree(sample_images / "portraits", tmp_path / "portraits")
    done = kpcli(
        monkeypatch, "annotate", "folder", tmp_path / "portraits", "--out", tmp_path / "out",
        "--format", "pts", "--no-overlays", "--max-faces", 1, "--workers", 1,
    )  # fmt: skip
    assert done == 0
    return tmp_path


def test_eval_takes_the_boxes_of_annotates_table(
    annotated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_csv(annotated / "out" / "landmarks.csv")
    labelled = annotated / "labelled"
    labelled.mkdir()
    for file in table["file"]:
        stem = Path(file).stem
        shutil.copy(annotated / "portraits" / file, labelled / Path(file).name)
        shutil.copy(annotated / "out" / "pts" / f"{file}_0.pts", labelled / f"{stem}.pts")
    assert kpcli(monkeypatch, "prepare", labelled, "--out", annotated / "faces.csv") == 0
    done = kpcli(
        monkeypatch, "eval", annotated / "faces.csv", "--split", "train", "--out",
        annotated / "report", "--boxes", f"boxes_file:{annotated / 'out' / 'landmarks.csv'}",
    )  # fmt: skip
    assert done == 0
    metrics = json.loads((annotated / "report" / "metrics.json").read_text())
    assert metrics["faces"] == len(table) > 1
    assert metrics["missed"] == 0
    assert metrics["nme_mean"] < 0.2, "the labels are the model's own points in the same boxes"
