"""``kpcli annotate folder`` and ``kpcli annotate file``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from kpcli.choices import names
from kpcli.cli.shared import (
    FACES,
    OUTPUT,
    RUN,
    VIDEO,
    ByDetector,
    DetectEvery,
    DetectSize,
    Draw,
    DrawSize,
    FolderOrFile,
    Formats,
    MaxFaces,
    MinConfidence,
    Model,
    OnDevice,
    Overwrite,
    Runtime,
    Smooth,
    WithTta,
    add,
    also_takes,
    option,
    values,
)
from kpcli.errors import EXIT_SOME_FAILED, UsageError
from kpcli.options import AnnotateOptions, Engine, FrameSelection, ReportOptions

_D = AnnotateOptions(inputs=(), out=Path("annotated"))


app = typer.Typer(
    cls=FolderOrFile,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Landmarks of all faces in pictures and videos: CSV, overlays, other formats.",
)


def shared_options(
    model: Model = _D.model,
    runtime: Runtime = _D.runtime,
    device: OnDevice = _D.device,
    tta: WithTta = _D.tta,
    detector: ByDetector = _D.detector,
    detect_size: DetectSize = _D.detect_size,
    max_faces: MaxFaces = _D.max_faces,
    min_confidence: MinConfidence = _D.min_confidence,
    pose: Annotated[
        bool, option(FACES, "Columns yaw, pitch, roll, where there are 68 points.")
    ] = _D.pose,
    measures: Annotated[
        bool,
        option(OUTPUT, "Columns of eyes, mouth ..; events, summary, persons.csv.", "--measures"),
    ] = _D.measures,
    batch_size: Annotated[
        int, option(FACES, "Faces the model sees at once.", min=1)
    ] = _D.batch_size,
    max_megapixels: Annotated[
        float, option(FACES, "Larger pictures are not read.", min=0.01)
    ] = _D.max_megapixels,
    smooth: Smooth = _D.smooth,
    detect_every: DetectEvery = _D.detect_every,
    every: Annotated[int, option(VIDEO, "Only every Nth frame.", min=1)] = _D.frames.every,
    frames: Annotated[
        str, option(VIDEO, "Only these frames (from 1): 10-20, 10-, 7.", metavar="A-B")
    ] = "",
    start: Annotated[float | None, option(VIDEO, "From this second on.")] = _D.frames.start,
    end: Annotated[float | None, option(VIDEO, "Up to this second.")] = _D.frames.end,
    out: Annotated[Path, option(OUTPUT, "Folder for the results.")] = _D.out,
    formats: Formats = ",".join(_D.formats),
    overlays: Annotated[
        bool, option(OUTPUT, "Write pictures and videos with the faces drawn.")
    ] = _D.overlays,
    draw: Draw = ",".join(_D.draw),
    draw_size: DrawSize = _D.draw_size,
    overlay_fps: Annotated[
        float, option(OUTPUT, "Constant frame rate of overlays; 0: as the source.", min=0, max=240)
    ] = _D.overlay_fps,
    frames_out: Annotated[
        bool, option(OUTPUT, "Write images/: the frames that formats refer to.", "--frames-out")
    ] = _D.frames_out,
    crops: Annotated[bool, option(OUTPUT, "Write crops/: a picture a face.", "--crops")] = _D.crops,
    crop_size: Annotated[
        int, option(OUTPUT, "Side of the crops, pixels.", min=16, max=4096)
    ] = _D.crop_size,
    align: Annotated[
        bool, option(OUTPUT, "Crops upright, eyes in the same place.", "--align")
    ] = _D.align,
    crop_every: Annotated[
        int, option(OUTPUT, "Of videos, crop every Nth annotated frame.", min=1)
    ] = _D.crop_every,
    report: Annotated[
        bool, option(OUTPUT, "Write report.html, a page of the run.", "--report")
    ] = False,
    overwrite: Overwrite = _D.overwrite,
    resume: Annotated[
        bool, option(RUN, "Finish what an earlier run left.", "--resume")
    ] = _D.resume,
    dry_run: Annotated[
        bool, option(RUN, "Only list what would be done.", "--dry-run")
    ] = _D.dry_run,
    shard: Annotated[
        str, option(RUN, "Only the Ith of N parts of the files; see kpcli merge.", metavar="I/N")
    ] = "1/1",
    engine: Annotated[
        Engine, option(RUN, "ray: on a Ray cluster (needs the package ray).")
    ] = _D.engine,
    workers: Annotated[
        int, option(RUN, "Processes; 1: only this one; 0: as the work suggests.", min=0)
    ] = _D.workers,
    timeout: Annotated[
        float, option(RUN, "Seconds a picture or video frame may take; 0: no limit.", min=0)
    ] = _D.timeout,
) -> None:
    """Options of both commands; each is a field of `AnnotateOptions`, or part of one."""


@also_takes(shared_options)
def folder(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Pictures and videos.")],
    recursive: Annotated[bool, option(RUN, "Look into folders inside DIR.")] = _D.recursive,
    **shared: Any,
) -> None:
    """Annotate all pictures and videos of a folder."""
    given = values(context, AnnotateOptions)
    _run(given.pop("directory"), folder=True, **given)


@also_takes(shared_options)
def file(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures, videos.")],
    **shared: Any,
) -> None:
    """Annotate single pictures and videos."""
    given = values(context, AnnotateOptions)
    _run(given.pop("files"), folder=False, **given)


add(app, "folder", folder)
add(app, "file", file)


def _run(
    inputs: Path | list[Path],
    *,
    every: int,
    frames: str,
    start: float | None,
    end: float | None,
    formats: str,
    draw: str,
    shard: str,
    report: bool,
    **given: Any,
) -> None:
    """Annotate, and print the summary."""
    given["frames"] = _selection(every, frames, start, end)
    given["shard"] = _shard(shard)
    from kpcli.library import annotate

    page = ReportOptions((given["out"],))
    if report:  # nothing else needs these modules
        from kpcli.workflows.report.run import check_place
        from kpcli.workflows.report.run import report as write_page

        check_place(page)
    try:
        done = annotate(inputs, formats=names(formats), draw=names(draw), verbose=True, **given)
    except KeyboardInterrupt:  # before or after the work, which deals with it itself
        raise KeyboardInterrupt("interrupted; go on with --resume") from None
    typer.echo(done.summary())
    if report and not given["dry_run"] and done.exit_code in (0, EXIT_SOME_FAILED):
        typer.echo(f"report:    {write_page(page).path}")
    raise typer.Exit(done.exit_code)


def _selection(every: int, frames: str, start: float | None, end: float | None) -> FrameSelection:
    first, last = _range(frames) if frames else (1, None)
    if start is not None and end is not None and end < start:
        raise UsageError("--end lies before --start", actual=f"--start {start} --end {end}")
    return FrameSelection(every, first, last, start, end)


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match and 1 <= int(match[1]) <= int(match[2]):
        return int(match[1]), int(match[2])
    raise UsageError("--shard takes a part and their number", expected="1/4", actual=repr(text))


def _range(text: str) -> tuple[int, int | None]:
    match = re.fullmatch(r"(\d+)(-(\d*))?", text.strip())
    if match:
        first = int(match[1])
        last = first if match[2] is None else int(match[3]) if match[3] else None
        if first >= 1 and (last is None or last >= first):
            return first, last
    raise UsageError(
        "--frames takes a range of frame numbers, counted from 1",
        expected="10-20, 10- or 7",
        actual=repr(text),
    )
