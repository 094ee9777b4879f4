"""Write videos of the kinds that players show and simple readers get wrong."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from helpers.media import Pixels, picture, write_video

RATE = 30
TICK = Fraction(1, RATE)


def film(
    path: Path,
    count: int = 60,
    *,
    codec: str = "libx264",
    container: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    size: tuple[int, int] = (64, 48),
    aspect: Fraction | None = None,
    pts: Sequence[int] | None = None,
    kind: str | None = None,
) -> Path:
    """Frames that differ, one every 1/30 s (or at ``pts`` ticks), in groups of 12."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"g": "12", "x265-params": "log-level=none"} | (codec_options or {})
    with av.open(str(path), "w", format=kind, options=container or {}) as output:
        stream = output.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = TICK
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for i, at in enumerate(pts if pts is not None else range(count)):
            frame = av.VideoFrame.from_ndarray(picture(*size, seed=i % 7), format="rgb24")
            frame.pts, frame.time_base = at, TICK
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def trimmed(path: Path, first: int = 20) -> Path:
    """An MP4 cut without encoding anew: an edit list hides the frames up to ``first``."""
    source = film(path.with_name("whole.mp4"))
    with (
        av.open(str(source)) as container,
        av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as output,
    ):
        stream = container.streams.video[0]
        copy = output.add_stream_from_template(stream)
        shift = round(first * TICK / stream.time_base)
        for packet in container.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = copy
                output.mux(packet)
    source.unlink()
    return path


def with_streams(
    path: Path, sizes: Sequence[tuple[int, int]], dispositions: Sequence[Disposition], audio: bool
) -> Path:
    """A file with several pictures streams of five frames (MJPEG), and sound or none."""
    with av.open(str(path), "w") as output:
        streams = []
        for size, disposition in zip(sizes, dispositions, strict=True):
            stream = output.add_stream("mjpeg", rate=RATE)
            (stream.width, stream.height), stream.pix_fmt = size, "yuvj420p"
            stream.disposition = disposition.value  # PyAV 17 takes no flag
            streams.append(stream)
        sound = output.add_stream("aac", rate=16000) if audio else None
        for size, stream in zip(sizes, streams, strict=True):
            count = 1 if Disposition.attached_pic & stream.disposition else 5
            for i in range(count):
                frame = av.VideoFrame.from_ndarray(picture(*size, seed=i), format="rgb24")
                frame.pts, frame.time_base = i, TICK
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 16000, 0
            output.mux(sound.encode(frame))
            output.mux(sound.encode(None))
    return path


def set_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write the display matrix of an MP4's video track."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    values = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    data[at : at + 36] = struct.pack(">9i", *values)
    path.write_bytes(bytes(data))


def two_sizes(path: Path) -> Path:
    """A raw H.264 stream whose pictures become larger midway."""
    small = film(path.with_name("s.h264"), 10, size=(64, 48), kind="h264")
    large = film(path.with_name("l.h264"), 10, size=(96, 64), kind="h264")
    path.write_bytes(small.read_bytes() + large.read_bytes())
    small.unlink()
    large.unlink()
    return path


ODD: dict[str, tuple[Callable[[Path], Path], int]] = {
    "trimmed.mp4": (trimmed, 40),
    "dropped.avi": (lambda p: film(p, codec="mjpeg", pts=[0, 1, 2, 7, 8, 20, 21, 22]), 8),
    "bframes.avi": (lambda p: film(p, codec_options={"bf": "2"}), 60),
    "negative.mkv": (
        lambda p: film(p, pts=range(-15, 30), container={"avoid_negative_ts": "disabled"}),
        45,
    ),
    "late.ts": (film, 60),
    "fragments.mp4": (lambda p: film(p, container={"movflags": "frag_keyframe+empty_moov"}), 60),
    "uneven.mp4": (lambda p: write_video(p, pts=[0, 20, 25, 60, 61, 300]), 6),
    "old.mpg": (lambda p: film(p, codec="mpeg2video"), 60),
    "raw.h264": (lambda p: film(p, kind="h264"), 60),
    "sizes.h264": (two_sizes, 20),
}
"""Builders of intact clips by name, and the frames that a player shows of each."""


def seeds(frames: Sequence[Pixels]) -> list[int]:
    """Which of the seven pictures of `film` each frame shows."""
    height, width = frames[0].shape[:2]
    known = [picture(width, height, seed=i).astype(int) for i in range(7)]
    return [int(np.argmin([np.abs(f - k).mean() for k in known])) for f in frames]
