"""``kpcli export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.shared import Root, TargetName, values
from kpcli.options import ExportOptions, Quantize

_D = ExportOptions(bundle="", to="")


def command(
    context: typer.Context,
    bundle: Annotated[str, typer.Argument(help="A bundle folder, or an embedded model's name.")],
    to: Annotated[TargetName, typer.Option(help="Target.")],
    quantize: Annotated[
        Quantize, typer.Option(help="float16: of the weights; int8: of all, see --calibrate.")
    ] = _D.quantize,
    calibrate: Annotated[
        Path | None, typer.Option(help="For int8: a CSV with faces that set its ranges.")
    ] = _D.calibrate,
    csv: Annotated[
        Path | None,
        typer.Option(help="Check the export on this CSV.", show_default="that of --calibrate"),
    ] = _D.csv,
    split: Annotated[str, typer.Option(help="The rows to check on.")] = _D.split,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Make a copy of the bundle there, with the export; of web, the page.",
            show_default="none; page.html",
        ),
    ] = _D.out,
    example: Annotated[
        bool, typer.Option("--example", help="With a script that runs the export without kpcli.")
    ] = _D.example,
    web_runtime: Annotated[
        Path | None,
        typer.Option(
            help="For web: the npm package onnxruntime-web, .tgz or folder.",
            show_default="in this folder",
        ),
    ] = _D.web_runtime,
    force: Annotated[
        bool, typer.Option("--force", help="Keep an int8 export that lost too much.")
    ] = _D.force,
    root: Root = _D.root,
) -> None:
    """Write a model for another runtime, checked against Keras, or a page for browsers.

    It comes into the model's bundle. Embedded models stay as they are: give --out a folder for a
    copy. A page stands alone.
    """
    from kpcli.library import export

    export(verbose=True, **values(context, ExportOptions))
