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
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Convert all points to this scheme (ibug68, points21), or say in a file (JSON) "
            "what your own points are.",
        ),
    ] = _DEFAULTS.scheme,
    val: Annotated[
        float, typer.Option(help="Share of train to cut off for validation, by group.")
    ] = _DEFAULTS.val,
    test: Annotated[
        float, typer.Option(help="Share of train to cut off for the test, by group.")
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
        test=test,
        split=split,
        keep_split=keep_split,
        group_by=group_by,
        images=images,
        exif=exif,
        seed=seed,
        strict=strict,
        preview=preview,
        face_box=face_box,
    )
    typer.echo(prepare(options).summary())
