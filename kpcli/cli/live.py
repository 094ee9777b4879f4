"""``kpcli live``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from kpcli.choices import names
from kpcli.cli.shared import (
    FACES,
    OUTPUT,
    VIDEO,
    ByDetector,
    DetectEvery,
    DetectSize,
    Draw,
    DrawSize,
    MaxFaces,
    MinConfidence,
    Model,
    OnDevice,
    Overwrite,
    Runtime,
    Smooth,
    WithTta,
    is_given,
    option,
    values,
)
from kpcli.cli.terminal import say
from kpcli.errors import UsageError
from kpcli.options import LiveOptions, Pace

_D = LiveOptions()


def command(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FILE|URL", help="A video or a stream.", show_default=False)
    ] = _D.source,
    model: Model = _D.model,
    runtime: Runtime = _D.runtime,
    device: OnDevice = _D.device,
    tta: WithTta = _D.tta,
    detector: ByDetector = _D.detector,
    detect_size: DetectSize = _D.detect_size,
    max_faces: MaxFaces = _D.max_faces,
    min_confidence: MinConfidence = _D.min_confidence,
    pose: Annotated[
        bool, option(FACES, "Yaw, pitch and roll, where there are 68 points.")
    ] = _D.pose,
    measures: Annotated[
        bool, option(FACES, "Eye and mouth opening and more.", "--measures")
    ] = _D.measures,
    camera: Annotated[
        str, option(VIDEO, "Its number, or a part of its name.", metavar="N|NAME")
    ] = _D.camera,
    size: Annotated[
        str, option(VIDEO, "Frames to ask the camera for.", metavar="WxH", show_default="its own")
    ] = "",
    pace: Annotated[
        Pace, option(VIDEO, "Of a file: by its times, or no frame dropped (auto: --headless).")
    ] = _D.pace,
    seconds: Annotated[
        float, option(VIDEO, "Stop after so many seconds; 0: at the end.", min=0)
    ] = _D.seconds,
    smooth: Smooth = _D.smooth,
    detect_every: DetectEvery = _D.detect_every,
    list_cameras: Annotated[
        bool, option(VIDEO, "Show the cameras of this machine.", "--list")
    ] = False,
    record: Annotated[
        Path | None, option(OUTPUT, "Folder: landmarks.csv and a recording from the start.")
    ] = _D.record,
    video: Annotated[bool, option(OUTPUT, "Record the pictures too.")] = _D.video,
    draw: Draw = ",".join(_D.draw),
    draw_size: DrawSize = _D.draw_size,
    headless: Annotated[bool, option(OUTPUT, "No window.", "--headless")] = _D.headless,
    overwrite: Overwrite = _D.overwrite,
) -> None:
    """Faces of a camera, a video or a stream in a window; key h shows what keys do."""
    if list_cameras:
        _list()
        return
    given = values(context, LiveOptions)
    if source and is_given(context, "camera"):
        raise UsageError("a file or URL, and --camera too", next_step="choose one of them")
    given["size"], given["draw"] = _size(given["size"]), names(given["draw"])
    del given["list_cameras"]
    from kpcli.library import live

    report = live(given.pop("source"), verbose=True, **given)
    typer.echo(report.summary())
    raise typer.Exit(report.exit_code)


def _list() -> None:
    from kpcli.sources.camera import list_cameras

    cameras = list_cameras()
    for camera in cameras:
        say(f"{camera.number}  {camera.name}".rstrip())
    if not cameras:
        say("no camera is there")


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    match = re.fullmatch(r"(\d+)[xX](\d+)", text.strip())
    if not match or not int(match[1]) or not int(match[2]):
        raise UsageError("--size takes width and height", expected="640x480", actual=repr(text))
    return int(match[1]), int(match[2])
