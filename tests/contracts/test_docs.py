"""README names every command, every entry of the catalogue and the commands that CI runs."""

from pathlib import Path

import pytest
from helpers import readme_tables

from kpcli.catalogue import TABLES
from kpcli.cli.app import app
from kpcli.recipes import recipe_names
from kpcli.schemes import SCHEMES

REPO = Path(__file__).resolve().parents[2]
README = (REPO / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    names = [f"kpcli {c.name}" for c in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        names += [f"kpcli {group.name} {c.name}" for c in group.typer_instance.registered_commands]
    return names


@pytest.mark.parametrize("command", commands())
def test_readme_shows_the_command(command: str) -> None:
    assert command in README


@pytest.mark.parametrize(
    "name", [n for table in TABLES.values() for n in table] + list(SCHEMES) + recipe_names()
)
def test_readme_names_it(name: str) -> None:
    assert f"`{name}" in README


def test_ci_runs_the_readme_test_command() -> None:
    ci = (REPO / ".ci" / "run").read_text(encoding="utf-8")
    command = next(line for line in README.splitlines() if "pytest" in line and "venv" in line)
    assert command.strip() in ci


def test_readme_tables_are_those_of_the_catalogue() -> None:
    assert {m[2] for m in readme_tables.MARKED.finditer(README)} == set(readme_tables.TABLES)
    assert readme_tables.filled(README) == README, "run: python tests/helpers/readme_tables.py"
