"""``kpcli average``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.shared import OUTPUT, RUN, MinConfidence, Model, OnDevice, option, values
from kpcli.options import AverageOptions

_D = AverageOptions(folder=Path())


def command(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Pictures with faces.")],
    out: Annotated[Path, option(OUTPUT, "The picture to write.")] = _D.out,
    size: Annotated[int, option(OUTPUT, "Its side in pixels.", min=32, max=4096)] = _D.size,
    model: Model = _D.model,
    device: OnDevice = _D.device,
    min_confidence: MinConfidence = _D.min_confidence,
    recursive: Annotated[bool, option(RUN, "Look into folders inside DIR.")] = _D.recursive,
) -> None:
    """Write the mean face of a folder's pictures."""
    from kpcli.library import average

    done = average(verbose=True, **values(context, AverageOptions))
    typer.echo(done.summary())
    raise typer.Exit(done.exit_code)
