"""``kpcli merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.shared import Formats, Overwrite, values
from kpcli.options import MergeOptions


def command(
    context: typer.Context,
    shards: Annotated[
        list[Path],
        typer.Argument(metavar="SHARD...", help="Outputs of kpcli annotate --shard i/n, all n."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the joined output.")],
    formats: Formats = "csv",
    overwrite: Overwrite = False,
) -> None:
    """Join the outputs of annotate's shards."""
    from kpcli.library import merge

    report = merge(**values(context, MergeOptions))
    typer.echo(report.summary())
    raise typer.Exit(report.exit_code)
