"""The command line: parse, build options, call the workflow. Only `main` ends the process."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from kpcli.cli import (
    annotate,
    anonymise,
    average,
    bench,
    evaluate,
    export,
    info,
    inspect,
    live,
    merge,
    prepare,
    report,
    review,
    suggest,
    train,
)
from kpcli.cli.shared import add
from kpcli.cli.terminal import steady
from kpcli.errors import EXIT_INTERRUPTED, InputError, KpcliError
from kpcli.version import __version__

_ORDER = (
    "annotate",
    "anonymise",
    "average",
    "live",
    "merge",
    "report",
    "suggest",
    "review",
    "prepare",
    "train",
    "eval",
    "export",
    "info",
    "inspect",
    "bench",
)
"""Commands in the order of ``--help``: first what most people come for."""


NO_BUG = frozenset((
    errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP,
    errno.ENAMETOOLONG, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS, errno.ESTALE,
))  # fmt: skip
"""What the disk says of names, rights and room; where no command foresaw it, it is said here."""


class _Root(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_ORDER.index)


app = typer.Typer(
    cls=_Root,
    no_args_is_help=True,
    rich_markup_mode=None,  # see kpcli.cli.shared.Command
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Facial landmarks: validated datasets, training, benchmarks, batch annotation.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kpcli {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


app.add_typer(annotate.app, name="annotate")
app.add_typer(anonymise.app, name="anonymise")
add(app, "average", average.command)
add(app, "live", live.command)
add(app, "merge", merge.command)
add(app, "report", report.command)
add(app, "suggest", suggest.command)
add(app, "review", review.command)
add(app, "prepare", prepare.command)
add(app, "train", train.command)
add(app, "eval", evaluate.command)
add(app, "export", export.command)
add(app, "info", info.command)
add(app, "inspect", inspect.command)
add(app, "bench", bench.command)


def main() -> None:
    """Run the command line; a `KpcliError` becomes its message on stderr and its exit code."""
    with steady():
        _main()


def _main() -> None:
    try:
        app(prog_name="kpcli")
    except KpcliError as e:
        print(f"error: {e}", file=sys.stderr)
        sys.exit(e.exit_code)
    except OSError as e:
        if e.errno not in NO_BUG:
            raise
        where = os.fsdecode(e.filename) if isinstance(e.filename, str | bytes) else "the disk"
        said = InputError(
            f"{where}: cannot be used",
            actual=e.strerror or str(e),
            next_step="look at its name, your rights there and the room that is left",
        )
        print(f"error: {said}", file=sys.stderr)
        sys.exit(said.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit as end:
        # What Typer makes of Ctrl-C, without a word.
        cause = getattr(end.__context__, "__cause__", None)
        if isinstance(cause, KeyboardInterrupt):
            print(str(cause) or "interrupted", file=sys.stderr)
        raise
