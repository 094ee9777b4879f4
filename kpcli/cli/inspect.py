"""``kpcli inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.terminal import say
from kpcli.options import InspectOptions

_D = InspectOptions(model="", image=Path(), out=Path())


def command(
    model: Annotated[str, typer.Argument(help="A bundle folder, or an embedded model's name.")],
    image: Annotated[Path, typer.Argument(help="A picture with a face.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")],
    detector: Annotated[str, typer.Option(help="How the face is found.")] = _D.detector,
) -> None:
    """Draw what a landmark model does with a face, layer by layer."""
    from kpcli.workflows.inspect import inspect

    for path in inspect(InspectOptions(model, image, out, detector)):
        say(path)
