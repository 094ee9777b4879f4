"""kpcli report: one page of a run, of an evaluation, or of two of a kind side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpcli.errors import UsageError
from kpcli.options import ReportOptions
from kpcli.outputs import Outputs
from kpcli.workflows.report.annotated import annotated_page
from kpcli.workflows.report.compared import compared_page
from kpcli.workflows.report.evaluated import METRICS, Scored, evaluated_page
from kpcli.workflows.report.markup import Markup
from kpcli.workflows.results import Results

COMMAND = "report"
OUTPUT, COMPARED = "report.html", "compare.html"


@dataclass(frozen=True)
class WrittenPage:
    """The page that was written."""

    path: Path

    def summary(self) -> str:
        return f"report: {self.path}"


def report(options: ReportOptions) -> WrittenPage:
    """Write the page.

    Raises
    ------
    InputError
        If the folder holds no results, or something that is not ours lies where the page goes.
    """
    path = check_place(options)
    page = make_page(options)
    with Outputs(path.parent, COMMAND).replacing(path.name) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    return WrittenPage(path)


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
    UsageError
        If there are too few folders or too many.
    InputError
        If something that `kpcli report` did not write lies there.
    """
    wanted = 2 if options.compare else 1
    if len(options.folders) != wanted:
        raise UsageError(
            "a report is of one output folder, with --compare of two",
            expected=f"{wanted}",
            actual=f"{len(options.folders)}",
        )
    path = options.out or (Path(COMPARED) if options.compare else options.folders[0] / OUTPUT)
    Outputs(path.parent, COMMAND).check([path.name])
    return path
