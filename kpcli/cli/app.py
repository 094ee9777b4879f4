"""The command line: parse, build options, call the workflow. Only `main` ends the process."""

from __future__ import annotations

import logging
import sys

import typer

from kpcli import __version__
from kpcli.cli import (
    annotate,
    bench,
    evaluate,
    export,
    info,
    inspect,
    merge,
    prepare,
    report,
    train,
)
from kpcli.errors import EXIT_INTERRUPTED, KpcliError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
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


app.command("prepare")(prepare.command)
app.command("train")(train.command)
app.command("eval")(evaluate.command)
app.command("export")(export.command)
app.command("info")(info.command)
app.command("inspect")(inspect.command)
app.command("bench")(bench.command)
app.add_typer(annotate.app, name="annotate")
app.command("merge")(merge.command)
app.command("report")(report.command)


def main() -> None:
    """Run the command line; a `KpcliError` becomes its message on stderr and its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        app()
    except KpcliError as e:
        print(f"error: {e}", file=sys.stderr)
        sys.exit(e.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit as end:
        # What Typer makes of Ctrl-C, without a word.
        cause = getattr(end.__context__, "__cause__", None)
        if isinstance(cause, KeyboardInterrupt):
            print(str(cause) or "interrupted", file=sys.stderr)
        raise
