"""The commands, and a review that is killed: what was saved is there, and prepare reads it."""

import csv
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.annotated import face, frame, write_results
from helpers.reviewed import process, request, results, saved
from typer.testing import CliRunner

from kpcli.cli.app import app
from kpcli.dataset_csv import read_dataset
from kpcli.errors import InputError, UsageError
from kpcli.options import PrepareOptions
from kpcli.workflows.prepare.run import prepare

RUN = CliRunner()


def test_suggest_prints_and_writes_what_to_label_next(tmp_path: Path) -> None:
    frames = [frame("a.jpg", 1, face(0, 0.95)), frame("b,c.jpg", 1, face(0, 0.4, weak=3))]
    out = write_results(tmp_path / "out", frames)
    table = tmp_path / "next.csv"
    done = RUN.invoke(app, ["suggest", str(out), "--no-copies", "--out", str(table)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[1].split()[:2] == ["1", "b,c.jpg"]
    assert "low confidence" in lines[1]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["b,c.jpg", "a.jpg"]
    table.write_text("the user's own")
    done = RUN.invoke(app, ["suggest", str(out), "--no-copies", "--out", str(table)])
    assert isinstance(done.exception, InputError)
    assert table.read_text() == "the user's own"


def test_what_holds_nothing_to_review_is_refused(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["suggest", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    done = RUN.invoke(app, ["review", str(tmp_path / "none.csv"), "--no-browser"])
    assert isinstance(done.exception, InputError)
    out = write_results(tmp_path / "out", [frame("a.jpg", 1, face())])
    unlike = ["--unlike", str(out / "landmarks.csv")]
    done = RUN.invoke(app, ["suggest", str(out), "--no-copies", *unlike])
    assert isinstance(done.exception, (InputError, UsageError))


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_in_good_order(name: str, tmp_path: Path) -> None:
    if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here (nohup), and so by what is started from here")
    with process(results(tmp_path)) as (running, _):
        running.send_signal(getattr(signal, name))
        assert running.wait(timeout=60) == 0
        assert running.stdout is not None
        assert "next: kpcli prepare" in running.stdout.read()


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_a_killed_review_loses_nothing(tmp_path: Path) -> None:
    out = results(tmp_path)
    with process(out) as (running, address):
        _, queue = request(address, "api/queue")
        place = {"file": queue["files"].index("a.png"), "frame": 1}
        _, shown = request(address, "api/frame?file={file}&frame={frame}".format(**place))
        first, second = shown["faces"]
        points = [[x + 1.5, y - 2.25] for x, y in first["points"]]
        body = saved(first, place, points=points, status="corrected", what="dragged")
        assert request(address, "api/save", body)[0] == 200
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    journal = out / "review" / "journal.jsonl"
    with journal.open("a") as file:  # and what a save leaves that a kill cuts short
        file.write('{"file": "a.png", "frame": 1, "face": "0", "vers')
    with process(out) as (running, again):
        assert again == address, "a tab that is still open finds the next server"
        _, shown = request(again, "api/frame?file={file}&frame={frame}".format(**place))
        found = {f["face"]: f for f in shown["faces"]}
        assert found["0"]["points"] == points
        assert found["0"]["version"] == 1
        body = saved(second, place, status="accepted")
        assert request(again, "api/save", body)[0] == 200
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=60) == 0
        assert running.stdout is not None
        assert "1 accepted, 1 corrected" in running.stdout.read()
    prepare(PrepareOptions(sources=(out / "review",), out=tmp_path / "faces.csv"))
    rows = read_dataset(tmp_path / "faces.csv")
    assert len(rows) == 2
    assert any(np.allclose(row.points, points, atol=0.01) for row in rows)
    assert {row.attributes["review"] for row in rows} == {"accepted", "corrected"}
    assert all(time.strptime(r.attributes["reviewed_at"][:10], "%Y-%m-%d") for r in rows)
