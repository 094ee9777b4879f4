"""kpcli prepare: datasets in, one validated CSV out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.shared import FormatName, values
from kpcli.options import PrepareBox, PrepareOptions

_DEFAULTS = PrepareOptions(sources=(), out=Path())


def command(
    context: typer.Context,
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Dataset folders or label files.")
    ],
    out: Annotated[Path, typer.Option(help="The CSV to write.")],
    format: Annotated[
        FormatName | None, typer.Option(help="Layout.", show_default="recognised")
    ] = _DEFAULTS.format,
    scheme: Annotated[
        str | None, typer.Option(help="Convert all points to this scheme, e.g. ibug68.")
    ] = _DEFAULTS.scheme,
    val: Annotated[
        float, typer.Option(help="Share of train to cut off for validation, by group.")
    ] = _DEFAULTS.val,
    seed: Annotated[int, typer.Option(help="Seed of the cut and of the preview.")] = _DEFAULTS.seed,
    face_box: Annotated[
        PrepareBox,
        typer.Option(help="file: the dataset's box if it has one; points: always derived."),
    ] = _DEFAULTS.face_box,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 3 if any label is rejected.")
    ] = _DEFAULTS.strict,
    preview: Annotated[
        Path | None, typer.Option(help="Picture to write: a sheet of random faces with points.")
    ] = _DEFAULTS.preview,
) -> None:
    """Read datasets, validate every label, write one normalised CSV.

    Beside it: NAME.rejects.csv for labels that cannot be used, NAME.duplicates.csv for pictures
    that stand in two splits, NAME_pictures/ for pictures that a dataset keeps inside its files.
    """
    from kpcli.library import prepare

    prepared = prepare(verbose=True, **values(context, PrepareOptions))
    typer.echo(prepared.summary())
