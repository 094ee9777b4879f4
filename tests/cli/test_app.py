"""The entry point: quick help, exit codes, nothing heavy before it is needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kpcli import __version__
from kpcli.cli import app
from kpcli.errors import InputError, ModelError, UsageError

HEAVY = ("tensorflow", "keras", "pandas", "matplotlib", "scipy", "h5py", "av", "cv2", "onnxruntime")

LONG = "x" * 300

PROBE = """
import sys
from kpcli.cli.app import main
sys.argv = ["kpcli", *{arguments!r}]
try:
    main()
except SystemExit as end:
    print("exit", end.code)
print("loaded", *[m for m in {heavy!r} if m in sys.modules])
"""


def probe(*arguments: str) -> tuple[str, str]:
    script = PROBE.format(arguments=list(arguments), heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("annotate", "file", LONG), ("annotate", "folder", LONG), ("prepare", LONG, "--out", "x"),
        ("prepare", ".", "--out", LONG), ("merge", LONG, "--out", "m"), ("report", LONG),
        ("report", "--compare", LONG, LONG), ("info", LONG),
        ("annotate", "file", "a", "--out", LONG),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_name_that_no_file_can_have_is_said(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["kpcli", *words])
    with pytest.raises(SystemExit) as end:
        app.main()
    assert end.value.code in (2, 3, 4)
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("number", sorted(app.NO_BUG))
def test_what_the_disk_refuses_is_no_traceback(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*args: object, **named: object) -> None:
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.setattr("kpcli.cli.app.app", refused)
    with pytest.raises(SystemExit) as end:
        app.main()
    assert end.value.code == 3
    said = capsys.readouterr().err
    assert "some/file" in said
    assert os.strerror(number) in said
    assert "next step" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], "0"),
        (["--version"], "0"),
        (["train", "--help"], "0"),
        (["annotate", "folder", "--help"], "0"),
        (["nonsense"], "2"),
        (["train"], "2"),
        (["train", "faces.csv", "--out", "run", "--epochs", "none"], "2"),
        (["eval", "faces.csv", "--nonsense"], "2"),
        (["prepare"], "2"),
        (["annotate", "folder"], "2"),
        (["train", "faces.csv", "--out", "run", "--recipe", "nonsense"], "2"),
    ],
    ids=" ".join,
)
def test_help_and_usage_errors_load_nothing_heavy(arguments: list[str], code: str) -> None:
    out, err = probe(*arguments)
    assert f"exit {code}" in out, err
    assert out.splitlines()[-1].strip() == "loaded"
    assert "Traceback" not in err


def test_version() -> None:
    assert probe("--version")[0].startswith(f"kpcli {__version__}\n")


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError, 2), (InputError, 3), (ModelError, 4), (KeyboardInterrupt, 130)]
)
def test_main_turns_errors_into_exit_codes(monkeypatch, capsys, error, code) -> None:
    def broken(**_: object) -> None:
        if error is KeyboardInterrupt:
            raise error
        raise error("it broke", expected="this", actual="that", next_step="do so")

    monkeypatch.setattr(app, "app", broken)
    with pytest.raises(SystemExit) as end:
        app.main()
    assert end.value.code == code
    said = capsys.readouterr().err
    if error is not KeyboardInterrupt:
        assert said == "error: it broke\n  expected: this\n  actual: that\n  next step: do so\n"


def test_a_bug_keeps_its_traceback(monkeypatch) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(app, "app", broken)
    with pytest.raises(ZeroDivisionError):
        app.main()


def test_python_m_kpcli() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kpcli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("kpcli ")
