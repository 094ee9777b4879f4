"""Pass over the beginning of a long video without decoding it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kpcli.options import FrameSelection

if TYPE_CHECKING:
    from av import Packet, VideoStream

ONE_FRAME_A_PACKET = frozenset(("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "prores", "dnxhd"))
"""Codecs whose packets can be counted for frames, in MP4, MOV, MKV and WebM."""
_MOST_HELD = 1 << 27
"""Bytes of packets that are held; a longer group of pictures is decoded."""
_REORDERED = 16
"""Frames by which the order of packets and that of frames may differ."""

Packets = Iterator["Packet[VideoStream]"]


@dataclass
class _Group:
    """A key frame's packet and those that follow up to the next key frame."""

    packets: list[Packet[VideoStream]] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return sum(not p.is_discard for p in self.packets)

    @property
    def leading(self) -> int:
        """Frames that are decoded after the key frame and shown before it."""
        key = self.packets[0].pts or 0
        return sum(not p.is_discard and (p.pts or 0) < key for p in self.packets)


def can_skip(stream: VideoStream, selection: FrameSelection) -> bool:
    """Whether there is something to pass over, and its frames can be counted by packets."""
    late = selection.first > 1 or selection.start is not None
    counted = stream.container.format.name.startswith(("mov", "matroska"))
    return late and counted and stream.codec_context.name in ONE_FRAME_A_PACKET


class Skipper:
    """Drops packets as long as the frames that are wanted are far.

    Decoding begins a key frame earlier than needed: at some, the picture is whole only a while
    later (gradual refresh).

    Attributes
    ----------
    first : int
        Number, from 1, of the first frame that is not passed over.
    first_pts : int or None
        Its presentation time; frames before it that the decoder gives are not whole.
    """

    def __init__(self, stream: VideoStream, selection: FrameSelection) -> None:
        self._base = stream.time_base
        self._selection = selection
        self.first = 1
        self.first_pts: int | None = None

    def packets(self, packets: Packets, passed: Callable[[], None]) -> Packets:
        """The packets from the first that must be decoded on."""
        groups: list[_Group] = [_Group()]
        dropped = held = counted = 0
        for packet in packets:
            passed()
            if packet.is_keyframe and groups[-1].packets:
                groups.append(_Group())
            groups[-1].packets.append(packet)
            held += packet.size
            counted += not packet.is_discard
            if len(groups) > 2:
                gone = groups.pop(0)
                dropped += gone.frames
                held -= sum(p.size for p in gone.packets)
            if not packet.size or self._near(packet, counted) or held > _MOST_HELD:
                break
        if dropped:
            self.first = dropped + groups[0].leading + 1
            self.first_pts = groups[0].packets[0].pts
        for group in groups:
            yield from group.packets
        yield from packets

    def _near(self, packet: Packet[VideoStream], counted: int) -> bool:
        """Whether the first wanted frame may be this one or soon follow."""
        start, first = self._selection.start, self._selection.first
        if packet.pts is None or self._base is None:
            return True
        late = start is None or float(packet.pts * self._base) >= start
        return late and counted >= first - _REORDERED
