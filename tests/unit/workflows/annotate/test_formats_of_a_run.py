from pathlib import Path

import numpy as np
import pytest

from kpcli.batch.ledger import Ledger
from kpcli.batch.outcome import FileResult
from kpcli.errors import InputError
from kpcli.schemes import get_scheme
from kpcli.types import Face, FaceBox, FrameFaces
from kpcli.workflows.annotate.formats import Written, write_formats
from kpcli.writers import json_frames
from kpcli.writers.landmark_csv import create

SCHEME = get_scheme("points2")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A finished table of three pictures."""
    points = np.array([[1, 2], [3, 4]], np.float32)
    face = Face(FaceBox(0, 0, 5, 5), points, np.ones(2, np.float32), 0.5)
    with create(tmp_path, SCHEME) as writer:
        for name in "abc":
            writer.write(FrameFaces(f"{name}.jpg", 1, 0, 9, 9, (face,)))
    return tmp_path


def formats(out: Path, *names: str) -> Written:
    results = [FileResult(f"{name}.jpg", "done", width=9, height=9) for name in "abc"]
    ledger = Ledger(out)
    ledger.staging.mkdir(parents=True, exist_ok=True)
    return write_formats(names, ledger, SCHEME, results)


def left(out: Path) -> list[Path]:
    return list(Ledger(out).staging.iterdir())


def test_all_in_one_pass_over_the_table(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kpcli.workflows.annotate import formats as module

    opened = []
    read = module.read_frames
    monkeypatch.setattr(module, "read_frames", lambda *a: opened.append(a) or read(*a))
    assert [p.name for p in formats(out, "json", "pts", "json", "csv", "coco").paths] == [
        "landmarks.json", "pts", "annotations",
    ]  # fmt: skip
    assert len(opened) == 1
    assert len(list((out / "pts").iterdir())) == 3
    assert left(out) == []
    assert (out / "images").is_dir()  # datumaro reads no COCO without


@pytest.mark.parametrize("when", ["opening", "writing", "ending"])
def test_a_format_that_cannot_be_written_leaves_the_others(
    out: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    if when == "opening":
        monkeypatch.setattr(json_frames, "atomic_path", fail)
    else:
        method = {"writing": "write", "ending": "end"}[when]
        monkeypatch.setattr(json_frames.JsonFrames, method, fail)
    written = formats(out, "pts", "json", "openface")
    assert written.failed == {out / "landmarks.json": "No space left on device"}
    assert [p.name for p in written.paths] == ["pts", "openface"]
    assert len(list((out / "pts").iterdir())) == 3
    assert len(list((out / "openface").iterdir())) == 3
    assert not (out / "landmarks.json").exists()
    assert left(out) == []


def test_a_damaged_table_leaves_nothing(out: Path) -> None:
    with (out / "landmarks.csv").open("a") as file:
        file.write("d.jpg,1\n")
    with pytest.raises(InputError, match="another length"):
        formats(out, "pts", "json", "parquet")
    assert sorted(p.name for p in out.iterdir()) == [".kpcli", "landmarks.csv"]
    assert left(out) == []
