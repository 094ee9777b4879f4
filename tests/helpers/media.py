"""Draw small pictures and videos for tests."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpcli.errors import InputError
from kpcli.types import Frame

Pixels = NDArray[np.uint8]


def picture(width: int = 48, height: int = 40, *, seed: int = 0) -> Pixels:
    """A smooth colourful picture with a bright spot whose place depends on the seed."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    cx, cy = generator.uniform(0.3, 0.7, 2) * [width, height]
    spot = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (0.03 * width * height))
    channels = [40 + 60 * x / width, 90 - 40 * y / height, 60 + 10 * seed % 100 + 0 * x]
    return np.stack([c + 150 * spot for c in channels], axis=2).clip(0, 255).astype(np.uint8)


def write_picture(path: Path, pixels: Pixels | None = None, **settings: object) -> Path:
    """Write by the path's ending; the seed comes from the name unless pixels are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels is None:
        pixels = picture(seed=sum(path.name.encode()) % 97)
    Image.fromarray(pixels).save(path, **settings)
    return path


def moving(count: int, width: int = 64, height: int = 48) -> list[Pixels]:
    """Frames of one face: the bright spot moves by a pixel a frame."""
    return [np.roll(picture(width, height, seed=5), i, axis=1) for i in range(count)]


def write_animation(
    path: Path,
    count: int = 3,
    milliseconds: Sequence[int] | int = 100,
    frames: Sequence[Pixels] | None = None,
) -> Path:
    """An animated GIF, WebP or PNG; frame i is `picture` of seed i unless frames are given."""
    frames = frames if frames is not None else [picture(seed=i) for i in range(count)]
    images = [Image.fromarray(pixels) for pixels in frames]
    images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, loop=0)
    return path


def write_video(
    path: Path,
    count: int = 10,
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 600),
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    frames: Sequence[Pixels] | None = None,
    audio: str = "",
) -> Path:
    """A video whose frames are shown at ``pts``; frame i is `picture` of seed i.

    Of such frames, each of another face as it were, ids say nothing: they are for `moving` ones.
    ``audio`` names the codec of a tone that goes with it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pts = list(pts) if pts is not None else [i * 20 for i in range(count)]
    frames = frames if frames is not None else [picture(*size, seed=i) for i in range(len(pts))]
    with av.open(str(path), "w", options=options or {}) as output:
        stream = output.add_stream(codec, rate=30)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = time_base
        sound = output.add_stream(audio, rate=16000) if audio else None
        for number, pixels in zip(pts, frames, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            _write_tone(output, sound, float(pts[-1] * time_base))
    return path


def _write_tone(output: av.container.OutputContainer, stream: av.AudioStream, end: float) -> None:
    samples = (8000 * np.sin(np.arange(int(16000 * end)) / 8)).astype(np.int16)
    for start in range(0, len(samples), 1024):
        part = samples[start : start + 1024][None]
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        frame.time_base = Fraction(1, 16000)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def drain(frames: Iterable[Frame]) -> tuple[list[Frame], str]:
    """All good frames, and the message of the error that ended them ("" if none did)."""
    good: list[Frame] = []
    try:
        good.extend(frames)
    except InputError as e:
        return good, str(e)
    return good, ""


_TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def turn_clockwise(path: Path, degrees: int) -> None:
    """Set the display matrix of an MP4's video track, as a phone does."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (v << 16 for v in _TURNS[degrees])
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
