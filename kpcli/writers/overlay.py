"""Pictures and videos with the faces drawn on them."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from kpcli.errors import InputError
from kpcli.media import open_container, picture_stream
from kpcli.options import ALL_FRAMES, FrameSelection
from kpcli.types import Pixels
from kpcli.writers.overlay_sound import Sound

if TYPE_CHECKING:
    from av import VideoCodecContext, VideoFrame, VideoStream
    from av.container import OutputContainer

KEPT = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"))
"""Picture endings that overlays keep; pictures of other kinds become JPEG."""

LONGEST = 600
"""Most seconds that one picture stays in an overlay of a constant rate."""

THREADS = 2
"""Threads of the video encoder."""


def overlay_name(file: str, *, moving: bool) -> str:
    """Name of a source file's overlay: the same, with an ending added where the kind changes."""
    ending = PurePosixPath(file).suffix.lower()
    if ending == ".mp4" if moving else ending in KEPT:
        return file
    return file + (".mp4" if moving else ".jpg")


class VideoOverlay:
    """An H.264 MP4 that browsers play, with the source's frame times and, where MP4 can, sound.

    The times are the source's, unless the selection cuts the beginning off, or it begins before 0:
    then the first picture comes at 0. The sound goes from the first picture to the last, or on to
    its own end where the selection does not end early.

    Parameters
    ----------
    path : Path
        File to write.
    source : Path
        The video (or animation) that the frames come from.
    selection : FrameSelection
        Which of its frames come.
    fps : float
        Frames a second: every picture stays until the next; 0: as the source has them.
    sound : bool
        Take the source's sound too.
    """

    def __init__(
        self,
        path: Path,
        source: Path,
        *,
        selection: FrameSelection = ALL_FRAMES,
        fps: float = 0.0,
        sound: bool = True,
    ) -> None:
        self._path = path
        self._selection = selection
        self._time_base, self._rate = _timing(source)
        self._fps = Fraction(fps).limit_denominator(1001)
        self._sound = Sound(source if sound else None)
        self._output: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._size = (0, 0)
        self._begin = 0.0
        self._last = -(2**62)
        self._seconds = 0.0
        self._held: Pixels | None = None
        self._shown = False

    @property
    def silent(self) -> str:
        """Codec of the source's sound if it had to be left out, else ""."""
        return self._sound.left_out

    def write(self, pixels: Pixels, seconds: float) -> None:
        """Add a frame (H, W, 3) at its presentation time."""
        import av

        try:
            if self._output is None:
                self._open(pixels.shape[1], pixels.shape[0], seconds)
            assert self._output is not None
            self._seconds = seconds
            if self._fps:
                self._show_held(seconds)
                self._held = pixels
            else:
                at = round((seconds - self._begin) / self._time_base)
                self._encode(pixels, max(at, self._last + 1), self._time_base)
            self._sound.copy_until(seconds, self._output)
        except (av.FFmpegError, ValueError) as e:
            raise InputError(f"{self._path}: the overlay cannot be written", actual=str(e)) from e

    def _open(self, width: int, height: int, seconds: float) -> None:
        import av

        cut = self._selection.first > 1 or self._selection.start is not None
        # Players hide what comes before 0.
        cut = cut or seconds < 0
        self._begin = seconds if cut else 0.0
        self._size = (width, height)
        self._output = av.open(
            str(self._path.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
        )
        # Without cpu-independent, x264 differs from run to run where the CPU has AVX-512; another
        # number of threads, by default one that depends on the cores, makes another stream.
        options = {"preset": "veryfast", "crf": "20", "x264-params": "cpu-independent=1"}
        rate = self._fps or self._rate
        self._stream = self._output.add_stream("libx264", rate=rate, options=options)
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.thread_count = THREADS
        tag_colours(self._stream.codec_context)
        self._stream.codec_context.time_base = 1 / self._fps if self._fps else self._time_base
        self._sound.join(self._output, seconds if cut else None)

    def _show_held(self, until: float) -> None:
        """Show the picture before at every tick of the constant rate up to this time."""
        exactly = round((until - self._begin) / self._time_base) * self._time_base
        tick = math.floor(exactly * self._fps + Fraction(1, 2))
        if self._held is None:
            self._last = tick - 1
            return
        if tick - self._last > LONGEST * self._fps:
            raise ValueError(f"a picture that stays for more than {LONGEST} s")
        while self._last + 1 < tick:
            self._encode(self._held, self._last + 1, 1 / self._fps)

    def _encode(self, pixels: Pixels, pts: int, time_base: Fraction) -> None:
        assert self._output is not None
        assert self._stream is not None
        frame = coded(self._fitted(pixels))
        frame.pts, frame.time_base = pts, time_base
        self._last, self._shown = pts, True
        for packet in self._stream.encode(frame):
            self._output.mux(packet)

    def _fitted(self, pixels: Pixels) -> Pixels:
        """Of the first frame's size, and even: an odd side gets its last row or column twice."""
        if (pixels.shape[1], pixels.shape[0]) != self._size:
            pixels = np.asarray(cv2.resize(pixels, self._size), np.uint8)
        odd = [(0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)]
        return np.pad(pixels, odd, mode="edge") if odd[0][1] or odd[1][1] else pixels

    def close(self) -> None:
        """Write what the encoder still holds; without it the file is not playable."""
        import av

        if self._output is None or self._stream is None:
            return
        try:
            if self._held is not None:
                self._show_held(self._seconds + float(1 / self._rate))
                if not self._shown:
                    self._encode(self._held, self._last + 1, 1 / self._fps)
            for packet in self._stream.encode(None):
                self._output.mux(packet)
            whole = self._selection.last is None and self._selection.end is None
            self._sound.copy_until(float("inf") if whole else self._seconds, self._output)
            self._output.close()
        except (av.FFmpegError, ValueError) as e:
            raise InputError(f"{self._path}: the overlay cannot be written", actual=str(e)) from e

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.close()
        finally:
            self._sound.close()


def coded(pixels: Pixels) -> VideoFrame:
    """RGB pixels (H, W, 3), of even sides, as a frame to encode, coloured as `tag_colours` says."""
    import av

    rgb = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    # One thread: as in kpcli.sources.display.
    return rgb.reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
    )


def tag_colours(context: VideoCodecContext) -> None:
    """Say that the colours are BT.709's: players guess, and differently for small and large."""
    from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709


def _timing(source: Path) -> tuple[Fraction, Fraction]:
    """Time base and mean rate of a video; milliseconds where FFmpeg does not know the file."""
    import av

    try:
        with open_container(source) as container:
            stream = picture_stream(container)
            rate = stream and (stream.average_rate or stream.guessed_rate)
            if stream and stream.time_base and rate:
                return stream.time_base, min(max(rate, Fraction(1)), Fraction(240))
    except (av.FFmpegError, ValueError, MemoryError):
        pass
    return Fraction(1, 1000), Fraction(25)
