"""``kpcli bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.shared import Model, values
from kpcli.cli.terminal import say
from kpcli.options import BenchOptions

_D = BenchOptions()


def command(
    context: typer.Context,
    pictures: Annotated[
        list[Path] | None, typer.Argument(help="Pictures or folders.", show_default="drawn ones")
    ] = None,
    model: Model = _D.model,
    detector: Annotated[str, typer.Option(help="How faces are found.")] = _D.detector,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: all.")] = _D.threads,
    repeats: Annotated[
        int, typer.Option(min=1, help="Runs of each part; tens of calls of a device profile.")
    ] = _D.repeats,
    json: Annotated[Path | None, typer.Option(help="Also write the figures here.")] = _D.json,
    device_profile: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Instead of all that: time a .tflite file, or a bundle's, layer by layer.",
        ),
    ] = _D.device_profile,
    out: Annotated[
        Path | None,
        typer.Option(help="Of a device profile: write profile.csv and profile.png here."),
    ] = _D.out,
) -> None:
    """Measure start-up, detector, model and pipeline on this machine.

    Or, with --device-profile, the layers of a model as phones run it, by LiteRT's own profiler.
    """
    given = values(context, BenchOptions)
    options = BenchOptions(**given | {"pictures": tuple(pictures or ())})
    if options.device_profile is not None:
        from kpcli.workflows.bench.profile import profile

        profile(options, say=say)
        return
    from kpcli.workflows.bench.run import bench

    bench(options, say=say)
