"""README names every command, every entry of the catalogue and the commands that CI runs."""

import csv
from pathlib import Path

import pytest
from helpers import readme_tables

from kpcli import annotate
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


def test_readme_shows_the_rows_that_the_shipped_model_makes(tmp_path: Path) -> None:
    """After new weights: copy the rows that the failure shows into README."""
    annotate(
        REPO / "sample_images" / "clip.mp4", out=tmp_path / "out", overlays=False, runtime="onnx"
    )
    lines = [[v.strip() for v in line.split("|")[1:-1]] for line in README.splitlines()]
    head = next(i for i, cells in enumerate(lines) if cells[:2] == ["file", "frame"])
    names, shown = lines[head], [c for c in lines[head:] if c[:1] == ["clip.mp4"]][:2]
    with (tmp_path / "out" / "landmarks.csv").open(newline="") as file:
        made = [[row[n] for n in names] for row in csv.DictReader(file)][:2]
    assert len(shown) == len(made) == 2
    for ours, theirs in zip(made, shown, strict=True):
        assert ours[:4] == theirs[:4], made
        assert [*map(float, ours[4:])] == pytest.approx([*map(float, theirs[4:])], abs=0.05), made
