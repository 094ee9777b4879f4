"""``kpcli merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.annotate import Formats, Overwrite, names
from kpcli.options import MergeOptions


def command(
    shards: Annotated[
        list[Path],
        typer.Argument(metavar="SHARD...", help="Outputs of kpcli annotate --shard i/n, all n."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the joined output.")],
    formats: Formats = "csv",
    overwrite: Overwrite = False,
) -> None:
    """Join the outputs of annotate's shards to what one run would have written."""
    options = MergeOptions(tuple(shards), out, names(formats), overwrite)
    from kpcli.workflows.annotate.merge import merge

    report = merge(options)
    typer.echo(report.summary())
    raise typer.Exit(report.exit_code)
