"""``kpcli anonymise folder`` and ``kpcli anonymise file``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kpcli.cli.shared import (
    FACES,
    OUTPUT,
    RUN,
    VIDEO,
    DetectSize,
    FolderOrFile,
    Overwrite,
    add,
    also_takes,
    option,
    values,
)
from kpcli.options import AnonymiseOptions, Cover, Device

_D = AnonymiseOptions(inputs=(), out=Path("anonymised"))

app = typer.Typer(
    cls=FolderOrFile,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Copies of pictures and videos with all faces covered, without metadata.",
)


def shared_options(
    how: Annotated[Cover, option(OUTPUT, "How faces are covered; fill leaves nothing.")] = _D.how,
    keep: Annotated[
        Path | None, option(FACES, "Faces that stay bare: a CSV, see README.", metavar="CSV")
    ] = _D.keep,
    only: Annotated[Path | None, option(FACES, "Cover only these faces.", metavar="CSV")] = _D.only,
    also: Annotated[
        Path | None, option(FACES, "Cover these too, found or not.", metavar="CSV")
    ] = _D.also,
    least_score: Annotated[
        float, option(FACES, "Cover what has this score in a picture.", min=0.02, max=1)
    ] = _D.least_score,
    least_score_video: Annotated[
        float, option(FACES, "Cover what once has it in a video.", min=0.02, max=1)
    ] = _D.least_score_video,
    grow: Annotated[
        float, option(FACES, "Scale of the cover around the face.", min=0, max=5)
    ] = _D.grow,
    detect_size: DetectSize = _D.detect_size,
    device: Annotated[Device, option(FACES, "Where the detector runs.")] = _D.device,
    max_megapixels: Annotated[
        float, option(FACES, "Larger pictures are not read.", min=0.01)
    ] = _D.max_megapixels,
    sound: Annotated[bool, option(VIDEO, "Keep the sound of videos.")] = _D.sound,
    out: Annotated[Path, option(OUTPUT, "Folder for the results.")] = _D.out,
    overwrite: Overwrite = _D.overwrite,
    resume: Annotated[
        bool, option(RUN, "Finish what an earlier run left.", "--resume")
    ] = _D.resume,
    dry_run: Annotated[
        bool, option(RUN, "Only list what would be done.", "--dry-run")
    ] = _D.dry_run,
    workers: Annotated[
        int, option(RUN, "Processes; 1: only this one; 0: as the work suggests.", min=0)
    ] = _D.workers,
    timeout: Annotated[
        float, option(RUN, "Seconds a picture or video frame may take; 0: no limit.", min=0)
    ] = _D.timeout,
) -> None:
    """Options of both commands; each is a field of `AnonymiseOptions`."""


@also_takes(shared_options)
def folder(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Pictures and videos.")],
    recursive: Annotated[bool, option(RUN, "Look into folders inside DIR.")] = _D.recursive,
    **shared: Any,
) -> None:
    """Anonymise all pictures and videos of a folder."""
    given = values(context, AnonymiseOptions)
    _run(given.pop("directory"), folder=True, **given)


@also_takes(shared_options)
def file(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures, videos.")],
    **shared: Any,
) -> None:
    """Anonymise single pictures and videos."""
    given = values(context, AnonymiseOptions)
    _run(given.pop("files"), folder=False, **given)


add(app, "folder", folder)
add(app, "file", file)


def _run(inputs: Path | list[Path], **given: Any) -> None:
    """Anonymise, and print the summary."""
    from kpcli.library import anonymise

    try:
        done = anonymise(inputs, verbose=True, **given)
    except KeyboardInterrupt:  # before or after the work, which deals with it itself
        raise KeyboardInterrupt("interrupted; go on with --resume") from None
    typer.echo(done.summary())
    raise typer.Exit(done.exit_code)
