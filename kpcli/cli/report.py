"""``kpcli report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.options import ReportOptions

_D = ReportOptions(folders=())


def command(
    folders: Annotated[
        list[Path], typer.Argument(metavar="OUT...", help="Outputs of kpcli annotate or eval.")
    ],
    compare: Annotated[
        bool, typer.Option("--compare", help="Two of a kind (or two landmarks.csv) side by side.")
    ] = _D.compare,
    out: Annotated[
        Path | None, typer.Option(help="The page to write.", show_default="OUT/report.html")
    ] = _D.out,
    root: Annotated[
        Path | None, typer.Option(help="Where the sources are, if not where they were.")
    ] = _D.root,
) -> None:
    """One self-contained HTML page of a run: outcome, faces, time lines, plots, model."""
    from kpcli.library import report

    typer.echo(report(folders, compare=compare, out=out, root=root).summary())
