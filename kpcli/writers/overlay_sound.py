"""The sound of a video, copied into its overlay as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kpcli.media import open_container

if TYPE_CHECKING:
    from av import AudioStream, Packet
    from av.container import InputContainer, OutputContainer

MP4_AUDIO = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"))
"""Sound that an MP4 file can carry as it is."""

UNKNOWN = "unknown"
"""Codec that FFmpeg has no name for."""


class Sound:
    """Copies the packets of a video's first sound track, as far as the pictures have come.

    Attributes
    ----------
    left_out : str
        Codec of the sound that an MP4 file cannot carry; "" if there is none.
    """

    def __init__(self, source: Path | None) -> None:
        import av

        self.left_out = ""
        self._input: InputContainer | None = None
        self._target: AudioStream | None = None
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self._waiting: Packet[AudioStream] | None = None
        self._begin = float("-inf")
        self._last = -(2**62)
        if source is None:
            return
        try:
            self._input = open_container(source)
        except (av.FFmpegError, ValueError):
            return  # no file that FFmpeg knows: an animation
        if self._input.streams.audio:
            # Of sound that FFmpeg does not know (Apple's spatial audio) there is no context.
            context = self._input.streams.audio[0].codec_context
            codec = context.codec.canonical_name if context else "unknown"
            self.left_out = "" if codec in MP4_AUDIO else codec

    def join(self, output: OutputContainer, begin: float | None) -> None:
        """Add a sound track to the output, if there is one that it can carry.

        The sound before ``begin`` seconds is left out, and the rest comes so much earlier.
        """
        import av

        tracks = self._input.streams.audio if self._input else ()
        if self._input and tracks and not self.left_out:
            try:
                self._target = output.add_stream_from_template(tracks[0])
            except (av.FFmpegError, ValueError):
                self.left_out = tracks[0].codec_context.codec.canonical_name
                return
            self._packets = iter(self._input.demux(tracks[0]))
            self._begin = float("-inf") if begin is None else begin

    def copy_until(self, seconds: float, output: OutputContainer) -> None:
        """Copy the packets that start by this time of the source."""
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
                self._copy(packet, self._target, output)

    def _copy(
        self, packet: Packet[AudioStream], target: AudioStream, output: OutputContainer
    ) -> None:
        assert packet.dts is not None
        assert packet.time_base is not None
        end = (packet.dts + (packet.duration or 0)) * packet.time_base
        if float(end) <= self._begin or packet.dts <= self._last:  # time that does not go on
            return
        self._last = packet.dts
        if self._begin != float("-inf"):
            shift = round(self._begin / packet.time_base)
            packet.dts -= shift
            packet.pts = None if packet.pts is None else packet.pts - shift
        packet.stream = target
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
