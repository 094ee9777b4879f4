"""Frames of a video as players show them: upright, square pixels, true presentation times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kpcli.errors import InputError
from kpcli.images import MAX_PIXELS, check_size
from kpcli.media import open_container, picture_stream
from kpcli.options import ALL_FRAMES, FrameSelection
from kpcli.sources.display import Display
from kpcli.sources.selection import FrameChooser
from kpcli.sources.skipping import Packets, Skipper, can_skip
from kpcli.sources.timing import Clock
from kpcli.sources.whole import missing_bytes
from kpcli.types import Frame

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
        container = open_container(path)
    except (av.FFmpegError, ValueError, MemoryError) as e:
        raise InputError(
            f"{path}: not a readable video",
            expected="MP4, MOV, MKV, WebM, AVI ...",
            actual=_reason(e),
        ) from e
    try:
        stream = picture_stream(container)
        if stream is None:
            raise InputError(f"{path}: the file holds no pictures", actual="no video stream")
        # Frame threads swallow the error of a cut last packet, and lose the frames in flight;
        # on 1080p they were no faster than slices (192 frames: 0.86 and 0.77 s, two cores).
        stream.thread_type = "SLICE"
        check_size((stream.width, stream.height), path, max_pixels)
    except InputError:
        container.close()
        raise
    return container, stream


def video_frames(
    path: Path,
    selection: FrameSelection = ALL_FRAMES,
    max_pixels: int = MAX_PIXELS,
    passed: Callable[[], None] = lambda: None,
) -> Iterator[Frame]:
    """The selected frames; ``seconds`` is the presentation time, as ffprobe has it.

    ``passed`` is called for every packet and frame that is passed over: a heartbeat.

    Raises
    ------
    InputError
        If the video is unusable; after the last good frame, if it is damaged or ends early.
    """
    container, stream = open_video(path, max_pixels)
    with container:
        chooser = FrameChooser(selection)
        display = Display(stream)
        reader = _Reader(path, container, stream, selection, passed)
        for index, seconds, frame in reader.frames():
            if chooser.past(index, seconds):
                return
            if not chooser.wants(index, seconds):
                passed()
                continue
            if frame.is_corrupt:
                reader.damage.append(f"frame {index} is damaged")
            check_size(display.size(frame), path, max_pixels)
            yield Frame(path, index, seconds, display.show(frame), moving=True)
        reader.check_end()


class _Reader:
    """Decodes a stream, numbers its frames from 1, and notes what is wrong in ``damage``."""

    def __init__(
        self,
        path: Path,
        container: InputContainer,
        stream: VideoStream,
        selection: FrameSelection,
        passed: Callable[[], None],
    ) -> None:
        self._path = path
        self._container = container
        self._stream = stream
        self._passed = passed
        self._skipper = Skipper(stream, selection) if can_skip(stream, selection) else None
        self._read = self._decoded = 0
        self.damage: list[str] = []

    def frames(self) -> Iterator[tuple[int, float, VideoFrame]]:
        """Number, seconds and frame of all that can be decoded."""
        clock = Clock(self._path, self._stream)
        index = 0
        for frame in self._decode():
            self._decoded += 1
            if index:
                index += 1
            else:
                index = self._skipper.number(frame) if self._skipper is not None else 1
                if not index:
                    continue
            yield index, clock.seconds(frame), frame

    def _decode(self) -> Iterator[VideoFrame]:
        import av

        packets = self._packets()
        if self._skipper is not None:
            packets = self._skipper.packets(packets, self._passed)
        for packet in packets:
            try:
                yield from packet.decode()
            except av.FFmpegError as e:
                self.damage.append(_reason(e))

    def _packets(self) -> Packets:
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, ValueError) as e:
                self.damage.append(_reason(e))
                return
            if packet is None:
                return
            self._read += packet.size > 0
            yield packet

    def check_end(self) -> None:
        """All is read: raises InputError if that was not all there should be, or not whole."""
        path, damage = self._path, self.damage
        if not self._decoded:
            raise InputError(
                f"{path}: no frame can be decoded", actual="; ".join(damage[:1]) or "no frames"
            )
        if damage:
            more = f" and {len(damage) - 1} more" if len(damage) > 1 else ""
            raise InputError(f"{path}: the video is damaged", actual=damage[0] + more)
        missing = missing_bytes(path, self._container.format.name)
        listed = len(getattr(self._stream, "index_entries", ()))  # PyAV 17
        if missing or self._read < listed:
            raise InputError(
                f"{path}: the video ends early",
                expected=f"{missing} more bytes" if missing else f"{listed} packets",
                actual=f"{self._decoded} frames" if missing else f"{self._read} packets",
            )


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error)
