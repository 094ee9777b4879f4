"""``kpcli annotate folder`` and ``kpcli annotate file``."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from kpcli.errors import UsageError
from kpcli.options import AnnotateOptions, FrameSelection

_D = AnnotateOptions(inputs=(), out=Path("annotated"))

app = typer.Typer(
    no_args_is_help=True,
    help="Landmarks of all faces in pictures and videos: CSV, overlays, other formats.",
)

Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Model = Annotated[str, typer.Option(help="A bundle folder, or an embedded model's name.")]
Runtime = Annotated[str, typer.Option(help="Library that runs the model; auto: the fastest.")]
Tta = Annotated[
    str, typer.Option(help="none, or flip: each face is looked at mirrored too, and averaged.")
]
DetectorSpec = Annotated[
    str, typer.Option(help="How faces are found: builtin, haar[:FILE], boxes_file:CSV ...")
]
DetectSize = Annotated[
    int, typer.Option(min=64, help="Long side, pixels, at which faces are looked for.")
]
DetectEvery = Annotated[
    int, typer.Option(min=1, help="In videos, detect every Nth frame; follow faces between.")
]
MaxFaces = Annotated[int, typer.Option(min=0, help="At most so many faces a frame; 0: all.")]
MinConfidence = Annotated[
    float, typer.Option(min=0, max=1, help="Leave out faces of a lower confidence.")
]
Overlays = Annotated[bool, typer.Option(help="Write pictures and videos with the faces drawn.")]
OverlayFps = Annotated[
    float, typer.Option(min=0, max=240, help="Constant frame rate of overlays; 0: as the source.")
]
FramesOut = Annotated[
    bool, typer.Option("--frames-out", help="Write images/: the frames that formats refer to.")
]
Formats = Annotated[
    str,
    typer.Option(
        "--format", metavar="NAME,...", help="Also write these: pts, json, coco ...; see README."
    ),
]
Pose = Annotated[bool, typer.Option(help="Columns yaw, pitch, roll, where there are 68 points.")]
Smooth = Annotated[
    str, typer.Option(help="none, or one-euro: also columns of points steadied over time.")
]
Every = Annotated[int, typer.Option(min=1, help="Of videos, only every Nth frame.")]
Frames = Annotated[
    str, typer.Option(metavar="A-B", help="Of videos, only these frames (from 1): 10-20, 10-, 7.")
]
Start = Annotated[float | None, typer.Option(help="Of videos, from this second on.")]
End = Annotated[float | None, typer.Option(help="Of videos, up to this second.")]
Shard = Annotated[
    str, typer.Option(metavar="I/N", help="Only the Ith of N parts of the files; see kpcli merge.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Finish what an earlier run left.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run's results.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list what would be done.")]
Engine = Annotated[str, typer.Option(help="local, or ray: on a Ray cluster (kpcli[ray]).")]
Workers = Annotated[
    int, typer.Option(min=0, help="Processes; 1: only this one; 0: as the work suggests.")
]
Timeout = Annotated[
    float, typer.Option(min=0, help="Seconds a picture or video frame may take; 0: no limit.")
]
MaxMegapixels = Annotated[float, typer.Option(min=0.01, help="Larger pictures are not read.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Faces the model sees at once.")]


@app.command("folder")
def folder(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Pictures and videos.")],
    out: Out = _D.out,
    recursive: Annotated[bool, typer.Option(help="Look into folders inside DIR.")] = _D.recursive,
    model: Model = _D.model,
    runtime: Runtime = _D.runtime,
    tta: Tta = _D.tta,
    detector: DetectorSpec = _D.detector,
    detect_size: DetectSize = _D.detect_size,
    detect_every: DetectEvery = _D.detect_every,
    max_faces: MaxFaces = _D.max_faces,
    min_confidence: MinConfidence = _D.min_confidence,
    overlays: Overlays = _D.overlays,
    overlay_fps: OverlayFps = _D.overlay_fps,
    frames_out: FramesOut = _D.frames_out,
    formats: Formats = ",".join(_D.formats),
    pose: Pose = _D.pose,
    smooth: Smooth = _D.smooth,
    every: Every = _D.frames.every,
    frames: Frames = "",
    start: Start = _D.frames.start,
    end: End = _D.frames.end,
    shard: Shard = "1/1",
    resume: Resume = _D.resume,
    overwrite: Overwrite = _D.overwrite,
    dry_run: DryRun = _D.dry_run,
    engine: Engine = _D.engine,
    workers: Workers = _D.workers,
    timeout: Timeout = _D.timeout,
    max_megapixels: MaxMegapixels = _D.max_megapixels,
    batch_size: BatchSize = _D.batch_size,
) -> None:
    """Annotate all pictures and videos of a folder."""
    _run(context, inputs=(directory,), folder=True, recursive=recursive)


@app.command("file")
def file(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures, videos.")],
    out: Out = _D.out,
    model: Model = _D.model,
    runtime: Runtime = _D.runtime,
    tta: Tta = _D.tta,
    detector: DetectorSpec = _D.detector,
    detect_size: DetectSize = _D.detect_size,
    detect_every: DetectEvery = _D.detect_every,
    max_faces: MaxFaces = _D.max_faces,
    min_confidence: MinConfidence = _D.min_confidence,
    overlays: Overlays = _D.overlays,
    overlay_fps: OverlayFps = _D.overlay_fps,
    frames_out: FramesOut = _D.frames_out,
    formats: Formats = ",".join(_D.formats),
    pose: Pose = _D.pose,
    smooth: Smooth = _D.smooth,
    every: Every = _D.frames.every,
    frames: Frames = "",
    start: Start = _D.frames.start,
    end: End = _D.frames.end,
    shard: Shard = "1/1",
    resume: Resume = _D.resume,
    overwrite: Overwrite = _D.overwrite,
    dry_run: DryRun = _D.dry_run,
    engine: Engine = _D.engine,
    workers: Workers = _D.workers,
    timeout: Timeout = _D.timeout,
    max_megapixels: MaxMegapixels = _D.max_megapixels,
    batch_size: BatchSize = _D.batch_size,
) -> None:
    """Annotate single pictures and videos."""
    _run(context, inputs=tuple(files), folder=False)


def _run(context: typer.Context, **own: Any) -> None:
    """Build the options from what both commands share, run, and print the summary."""
    values = dict(context.params)
    shared = {f.name: values[f.name] for f in fields(AnnotateOptions) if f.name in values}
    selection = _selection(values["every"], values["frames"], values["start"], values["end"])
    own |= {"frames": selection, "formats": names(values["formats"])}
    options = AnnotateOptions(**{**shared, **own, "shard": _shard(values["shard"])})
    from kpcli.workflows.annotate.run import annotate, dry_run

    if options.dry_run:
        typer.echo(dry_run(options))
        return
    try:
        report = annotate(options)
    except KeyboardInterrupt:  # before or after the work, which deals with it itself
        raise KeyboardInterrupt("interrupted; go on with --resume") from None
    typer.echo(report.summary())
    raise typer.Exit(report.exit_code)


def _selection(every: int, frames: str, start: float | None, end: float | None) -> FrameSelection:
    first, last = _range(frames) if frames else (1, None)
    if start is not None and end is not None and end < start:
        raise UsageError("--end lies before --start", actual=f"--start {start} --end {end}")
    return FrameSelection(every, first, last, start, end)


def names(text: str) -> tuple[str, ...]:
    """The names of a list that commas separate."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


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
