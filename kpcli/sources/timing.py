"""When each frame of a video is shown."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from kpcli.media import open_container

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream

_LOOK_AHEAD = 512
"""Packets that are searched for the first one that has a time."""
_REORDERED = 16
"""Most frames that a codec puts between two others."""
_USUAL_RATE = Fraction(25)


class Clock:
    """Gives each frame of a stream its time in seconds, as ffprobe's best_effort_timestamp does.

    That is the presentation time stamp; the decoding one where the first are missing or have been
    wrong more often (`guess_correct_pts` in FFmpeg's libavcodec/decode.c). AVI has no presentation
    times at all. A frame without any comes a frame's duration after the one before.

    Parameters
    ----------
    path : Path
    stream : VideoStream
    """

    def __init__(self, path: Path, stream: VideoStream) -> None:
        self._path = path
        self._stream = stream
        self._base = stream.time_base or Fraction(1, 1000)
        self._presented = not stream.container.format.name.startswith("avi")
        rate = stream.average_rate or stream.guessed_rate or _USUAL_RATE
        self._step = float(1 / rate)
        self._seconds: float | None = None
        self._last_pts = self._last_dts = -(2**63)
        self._faulty_pts = self._faulty_dts = 0

    def seconds(self, frame: VideoFrame) -> float:
        """The time of the next frame; ask once a frame, in the order in which they are decoded."""
        stamp = self._best(frame.pts if self._presented else None, frame.dts)
        if stamp is not None:
            self._seconds = float(stamp * self._base)
        elif self._seconds is None:
            self._seconds = self._before_the_first_known()
        else:
            self._seconds += self._step
        return self._seconds

    def _best(self, pts: int | None, dts: int | None) -> int | None:
        if dts is not None:
            self._faulty_dts += dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._faulty_pts += pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        if pts is not None and (self._faulty_pts <= self._faulty_dts or dts is None):
            return pts
        return dts

    def _before_the_first_known(self) -> float:
        """The first frame's time where only later ones are known (negative ones in Matroska)."""
        import av

        unknown = 0
        known: list[int] = []
        try:
            with open_container(self._path) as container:
                for packet in container.demux(container.streams[self._stream.index]):
                    if packet.pts is not None:
                        known.append(packet.pts)
                    elif packet.size:
                        unknown += 1
                    if len(known) >= _REORDERED or unknown >= _LOOK_AHEAD:
                        break
        except (av.FFmpegError, ValueError):
            pass  # whoever reads the frames reports it
        return float(min(known) * self._base) - unknown * self._step if known else 0.0
