"""``kpcli suggest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.shared import values
from kpcli.cli.terminal import say
from kpcli.options import SuggestOptions

_D = SuggestOptions(source=Path())

Source = Annotated[
    Path, typer.Argument(metavar="OUT|CSV", help="Output of kpcli annotate, or a prepared CSV.")
]
N = Annotated[int, typer.Option("--n", min=1, help="Faces and frames in the queue.")]
Model = Annotated[
    str | None,
    typer.Option(
        help="A bundle folder, or an embedded model's name, to look with.",
        show_default="the one that annotated; of a CSV none",
    ),
]
Copies = Annotated[
    bool, typer.Option(help="Have the model look at mirrored and turned copies of candidates.")
]
Unlike = Annotated[
    Path | None,
    typer.Option(metavar="TRAIN.csv", help="Faces unlike those of this training come first."),
]
Root = Annotated[Path | None, typer.Option(help="Where the sources are, if not where they were.")]


def command(
    context: typer.Context,
    source: Source,
    n: N = _D.n,
    out: Annotated[Path | None, typer.Option(help="Write the table to this CSV.")] = _D.out,
    model: Model = _D.model,
    copies: Copies = _D.copies,
    unlike: Unlike = _D.unlike,
    root: Root = _D.root,
) -> None:
    """List the faces and frames that most deserve a look, or a label."""
    from kpcli.library import suggest

    found = suggest(verbose=True, **values(context, SuggestOptions))
    for line in found.summary().split("\n"):
        say(line)
