"""``kpcli review``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.shared import values
from kpcli.cli.suggest import Copies, Model, N, Root, Source, Unlike
from kpcli.cli.terminal import say
from kpcli.options import ReviewOptions

_D = ReviewOptions(source=Path())


def command(
    context: typer.Context,
    source: Source,
    n: N = _D.n,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the corrections.", show_default="OUT/review, NAME_review"),
    ] = _D.out,
    model: Model = _D.model,
    copies: Copies = _D.copies,
    unlike: Unlike = _D.unlike,
    root: Root = _D.root,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the page on 127.0.0.1; 0: any free one.")
    ] = _D.port,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = _D.browser,
    who: Annotated[
        str, typer.Option(help="Name beside the corrections.", show_default="the user's")
    ] = _D.who,
) -> None:
    """Correct landmarks on a page in the browser, the most doubtful first; train on them next.

    The page is served on this machine alone, until Ctrl-C. Every change is saved at once.
    """
    from kpcli.library import review

    done = review(verbose=True, **values(context, ReviewOptions))
    for line in done.summary().split("\n"):
        say(line)
