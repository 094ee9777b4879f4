"""What the command line says of itself: panels, choices, the nearest name, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from kpcli.catalogue import ARCHITECTURES, EXPORTERS, FORMATS, RUNTIMES
from kpcli.cli.app import _ORDER, app


def kpcli(*arguments: str, cwd: Path | None = None, **env: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "kpcli", *arguments],
        cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def commands() -> Iterator[tuple[str, Any]]:
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        yield name, command
        for more, inner in getattr(command, "commands", {}).items():
            yield f"{name} {more}", inner


def test_annotate_comes_first_and_every_command_has_its_place() -> None:
    code, out, _ = kpcli("--help")
    listed = [line.split()[0] for line in out.partition("Commands:\n")[2].splitlines()]
    assert code == 0
    assert listed[0] == "annotate"
    assert tuple(listed) == _ORDER


def test_annotate_has_panels_and_both_commands_the_same_options() -> None:
    shown = {name: kpcli("annotate", name, "--help")[1] for name in ("folder", "file")}
    for text in shown.values():
        places = [text.index(f"\n{panel}:\n") for panel in ("Faces", "Video", "Output", "Run")]
        assert places == sorted(places)
    options = {
        name: {o for p in command.params if p.param_type_name == "option" for o in p.opts}
        for name, command in commands()
    }
    assert options["annotate folder"] - options["annotate file"] == {"--recursive"}
    assert options["annotate file"] <= options["annotate folder"]
    assert len(options["annotate file"]) > 25


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda v: str(v))
def test_help_texts_come_out_as_they_are_written(name: str, command: Any) -> None:
    _, out, _ = kpcli(*name.split(), "--help", COLUMNS="1000", TERMINAL_WIDTH="1000")
    shown = " ".join(out.split())
    for param in command.params:
        if help := getattr(param, "help", None):
            assert " ".join(help.split()) in shown
    assert " ".join(command.help.split()) in shown
    assert "kpcli[" not in shown  # PyPI's kpcli is another program


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("train", ARCHITECTURES),
        ("export", EXPORTERS),
        ("prepare", FORMATS),
        ("eval", RUNTIMES),
        ("annotate folder", ["none", "one-euro"]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_choices_are_shown(command: str, names: Any) -> None:
    assert "|".join(names) in kpcli(*command.split(), "--help")[1]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("trian faces.csv", "'train'"),
        ("anotate x", "'annotate'"),
        ("annotate foldr", "'folder'"),
        ("annotate foldr in", "'folder'"),
        ("eval faces.csv --spilt test", "--split"),
        ("annotate folder in --smoth one-euro", "--smooth"),
        ("annotate in --smoth one-euro", "--smooth"),
    ],
)
def test_a_typo_names_the_nearest(typed: str, meant: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    code, out, err = kpcli(*typed.split(), cwd=tmp_path)
    assert (code, out) == (2, "")
    assert meant in err


def test_the_shell_completes() -> None:
    env = {"COMP_WORDS": "kpcli ann", "COMP_CWORD": "1", "_KPCLI_COMPLETE": "complete_bash"}
    assert kpcli(**env)[1].split() == ["annotate"]
    env = {"COMP_WORDS": "kpcli annotate folder --smo", "COMP_CWORD": "3"}
    assert kpcli(**env, _KPCLI_COMPLETE="complete_bash")[1].split() == ["--smooth"]
