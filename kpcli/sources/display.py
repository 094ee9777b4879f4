"""A decoded frame as a player shows it: square pixels, upright, not mirrored."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from kpcli.types import Pixels

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream

NEARLY_SQUARE = 0.01
"""Difference of a pixel's sides up to which it is taken as square: often it is a rounded display
size.
"""
WIDEST = 8
"""Pixel aspect ratio beyond which a header is taken to be damaged."""


class Display:
    """Turns decoded frames of a stream into pictures (H, W, 3) RGB of square pixels.

    The width is scaled by the sample aspect ratio, the height stays, as players do it and as
    ffmpeg's ``scale=iw*sar:ih``.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._coded = stream.codec_context.sample_aspect_ratio

    def size(self, frame: VideoFrame) -> tuple[int, int]:
        """Width and height of the frame in square pixels, before it is turned."""
        return max(1, round(frame.width * self._aspect())), frame.height

    def _aspect(self) -> Fraction:
        """Width of a pixel by its height: the container's, unless the pictures' own changes."""
        coded = self._stream.codec_context.sample_aspect_ratio
        given = self._stream.sample_aspect_ratio if coded == self._coded else coded
        aspect = Fraction(given or 1)
        usual = abs(aspect - 1) > NEARLY_SQUARE and Fraction(1, WIDEST) <= aspect <= WIDEST
        return aspect if usual else Fraction(1)

    def show(self, frame: VideoFrame) -> Pixels:
        """The frame's picture."""
        width, height = self.size(frame)
        # One thread: FFmpeg starts and ends the others for each frame, which takes longer.
        shown = frame.to_ndarray(format="rgb24", width=width, height=height, threads=1)
        pixels = np.asarray(shown, np.uint8)
        return np.ascontiguousarray(_placed(pixels, frame))


def _placed(pixels: Pixels, frame: VideoFrame) -> Pixels:
    """Turned and mirrored as the nearest of the eight ways to lay the display matrix down.

    The matrix maps (x, y) to (a x + c y, b x + d y) (ISO/IEC 14496-12, 6.2.2).
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return pixels
    a, b, _, c, d = struct.unpack_from("=5i", bytes(data))
    if abs(b) + abs(c) > abs(a) + abs(d):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
