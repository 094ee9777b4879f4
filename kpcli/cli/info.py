"""``kpcli info``."""

from __future__ import annotations

from typing import Annotated

import typer

from kpcli.cli.terminal import say


def command(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A bundle folder, or an embedded model's name.", show_default="list them"
        ),
    ] = None,
) -> None:
    """Show a model's card: input, data, terms, figures, weak spots."""
    from kpcli.workflows.info import info

    info(model, say=say)
