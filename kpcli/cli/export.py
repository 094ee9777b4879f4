"""``kpcli export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.catalogue import EXPORTERS
from kpcli.cli.terminal import say
from kpcli.options import ExportOptions

_D = ExportOptions(bundle="", to="")


def command(
    bundle: Annotated[str, typer.Argument(help="A bundle folder, or an embedded model's name.")],
    to: Annotated[str, typer.Option(help=f"Target: {', '.join(EXPORTERS)}.")],
    quantize: Annotated[str, typer.Option(help="none, float16 or int8.")] = _D.quantize,
    calibrate: Annotated[
        Path | None, typer.Option(help="For int8: a CSV with faces that set its ranges.")
    ] = _D.calibrate,
    csv: Annotated[
        Path | None,
        typer.Option(help="Check the twin on this CSV.", show_default="that of --calibrate"),
    ] = _D.csv,
    split: Annotated[str, typer.Option(help="The rows to check on.")] = _D.split,
    root: Annotated[
        Path | None, typer.Option(help="Where the pictures are, if not where the CSVs say.")
    ] = _D.root,
    out: Annotated[
        Path | None,
        typer.Option(help="Make a copy of the bundle there, with the twin.", show_default="none"),
    ] = _D.out,
    force: Annotated[
        bool, typer.Option("--force", help="Keep an int8 twin that lost too much.")
    ] = _D.force,
) -> None:
    """Write a model's twin for another runtime into its bundle, and check it against Keras.

    Embedded models stay as they are: give --out a folder for a copy.
    """
    from kpcli.workflows.export.run import export

    options = ExportOptions(
        bundle=bundle, to=to, quantize=quantize, calibrate=calibrate, csv=csv, split=split,
        root=root, out=out, force=force,
    )  # fmt: skip
    export(options, say=say)
