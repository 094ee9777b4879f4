"""An H.264 recording of what comes, at the times at which it came; playable whatever ends it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import cv2
import numpy as np

from kpcli.errors import InputError
from kpcli.types import Pixels
from kpcli.writers.overlay import coded, tag_colours

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import OutputContainer

TIME_BASE = Fraction(1, 90_000)
FRAGMENT = 1.0
"""Seconds; what was written up to the last whole one can be played after a kill."""
USUAL_RATE = 30
"""Frames a second that the encoder plans with; the times are the frames' own."""


class Recording:
    """An MP4 that is written in fragments, each of them complete, and joined when it is closed.

    Parameters
    ----------
    path : Path
        File to make; it must not be there.

    Raises
    ------
    InputError
        If it is there, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self._output: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._begun = 0.0
        self._last = -1
        self._fragment = 0.0
        try:
            self._file: BinaryIO = path.open("xb+")
        except OSError as e:
            raise InputError(f"{path}: cannot be written", actual=e.strerror or str(e)) from e

    def write(self, pixels: Pixels, seconds: float) -> None:
        """Add a frame (H, W, 3); the first one's time is the recording's 0.

        Raises
        ------
        InputError
            If the disk is full, for instance.
        """
        import av
        from av.video.frame import PictureType

        try:
            if self._stream is None:
                self._open(pixels, seconds)
            assert self._stream is not None
            height, width = self._stream.height, self._stream.width
            if pixels.shape[:2] != (height, width):
                pixels = np.asarray(cv2.resize(pixels, (width, height)), np.uint8)
            frame = coded(pixels)
            at = round((seconds - self._begun) / TIME_BASE)
            self._last = frame.pts = max(at, self._last + 1)
            frame.time_base = TIME_BASE
            if seconds - self._fragment >= FRAGMENT:
                frame.pict_type, self._fragment = PictureType.I, seconds
            self._mux(frame)
            self.frames += 1
        except (av.FFmpegError, ValueError, OSError) as e:
            raise InputError(f"{self.path}: cannot be written", actual=str(e)) from e

    def _open(self, pixels: Pixels, seconds: float) -> None:
        import av

        # Fragments until the file is closed, which makes an ordinary MP4 of it.
        flags = {"movflags": "hybrid_fragmented+frag_keyframe", "flush_packets": "1"}
        self._output = av.open(self._file, "w", format="mp4", options=flags)
        # Nothing waits inside the encoder: a frame that came is in the file.
        options = {"preset": "veryfast", "crf": "20", "tune": "zerolatency", "forced-idr": "1"}
        stream = self._output.add_stream("libx264", rate=USUAL_RATE, options=options)
        height, width = pixels.shape[:2]
        stream.width, stream.height = max(2, width - width % 2), max(2, height - height % 2)
        stream.pix_fmt = "yuv420p"
        tag_colours(stream.codec_context)
        stream.codec_context.time_base = TIME_BASE
        self._stream, self._begun, self._fragment = stream, seconds, seconds

    def _mux(self, frame: object) -> None:
        assert self._stream is not None
        assert self._output is not None
        for packet in self._stream.encode(frame):  # type: ignore[arg-type]
            self._output.mux(packet)

    def close(self) -> None:
        """Finish the file.

        Raises
        ------
        InputError
            If it cannot be; what it holds up to its last fragment can be played all the same.
        """
        import av

        try:
            if self._output is not None:
                self._mux(None)
                self._output.close()
        except (av.FFmpegError, ValueError, OSError) as e:
            raise InputError(f"{self.path}: cannot be finished", actual=str(e)) from e
        finally:
            self._file.close()
