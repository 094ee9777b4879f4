"""The project file: ``kpcli.toml``, ``[tool.kpcli]``, ``--config``; the command line wins."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.fakes import FakePredictor, write_bundle
from helpers.media import write_picture, write_video

from kpcli.cli import app

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Calls the command line in tmp_path, which holds ``in`` and ``model``."""
    write_bundle(tmp_path / "model")
    write_picture(tmp_path / "in" / "a.png")
    write_video(tmp_path / "in" / "v.mp4", 8)
    monkeypatch.setattr("kpcli.inference.predictor.Predictor", lambda *_: FakePredictor())
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["kpcli", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            app.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


PROJECT = """
model = "model"
[annotate]
detector = "whole_image"
overlays = false
every = 3
format = ["csv", "json"]
min-confidence = 0
[train]
epochs = 2
"""


def options(out: str = "annotated") -> dict[str, object]:
    values: dict[str, object] = json.loads((Path(out) / "run.json").read_text())["options"]
    return values


@pytest.mark.parametrize("name", ["kpcli.toml", "pyproject.toml", "other.toml"])
def test_its_values_are_defaults_and_it_is_named_in_run_json(run: Run, name: str) -> None:
    text = PROJECT
    if name == "pyproject.toml":
        text = text.replace("[", "[tool.kpcli.").replace('[tool.kpcli."csv', '["csv')
        text = "[tool.kpcli]" + text
    Path(name).write_text(text)
    more = ["--config", name] if name == "other.toml" else []
    code, _, err = run("annotate", "folder", "in", "--workers", "1", *more)
    assert code == 0, err
    found = options()
    assert (found["model"], found["detector"], found["overlays"]) == ("model", "whole_image", False)
    assert (found["formats"], found["min_confidence"]) == (["csv", "json"], 0)
    assert found["config"] == name
    with Path("annotated", "landmarks.csv").open(newline="") as file:
        assert [row["frame"] for row in csv.DictReader(file)] == ["1", "1", "4", "7"]


def test_the_command_line_wins(run: Run) -> None:
    Path("kpcli.toml").write_text(PROJECT)
    words = ["--every", "4", "--format", "csv", "--overlays", "--workers", "1"]
    assert run("annotate", "folder", "in", *words)[0] == 0
    found = options()
    assert found["formats"] == ["csv"]
    assert found["overlays"] is True
    assert found["frames"] == {"every": 4, "first": 1, "last": None, "start": None, "end": None}


def test_config_stands_in_for_the_usual_file(run: Run) -> None:
    Path("kpcli.toml").write_text("nonsense = 1")
    Path("mine.toml").write_text(PROJECT)
    assert run("annotate", "folder", "in", "--config", "mine.toml", "--dry-run")[0] == 0


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("modle = 'large'", 2, "unknown option 'modle'\n  expected: model"),
        ("[annotate]\nmin_confidense = 1", 2, "of [annotate]\n  expected: min-confidence"),
        ("[anotate]\nevery = 2", 2, "unknown table [anotate]\n  expected: annotate"),
        ("[annotate]\nepochs = 2", 2, "unknown option 'epochs' of [annotate]"),
        ("[annotate]\nsmooth = 'much'", 2, "one-euro"),
        ("[annotate]\nevery = 0", 2, "--every"),
        ("[annotate]\nevery = 'often'", 2, "--every"),
        ("every = ", 3, "not a TOML file"),
        (None, 3, "cannot be read"),
    ],
)
def test_what_is_wrong_in_it_is_named(run: Run, text: str | None, code: int, told: str) -> None:
    if text is not None:
        Path("mine.toml").write_text(text)
    got, out, err = run("annotate", "folder", "in", "--config", "mine.toml")
    assert (got, out) == (code, "")
    assert told in err
    assert not Path("annotated").exists()


def test_a_pyproject_of_others_is_no_project_file(run: Run) -> None:
    Path("pyproject.toml").write_text("[tool.other]\nx = 1\n")
    words = ["--model", "model", "--detector", "whole_image", "--workers", "1"]
    assert run("annotate", "folder", "in", *words)[0] == 0
    assert options()["config"] is None


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (["in"], {"a.png", "v.mp4"}),
        (["--out", "annotated", "in"], {"a.png", "v.mp4"}),
        (["in", "--no-recursive"], {"a.png", "v.mp4"}),
        (["in", "--overwrite", "--out", "annotated"], {"a.png", "v.mp4"}),
        (["in/a.png"], {"a.png"}),
        (
            ["in", "--detector", "whole_image", "--shard", "1/1", "--format", "csv"],
            {"a.png", "v.mp4"},
        ),
        (["--max-faces", "1", "in/v.mp4"], {"v.mp4"}),
        (["--overwrite", "in/a.png", "in/v.mp4", "--out", "annotated"], {"a.png", "v.mp4"}),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_annotate_without_a_word_knows_folder_from_file(
    run: Run, words: list[str], files: set[str]
) -> None:
    Path("kpcli.toml").write_text(PROJECT)
    code, _, err = run("annotate", *words, "--workers", "1")
    assert code == 0, err
    with Path("annotated", "landmarks.csv").open(newline="") as file:
        assert {row["file"] for row in csv.DictReader(file)} == files


def test_annotate_of_nothing_that_is_there_says_so(run: Run) -> None:
    code, _, err = run("annotate", "nowhere")
    assert code == 3
    assert "nowhere: there is no such folder or file" in err
    assert "kpcli annotate folder DIR" in err
    code, _, err = run("annotate", "in", "nowhere")
    assert code == 3
    assert "kpcli annotate folder DIR" in err
