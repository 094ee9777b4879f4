"""kpcli report: one page of a run, of an evaluation, or of two of a kind side by side."""

from __future__ import annotations

from pathlib import Path

from kpcli.errors import InputError, UsageError
from kpcli.files import atomic_path
from kpcli.options import ReportOptions
from kpcli.workflows.report.annotated import annotated_page
from kpcli.workflows.report.compared import compared_page
from kpcli.workflows.report.evaluated import METRICS, Scored, evaluated_page
from kpcli.workflows.report.markup import Markup
from kpcli.workflows.report.page import GENERATOR
from kpcli.workflows.report.results import Results

OUTPUT, COMPARED = "report.html", "compare.html"


def report(options: ReportOptions) -> Path:
    """Write the page; where it lies.

    Raises
    ------
    InputError
        If the folder holds no results, or something that is not ours lies where the page goes.
    """
    wanted = 2 if options.compare else 1
    if len(options.folders) != wanted:
        raise UsageError(
            "a report is of one output folder, with --compare of two",
            expected=f"{wanted}",
            actual=f"{len(options.folders)}",
        )
    path = check_place(options)
    write_page(path, make_page(options))
    return path


def make_page(options: ReportOptions) -> Markup:
    """The page that the options ask for."""
    if options.compare:
        return compared_page(*options.folders)
    (folder,) = options.folders
    if (folder / METRICS).is_file():
        return evaluated_page(Scored.open(folder))
    return annotated_page(Results.open(folder), options.root)


def check_place(options: ReportOptions) -> Path:
    """Where the page goes; see, before any work, whether it may.

    Raises
    ------
    InputError
        If something that is not ours lies there.
    """
    path = _place(options)
    _check_ours(path)
    return path


def _place(options: ReportOptions) -> Path:
    if options.out is not None:
        return options.out
    if options.compare:
        return Path(COMPARED)
    return options.folders[0] / OUTPUT


def _check_ours(path: Path) -> None:
    """Refuse to replace what `kpcli report` did not write."""
    if path.is_symlink() or (path.exists() and not _is_ours(path)):
        raise InputError(
            f"{path}: in the way of the page, and not written by kpcli report",
            next_step="move it away, or choose another --out",
        )


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return f'name="generator" content="{GENERATOR} '.encode() in file.read(2000)
    except OSError:
        return False


def write_page(path: Path, page: Markup) -> None:
    """Write it whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
