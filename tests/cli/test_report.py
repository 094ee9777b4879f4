from pathlib import Path

import pytest
from helpers.annotated import face, frame, write_results
from helpers.media import write_picture
from typer.testing import CliRunner

import kpcli
from kpcli.cli.app import app
from kpcli.errors import InputError

RUN = CliRunner()


def test_report_of_a_folder(tmp_path: Path) -> None:
    out = write_results(tmp_path / "out", [frame("a.jpg", 1, face())])
    done = RUN.invoke(app, ["report", str(out)])
    assert done.exit_code == 0, done.output
    assert f"report: {out / 'report.html'}" in done.output
    assert "</html>" in (out / "report.html").read_text()


def test_two_folders_need_compare(tmp_path: Path) -> None:
    out = write_results(tmp_path / "out", [frame("a.jpg", 1, face())])
    done = RUN.invoke(app, ["report", str(out), str(out)])
    assert done.exception is not None
    page = tmp_path / "both.html"
    done = RUN.invoke(app, ["report", "--compare", str(out), str(out), "--out", str(page)])
    assert done.exit_code == 0, done.output
    assert "<b>0.00</b>" in page.read_text()


def test_annotate_writes_the_page_too(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    command = ["annotate", "folder", str(tmp_path / "in"), "--out", str(out), "--report",
               "--workers", "1", "--crops", "--crop-size", "32"]  # fmt: skip
    done = RUN.invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "no_face" in (out / "report.html").read_text()
    done = RUN.invoke(app, [*command, "--resume"])
    assert done.exit_code == 0, done.output
    (out / "report.html").write_text("the user's own")
    done = RUN.invoke(app, [*command, "--overwrite"])
    assert isinstance(done.exception, InputError)
    assert (out / "report.html").read_text() == "the user's own"


def test_the_function_does_what_the_command_does(tmp_path: Path) -> None:
    out = write_results(tmp_path / "out", [frame("a.jpg", 1, face())])
    page = kpcli.report(out)
    assert page.path == out / "report.html"
    assert page.summary() == f"report: {page.path}"
    assert "</html>" in page.path.read_text()
    with pytest.raises(kpcli.UsageError, match="of two"):
        kpcli.report(out, compare=True)
