"""``kpcli annotate folder`` and ``kpcli annotate file``."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from kpcli.choices import names
from kpcli.cli.shared import (
    FACES,
    OUTPUT,
    RUN,
    VIDEO,
    DetectSize,
    Formats,
    Model,
    Overwrite,
    Runtime,
    add,
    also_takes,
    values,
)
from kpcli.errors import EXIT_SOME_FAILED, InputError, UsageError
from kpcli.options import (
    AnnotateOptions,
    Device,
    Engine,
    FrameSelection,
    ReportOptions,
    Smoothing,
    Tta,
)

_D = AnnotateOptions(inputs=(), out=Path("annotated"))


class _Group(TyperGroup):
    """``kpcli annotate DIR`` is ``kpcli annotate folder DIR``; with files, ``file``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [*self._word(ctx, args), *args]
        return super().parse_args(ctx, args)

    def _word(self, ctx: Any, args: list[str]) -> list[str]:
        """The command that was left out; none where a command was meant, or in completion."""
        mistyped = not Path(args[0]).exists() and get_close_matches(args[0], self.commands)
        if mistyped or ctx.resilient_parsing:
            return []
        parser = self.commands["folder"].make_parser(ctx)
        parser.ignore_unknown_options = True  # the command itself complains of them
        parser.allow_interspersed_args = True
        options, more, _ = parser.parse_args(list(args))
        paths = [p for p in (options.get("directory"), *more) if isinstance(p, str)]
        if len(paths) == 1 and Path(paths[0]).is_dir():
            return ["folder"]
        if not paths or any(Path(path).exists() for path in paths):
            return ["file"]
        raise InputError(
            f"{paths[0]}: there is no such folder or file",
            next_step="kpcli annotate folder DIR, or kpcli annotate file FILE...",
        )


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Landmarks of all faces in pictures and videos: CSV, overlays, other formats.",
)


def _option(panel: str, help: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


def shared_options(
    model: Model = _D.model,
    runtime: Runtime = _D.runtime,
    device: Annotated[Device, _option(FACES, "Where the detector and the model run.")] = _D.device,
    tta: Annotated[Tta, _option(FACES, "flip: look at each face mirrored too.")] = _D.tta,
    detector: Annotated[
        str, _option(FACES, "How faces are found: builtin, haar[:FILE], boxes_file:CSV ...")
    ] = _D.detector,
    detect_size: DetectSize = _D.detect_size,
    max_faces: Annotated[
        int, _option(FACES, "At most so many faces a frame; 0: all.", min=0)
    ] = _D.max_faces,
    min_confidence: Annotated[
        float, _option(FACES, "Leave out faces of a lower confidence.", min=0, max=1)
    ] = _D.min_confidence,
    pose: Annotated[
        bool, _option(FACES, "Columns yaw, pitch, roll, where there are 68 points.")
    ] = _D.pose,
    measures: Annotated[
        bool,
        _option(OUTPUT, "Columns of eyes, mouth ..; events, summary, persons.csv.", "--measures"),
    ] = _D.measures,
    batch_size: Annotated[
        int, _option(FACES, "Faces the model sees at once.", min=1)
    ] = _D.batch_size,
    max_megapixels: Annotated[
        float, _option(FACES, "Larger pictures are not read.", min=0.01)
    ] = _D.max_megapixels,
    smooth: Annotated[
        Smoothing, _option(VIDEO, "one-euro: also columns of points steadied over time.")
    ] = _D.smooth,
    detect_every: Annotated[
        int, _option(VIDEO, "Detect every Nth frame; 0: where something changes.", min=0)
    ] = _D.detect_every,
    every: Annotated[int, _option(VIDEO, "Only every Nth frame.", min=1)] = _D.frames.every,
    frames: Annotated[
        str, _option(VIDEO, "Only these frames (from 1): 10-20, 10-, 7.", metavar="A-B")
    ] = "",
    start: Annotated[float | None, _option(VIDEO, "From this second on.")] = _D.frames.start,
    end: Annotated[float | None, _option(VIDEO, "Up to this second.")] = _D.frames.end,
    out: Annotated[Path, _option(OUTPUT, "Folder for the results.")] = _D.out,
    formats: Formats = ",".join(_D.formats),
    overlays: Annotated[
        bool, _option(OUTPUT, "Write pictures and videos with the faces drawn.")
    ] = _D.overlays,
    overlay_fps: Annotated[
        float, _option(OUTPUT, "Constant frame rate of overlays; 0: as the source.", min=0, max=240)
    ] = _D.overlay_fps,
    frames_out: Annotated[
        bool, _option(OUTPUT, "Write images/: the frames that formats refer to.", "--frames-out")
    ] = _D.frames_out,
    crops: Annotated[
        bool, _option(OUTPUT, "Write crops/: a picture a face.", "--crops")
    ] = _D.crops,
    crop_size: Annotated[
        int, _option(OUTPUT, "Side of the crops, pixels.", min=16, max=4096)
    ] = _D.crop_size,
    align: Annotated[
        bool, _option(OUTPUT, "Crops upright, eyes in the same place.", "--align")
    ] = _D.align,
    crop_every: Annotated[
        int, _option(OUTPUT, "Of videos, crop every Nth annotated frame.", min=1)
    ] = _D.crop_every,
    report: Annotated[
        bool, _option(OUTPUT, "Write report.html, a page of the run.", "--report")
    ] = False,
    overwrite: Overwrite = _D.overwrite,
    resume: Annotated[
        bool, _option(RUN, "Finish what an earlier run left.", "--resume")
    ] = _D.resume,
    dry_run: Annotated[
        bool, _option(RUN, "Only list what would be done.", "--dry-run")
    ] = _D.dry_run,
    shard: Annotated[
        str, _option(RUN, "Only the Ith of N parts of the files; see kpcli merge.", metavar="I/N")
    ] = "1/1",
    engine: Annotated[
        Engine, _option(RUN, "ray: on a Ray cluster (needs the package ray).")
    ] = _D.engine,
    workers: Annotated[
        int, _option(RUN, "Processes; 1: only this one; 0: as the work suggests.", min=0)
    ] = _D.workers,
    timeout: Annotated[
        float, _option(RUN, "Seconds a picture or video frame may take; 0: no limit.", min=0)
    ] = _D.timeout,
) -> None:
    """Options of both commands; each is a field of `AnnotateOptions`, or part of one."""


@also_takes(shared_options)
def folder(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Pictures and videos.")],
    recursive: Annotated[bool, _option(RUN, "Look into folders inside DIR.")] = _D.recursive,
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
    shard: str,
    report: bool,
    **given: Any,
) -> None:
    """Annotate, and print the summary."""
    given["frames"] = _selection(every, frames, start, end)
    given["shard"] = _shard(shard)
    from kpcli.library import annotate
    from kpcli.workflows.report.run import check_place
    from kpcli.workflows.report.run import report as write_page

    page = ReportOptions((given["out"],))
    if report:
        check_place(page)
    try:
        done = annotate(inputs, formats=names(formats), verbose=True, **given)
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
