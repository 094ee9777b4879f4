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
        typer.Option(help="Make a copy of the bundle there, with the export.", show_default="none"),
    ] = _D.out,
    force: Annotated[
        bool, typer.Option("--force", help="Keep an int8 export that lost too much.")
    ] = _D.force,
    root: Root = _D.root,
) -> None:
    """Write a model for another runtime, checked against Keras.

    It comes into the model's bundle. Embedded models stay as they are: give --out a folder for a
    copy.
    """
    from kpcli.library import export

    export(verbose=True, **values(context, ExportOptions))
