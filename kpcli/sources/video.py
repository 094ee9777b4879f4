"""Frames of a video, upright, with their true presentation timestamps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kpcli.errors import InputError
from kpcli.images import MAX_PIXELS, check_size
from kpcli.options import ALL_FRAMES, FrameSelection
from kpcli.sources.selection import FrameChooser
from kpcli.types import Frame, Pixels

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer


def open_video(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[InputContainer, VideoStream]:
    """Open a video and find its picture stream.

    Raises
    ------
    InputError
        If the file is missing, empty, no video, without pictures, or of too large pictures.
    """
    import av

    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: not a readable video", actual="an empty file")
    try:
        # An absolute name: FFmpeg would take "a:b.mp4" for a protocol.
        container = av.open(str(path.absolute()), metadata_errors="ignore")
    except (av.FFmpegError, ValueError, MemoryError) as e:
        raise InputError(
            f"{path}: not a readable video",
            expected="MP4, MOV, MKV, WebM, AVI ...",
            actual=_reason(e),
        ) from e
    if not container.streams.video:
        container.close()
        raise InputError(f"{path}: the file holds no pictures", actual="no video stream")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    try:
        check_size((stream.width, stream.height), path, max_pixels)
    except InputError:
        container.close()
        raise
    return container, stream


def video_frames(
    path: Path, selection: FrameSelection = ALL_FRAMES, max_pixels: int = MAX_PIXELS
) -> Iterator[Frame]:
    """The selected frames; ``seconds`` is the presentation timestamp as the file has it.

    Raises
    ------
    InputError
        If the video is unusable; after the last good frame, if it is damaged or ends early.
    """
    container, stream = open_video(path, max_pixels)
    with container:
        chooser = FrameChooser(selection)
        damage: list[str] = []
        index, seconds = 0, 0.0
        for frame in _decode(container, stream, damage):
            index += 1
            seconds = _seconds(frame, stream, index, seconds)
            if chooser.past(index, seconds):
                return
            if chooser.wants(index, seconds):
                check_size((frame.width, frame.height), path, max_pixels)
                yield Frame(path, index, seconds, _upright(frame), moving=True)
        if index == 0:
            raise InputError(
                f"{path}: no frame can be decoded", actual="; ".join(damage[:1]) or "no frames"
            )
        if damage:
            more = f" and {len(damage) - 1} more" if len(damage) > 1 else ""
            raise InputError(f"{path}: the video is damaged", actual=damage[0] + more)
        if index < _promised(stream):
            raise InputError(
                f"{path}: the video ends early",
                expected=f"{stream.frames} frames",
                actual=f"{index} frames",
            )


def _decode(
    container: InputContainer, stream: VideoStream, damage: list[str]
) -> Iterator[VideoFrame]:
    """Every frame that can be decoded; what goes wrong is noted in ``damage``."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, ValueError) as e:
            damage.append(_reason(e))
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError as e:
            damage.append(_reason(e))


def _promised(stream: VideoStream) -> int:
    """Frames that the header promises, 0 where it does not tell.

    Only MP4 and MOV count samples; some are hidden by an edit list, so a few may be missing.
    """
    return int(stream.frames * 0.98) - 2 if stream.frames else 0


def _seconds(frame: VideoFrame, stream: VideoStream, index: int, last: float) -> float:
    if frame.time is not None:
        return float(frame.time)
    rate = stream.average_rate or stream.guessed_rate
    return last + (float(1 / rate) if rate and index > 1 else 0.0)


def _upright(frame: VideoFrame) -> Pixels:
    """RGB pixels, turned as the display matrix says (a phone held upright)."""
    pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    turns = round(frame.rotation / 90) % 4  # counterclockwise, as np.rot90
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error)
