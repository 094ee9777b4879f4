"""Pass over the beginning of a long video without decoding it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from kpcli.options import FrameSelection

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream

ONE_FRAME_A_PACKET = frozenset(("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "prores", "dnxhd"))
"""Codecs whose packets can be counted for frames, in MP4, MOV, MKV and WebM."""
_MOST_HELD = 1 << 27
"""Most bytes of packets that are held; a longer group of pictures is decoded."""
_REORDERED = 16
"""Most frames by which the order of packets and that of frames differ."""

Packets = Iterator["Packet[VideoStream]"]


def can_skip(stream: VideoStream, selection: FrameSelection) -> bool:
    """Whether there is something to pass over, and its frames can be counted by packets."""
    late = selection.first > 1 or selection.start is not None
    counted = stream.container.format.name.startswith(("mov", "matroska"))
    return late and counted and stream.codec_context.name in ONE_FRAME_A_PACKET


class Skipper:
    """Drops packets as long as the frames that are wanted are far.

    Decoding begins a key frame earlier than needed: at some, the picture is whole only a while
    later (gradual refresh).
    """

    def __init__(self, stream: VideoStream, selection: FrameSelection) -> None:
        self._base = stream.time_base
        self._selection = selection
        self._dropped = 0
        self._key = 0
        self._times: list[int] = []

    def packets(self, packets: Packets, passed: Callable[[], None]) -> Packets:
        """The packets from the first that must be decoded on."""
        groups: list[list[Packet[VideoStream]]] = [[]]  # each from a key frame to the next
        held = counted = 0
        for packet in packets:
            passed()
            if packet.is_keyframe and groups[-1]:
                groups.append([])
            groups[-1].append(packet)
            held += packet.size
            counted += _is_frame(packet)
            if len(groups) > 2:
                gone = groups.pop(0)
                self._dropped += sum(_is_frame(p) for p in gone)
                held -= sum(p.size for p in gone)
            if not packet.size or self._near(packet, counted) or held > _MOST_HELD:
                break
        self._key = groups[0][0].pts or 0 if groups[0] else 0
        held_packets = [packet for group in groups for packet in group]
        self._times = [p.pts for p in held_packets if _is_frame(p) and p.pts is not None]
        yield from held_packets
        for packet in packets:
            if _is_frame(packet) and packet.pts is not None and self._times:
                self._times.append(packet.pts)
            yield packet

    def number(self, frame: VideoFrame) -> int:
        """The number, from 1, of the first frame that is decoded; 0 if it is to be left out.

        That are those before the key frame where decoding began: they are not whole.
        """
        if not self._dropped:
            return 1
        if frame.pts is None or frame.pts < self._key:
            return 0
        before = sum(time < frame.pts for time in self._times)
        self._times.clear()
        return self._dropped + before + 1

    def _near(self, packet: Packet[VideoStream], counted: int) -> bool:
        """Whether the first wanted frame may be this one or soon follow."""
        start, first = self._selection.start, self._selection.first
        if packet.pts is None or self._base is None:
            return True
        late = start is None or float(packet.pts * self._base) >= start
        return late and counted >= first - _REORDERED


def _is_frame(packet: Packet[VideoStream]) -> bool:
    return packet.size > 0 and not packet.is_discard
