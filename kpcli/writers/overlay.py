"""Pictures and videos with the faces drawn on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING

import cv2
import numpy as np

from kpcli.drawing import draw_landmarks
from kpcli.errors import InputError
from kpcli.schemes import LandmarkScheme
from kpcli.types import Pixels, Prediction

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoStream
    from av.container import InputContainer, OutputContainer

KEPT = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"))
"""Picture endings that overlays keep; pictures of other kinds become JPEG."""

MP4_AUDIO = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"))
"""Sound that an MP4 file can carry as it is."""


def overlay_name(file: str, *, moving: bool, root: Path) -> str:
    """Name of a source file's overlay: the same, with an ending added where the kind changes.

    ``root`` is the annotated folder: a name that another of its files will have is avoided.
    """
    ending = PurePosixPath(file).suffix.lower()
    if ending == ".mp4" if moving else ending in KEPT:
        return file
    added = ".mp4" if moving else ".jpg"
    name = file + added
    while (root / name).exists():
        name = name.removesuffix(added) + ".overlay" + added
    return name


def draw_faces(pixels: Pixels, faces: Sequence[Prediction], scheme: LandmarkScheme) -> None:
    """Draw points, edges, box and id of every face onto (H, W, 3) ``pixels``, in place."""
    for face in faces:
        label = f"{face.track}  {face.confidence:.2f}"
        draw_landmarks(pixels, face.points, scheme, box=face.face, label=label)


class VideoOverlay:
    """An H.264 MP4 that browsers play, with the source's frame times and, where MP4 can, sound.

    Parameters
    ----------
    path : Path
        File to write.
    source : Path
        The video (or animation) that the frames come from.
    audio : bool
        Copy the source's sound.
    """

    def __init__(self, path: Path, source: Path, *, audio: bool) -> None:
        self._path = path
        self._time_base, self._rate = _timing(source)
        self._sound = _Sound(source) if audio else None
        self._output: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._size = (0, 0)
        self._last = -(2**62)

    def write(self, pixels: Pixels, seconds: float) -> None:
        """Add a frame (H, W, 3) at its presentation time."""
        import av

        try:
            if self._output is None:
                self._open(pixels.shape[1], pixels.shape[0])
            assert self._output is not None
            assert self._stream is not None
            frame = av.VideoFrame.from_ndarray(self._fitted(pixels), format="rgb24")
            frame.pts = max(round(seconds / self._time_base), self._last + 1)
            frame.time_base = self._time_base
            self._last = frame.pts
            for packet in self._stream.encode(frame):
                self._output.mux(packet)
            if self._sound is not None:
                self._sound.copy_until(seconds, self._output)
        except (av.FFmpegError, ValueError) as e:
            raise InputError(f"{self._path}: the overlay cannot be written", actual=str(e)) from e

    def _open(self, width: int, height: int) -> None:
        import av

        self._size = (width, height)
        self._output = av.open(
            str(self._path.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
        )
        options = {"preset": "veryfast", "crf": "20"}
        self._stream = self._output.add_stream("libx264", rate=self._rate, options=options)
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = self._time_base
        if self._sound is not None:
            self._sound.join(self._output)

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
            for packet in self._stream.encode(None):
                self._output.mux(packet)
            if self._sound is not None:
                self._sound.copy_until(float("inf"), self._output)
            self._output.close()
        except (av.FFmpegError, ValueError) as e:
            raise InputError(f"{self._path}: the overlay cannot be written", actual=str(e)) from e

    def __enter__(self) -> VideoOverlay:
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
            if self._sound is not None:
                self._sound.close()


def _timing(source: Path) -> tuple[Fraction, Fraction]:
    """Time base and mean rate of a video; milliseconds where FFmpeg does not know the file."""
    import av

    try:
        with av.open(str(source.absolute()), metadata_errors="ignore") as container:
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            if stream.time_base and rate:
                return stream.time_base, min(max(rate, Fraction(1)), Fraction(240))
    except (av.FFmpegError, ValueError, IndexError):
        pass
    return Fraction(1, 1000), Fraction(25)


class _Sound:
    """Copies the packets of a video's first sound track, as far as the pictures have come."""

    def __init__(self, source: Path) -> None:
        import av

        self._input: InputContainer | None = None
        self._target: AudioStream | None = None
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self._waiting: Packet[AudioStream] | None = None
        try:
            self._input = av.open(str(source.absolute()), metadata_errors="ignore")
        except (av.FFmpegError, ValueError):
            return  # no file that FFmpeg knows: an animation

    def join(self, output: OutputContainer) -> None:
        """Add a sound track to the output if there is one that it can carry."""
        tracks = self._input.streams.audio if self._input else ()
        if self._input and tracks and tracks[0].codec_context.codec.canonical_name in MP4_AUDIO:
            self._target = output.add_stream_from_template(tracks[0])
            self._packets = iter(self._input.demux(tracks[0]))

    def copy_until(self, seconds: float, output: OutputContainer) -> None:
        """Copy the packets that start by this time."""
        while self._target is not None:
            packet = self._waiting or self._next()
            if packet is None:
                self._target = None
                return
            self._waiting = packet
            if packet.dts is None or packet.time_base is None:  # the empty packet at the end
                self._waiting = None
            elif float(packet.dts * packet.time_base) > seconds:
                return
            else:
                self._waiting = None
                packet.stream = self._target
                output.mux(packet)

    def _next(self) -> Packet[AudioStream] | None:
        import av

        try:
            return next(self._packets, None)
        except (av.FFmpegError, ValueError):
            return None  # the pictures' reader reports the damage

    def close(self) -> None:
        """Close the source."""
        if self._input is not None:
            self._input.close()
