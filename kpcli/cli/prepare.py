"""kpcli prepare: datasets in, one validated CSV out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.catalogue import FORMATS
from kpcli.options import PrepareOptions

_DEFAULTS = PrepareOptions(sources=(), out=Path())


def command(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Dataset folders or label files.")
    ],
    out: Annotated[Path, typer.Option(help="The CSV to write.")],
    format: Annotated[
        str | None,
        typer.Option(help=f"Recognised by the layout if left out: {', '.join(FORMATS)}."),
    ] = _DEFAULTS.format,
    scheme: Annotated[
        str | None, typer.Option(help="Convert all points to this scheme, e.g. ibug68.")
    ] = _DEFAULTS.scheme,
    val: Annotated[
        float, typer.Option(help="Share of train to cut off for validation, by group.")
    ] = _DEFAULTS.val,
    seed: Annotated[int, typer.Option(help="Seed of the cut and of the preview.")] = _DEFAULTS.seed,
    face_box: Annotated[
        str, typer.Option(help="file: the dataset's box if it has one; points: always derived.")
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
    from kpcli.workflows.prepare.run import prepare

    options = PrepareOptions(
        sources=tuple(sources),
        out=out,
        format=format,
        scheme=scheme,
        val=val,
        seed=seed,
        strict=strict,
        preview=preview,
        face_box=face_box,
    )
    typer.echo(prepare(options).summary())
