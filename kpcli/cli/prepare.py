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
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Convert all points to this scheme (ibug68, points21), or say in a file (JSON) "
            "what your own points are.",
        ),
    ] = _DEFAULTS.scheme,
    val: Annotated[
        float,
        typer.Option(min=0, max=0.9, help="Share of train to cut off for validation, by group."),
    ] = _DEFAULTS.val,
    test: Annotated[
        float,
        typer.Option(min=0, max=0.9, help="Share of train to cut off for the test, by group."),
    ] = _DEFAULTS.test,
    split: Annotated[
        str | None,
        typer.Option(help="train, val or test: all rows are, whatever folders and names tell."),
    ] = _DEFAULTS.split,
    keep_split: Annotated[
        Path | None,
        typer.Option(metavar="OLD.csv", help="Every picture stays on the side it has there."),
    ] = _DEFAULTS.keep_split,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="none|folder|REGEX",
            help="What no cut may part: pictures, folders, or what finds the person in a path.",
        ),
    ] = _DEFAULTS.group_by,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the pictures are, if elsewhere.")
    ] = _DEFAULTS.images,
    exif: Annotated[
        str,
        typer.Option(
            help="Photos that EXIF turns were labelled upright, as stored, or (auto) as the "
            "sizes in the label file tell."
        ),
    ] = _DEFAULTS.exif,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the cut and of the preview.")
    ] = _DEFAULTS.seed,
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
