"""`kpcli annotate folder|file`: options, messages, exit codes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.fakes import FakePredictor, InterruptedPredictor, write_bundle
from helpers.media import picture, write_picture, write_video
from PIL import Image

from kpcli.cli import app
from kpcli.model_bundle import write_card
from kpcli.schemes import CELEBA5

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_picture(tmp_path / "in" / "a.png")
    write_picture(tmp_path / "in" / "b" / "a.jpg")
    write_video(tmp_path / "in" / "v.mp4", 8, frames=[picture(64, 48)] * 8)
    return tmp_path / "in"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Calls the command line with a fake model in tmp_path; gives exit code, stdout, stderr."""
    model = write_bundle(tmp_path / "model")
    monkeypatch.setattr("kpcli.inference.predictor.Predictor", lambda *_, **__: FakePredictor())
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        plain = ["--model", model, "--detector", "whole_image", "--workers", 1]
        words = ["kpcli", "annotate", *arguments[:1], *plain, *arguments[1:]]
        monkeypatch.setattr("sys.argv", [str(w) for w in words])
        with pytest.raises(SystemExit) as end:
            app.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(end.value.code or 0), out, err

    return call


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "landmarks.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_folder(run: Run, source: Path, tmp_path: Path) -> None:
    code, out, _ = run("folder", source, "--out", "out")
    assert code == 0
    assert "3 files, 10 frames, 3 faces" in out
    assert "landmarks: out/landmarks.csv" in out
    assert "overlays:  out/overlays" in out
    assert len(rows(tmp_path / "out")) == 10


def test_the_default_place_is_annotated(run: Run, source: Path, tmp_path: Path) -> None:
    assert run("folder", source)[0] == 0
    assert (tmp_path / "annotated" / "landmarks.csv").is_file()


def test_file(run: Run, source: Path, tmp_path: Path) -> None:
    code, _, _ = run("file", source / "v.mp4", source / "a.png", "--out", "out", "--no-overlays")
    assert code == 0
    assert {row["file"] for row in rows(tmp_path / "out")} == {"a.png", "v.mp4"}
    assert not (tmp_path / "out" / "overlays").exists()


def test_options_reach_the_work(run: Run, source: Path, tmp_path: Path) -> None:
    code, out, _ = run(
        "folder", source, "--out", "out", "--no-recursive", "--every", "2", "--frames", "2-6",
        "--start", "0.05", "--end", "0.2", "--format", "csv, pts", "--batch-size", "1",
    )  # fmt: skip
    assert code == 0
    assert [(row["file"], row["frame"]) for row in rows(tmp_path / "out")] == [
        ("a.png", "1"), ("v.mp4", "3"), ("v.mp4", "5"),
    ]  # fmt: skip
    assert (tmp_path / "out" / "pts" / "v.mp4_000005_0.pts").is_file()
    assert "also:      out/pts" in out
    code, _, _ = run("folder", source, "--out", "sure", "--min-confidence", "1")
    assert {row["success"] for row in rows(tmp_path / "sure")} == {"0"}


def test_some_failed_is_exit_5(run: Run, source: Path) -> None:
    (source / "broken.jpg").write_bytes(b"x")
    code, out, _ = run("folder", source, "--out", "out")
    assert code == 5
    assert "failed: broken.jpg: not a readable picture" in out


def test_dry_run(run: Run, source: Path, tmp_path: Path) -> None:
    code, out, _ = run("folder", source, "--out", "out", "--dry-run")
    assert code == 0
    assert out.splitlines()[:3] == ["annotate  a.png", "annotate  b/a.jpg", "annotate  v.mp4"]
    assert not (tmp_path / "out").exists()


def test_ctrl_c_then_resume(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "kpcli.inference.predictor.Predictor", lambda *_, **__: InterruptedPredictor(2)
    )
    code, out, _ = run("folder", source, "--out", "out")
    assert code == 130
    assert "interrupted: 2 files left; go on with --resume" in out
    assert len(rows(tmp_path / "out")) == 8
    monkeypatch.setattr("kpcli.inference.predictor.Predictor", lambda *_, **__: FakePredictor())
    code, _, err = run("folder", source, "--out", "out")
    assert code == 3
    assert "--resume" in err
    code, out, _ = run("folder", source, "--out", "out", "--dry-run", "--resume")
    assert "finished  v.mp4" in out
    assert run("folder", source, "--out", "out", "--resume")[0] == 0
    assert len(rows(tmp_path / "out")) == 10
    assert run("folder", source, "--out", "out", "--overwrite")[0] == 0


def test_shards_and_merge(
    run: Run,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for i in (1, 2):
        assert run("folder", source, "--out", f"s{i}", "--shard", f"{i}/2")[0] == 0
    words = ["kpcli", "merge", "s1", "s2", "--out", "out", "--format", "csv,json"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as end:
        app.main()
    assert not end.value.code
    assert "3 files, 10 frames, 3 faces" in capsys.readouterr().out
    assert len(rows(tmp_path / "out")) == 10
    assert (tmp_path / "out" / "landmarks.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["folder", "none"], 3, "there is no such folder"),
        (["folder", "in/a.png"], 3, "kpcli annotate file"),
        (["folder", "empty"], 3, "no picture or video to annotate"),
        (["file", "none.png"], 3, "there is no such file"),
        (["file", "in"], 3, "kpcli annotate folder"),
        (["folder", "in", "--out", "in/a.png/x"], 3, "cannot be written"),
        (["folder", "in", "--detector", "eyes"], 2, "unknown detector 'eyes'"),
        (["folder", "in", "--detector", "boxes_file"], 2, "needs a CSV"),
        (["folder", "in", "--detector", "boxes_file:none.csv"], 3, "no such CSV of boxes"),
        (["folder", "in", "--format", "csv,word"], 2, "unknown writer 'word'"),
        (["folder", "in", "--engine", "steam"], 2, "'steam' is not one of 'local', 'ray'"),
        (["folder", "in", "--model", "none"], 4, "not a model bundle"),
        (["folder", "in", "--frames", "0-5"], 2, "counted from 1"),
        (["folder", "in", "--frames", "9-5"], 2, "10-20, 10- or 7"),
        (["folder", "in", "--frames", "x"], 2, "10-20, 10- or 7"),
        (["folder", "in", "--start", "3", "--end", "2"], 2, "--end lies before --start"),
        (["folder", "in", "--shard", "3/2"], 2, "1/4"),
        (["folder", "in", "--smooth", "much"], 2, "one-euro"),
        (["folder", "in", "--min-confidence", "2"], 2, "--min-confidence"),
        (["folder", "in", "--every", "0"], 2, "--every"),
        (["folder"], 2, "Missing argument"),
        (["file"], 2, "Missing argument"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_what_cannot_be_done(
    run: Run, source: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    got, out, err = run(*arguments)
    assert got == code
    assert message in err
    assert out == ""


def test_a_first_attempt_that_failed_is_not_in_the_way(run: Run, source: Path) -> None:
    assert run("folder", source, "--out", "out", "--detector", "boxes_file:none.csv")[0] == 3
    assert run("folder", source, "--out", "out")[0] == 0


def test_a_missing_ray_is_named_with_its_remedy(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kpcli.batch.engines.choose.find_spec", lambda name: None)
    code, _, err = run("folder", source, "--out", "out", "--engine", "ray")
    assert code == 4
    assert "pip install ray, on all nodes" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stage", ["make_plan", "write_formats"])
def test_ctrl_c_before_and_after_the_work(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"kpcli.workflows.annotate.run.{stage}", interrupted)
        code, out, err = run("folder", source, "--out", "out")
    assert (code, out) == (130, "")
    assert err == "interrupted; go on with --resume\n"
    assert run("folder", source, "--out", "out", "--resume")[0] == 0
    assert len(rows(tmp_path / "out")) == 10


def overlay(path: Path, name: str = "a.png") -> bytes:
    return (path / "overlays" / name).read_bytes()


def test_what_overlays_show(run: Run, source: Path, tmp_path: Path) -> None:
    own = tmp_path / "dot"
    own.mkdir()
    Image.new("RGBA", (9, 9), (255, 0, 0, 255)).save(own / "dot.png")
    ends = {"a": {"at": [0, 4], "to": "left_eye"}, "b": {"at": [8, 4], "to": "right_eye"}}
    (own / "sticker.json").write_text(json.dumps({"picture": "dot.png", "anchors": ends}))
    run("folder", source, "--out", "plain")
    for words in ("landmarks", "none", "points:red, box", "stickers:hat,mesh", f"stickers:{own}"):
        out = tmp_path / words.replace("/", "_")
        assert run("folder", source, "--out", out, "--draw", words)[0] == 0
        assert (overlay(out) == overlay(tmp_path / "plain")) == (words == "landmarks")
        table = (out / "landmarks.csv").read_bytes()
        assert table == (tmp_path / "plain" / "landmarks.csv").read_bytes()
    (own / "sticker.json").write_text(
        json.dumps({"picture": "dot.png", "anchors": ends, "layer": 3})
    )
    code, _, err = run("folder", source, "--out", out, "--draw", f"stickers:{own}", "--resume")
    assert code == 3
    assert "sticker_files" in err
    code, _, err = run("folder", source, "--out", tmp_path / "none", "--draw", "box", "--resume")
    assert code == 3
    assert "draw = " in err


@pytest.mark.parametrize(
    ("word", "code", "message"),
    [
        ("wings", 2, "cannot draw 'wings'"),
        ("stickers:beard", 2, "there is no sticker 'beard'"),
        ("points:reddish", 2, "unknown colour 'reddish'"),
        (" , ", 2, "cannot draw nothing"),
        ("stickers:in", 3, "in/sticker.json: not a sticker"),
    ],
)
def test_what_cannot_be_drawn(
    run: Run, source: Path, tmp_path: Path, word: str, code: int, message: str
) -> None:
    for more in ((), ("--dry-run",)):
        got, out, err = run("folder", source, "--out", "out", "--draw", word, *more)
        assert (got, out) == (code, "")
        assert message in err
    assert not (tmp_path / "out").exists()


def test_a_model_without_the_points_is_refused(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    five = tmp_path / "five"
    five.mkdir()
    write_card(replace(FakePredictor().card, scheme=CELEBA5.to_json()), five)
    for more in ((), ("--dry-run",)):
        code, _, err = run("folder", source, "--model", five, "--draw", "swap", *more)
        assert code == 2
        assert "the model's scheme celeba5 lacks points that it needs" in err
