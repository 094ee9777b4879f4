"""Whether a video file is as long as it says: what is missing at its end, its header tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_UNKNOWN = 0
_EBML, _SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"
_MOST_BOXES = 2_000_000


def missing_bytes(path: Path, container: str) -> int:
    """Bytes that the file lacks at its end, 0 where nothing is missing or nobody can tell.

    Parameters
    ----------
    path : Path
    container : str
        FFmpeg's name of the format.
    """
    measures: dict[str, Callable[[BinaryIO, int], int]] = {
        "mov": _mov_end, "avi": _riff_end, "matroska": _matroska_end,
    }  # fmt: skip
    measure = measures.get(container.partition(",")[0])
    if measure is None:
        return 0
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return max(0, measure(file, size) - size)
    except OSError:
        return 0


def _mov_end(file: BinaryIO, size: int) -> int:
    """Where the last box of an MP4 or MOV ends (ISO/IEC 14496-12, 4.2)."""
    at = 0
    for _ in range(_MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return size if head else at
        length = int.from_bytes(head[:4], "big")
        if length == 0:  # up to the end of the file
            return size
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        # Some cameras end with bytes that are no box: then nothing is known of what follows.
        if length < 8 or not all(32 <= c < 127 or c == 0xA9 for c in head[4:8]):
            return size
        at += length
        if at >= size:
            return at
    return size


def _riff_end(file: BinaryIO, size: int) -> int:
    """Where the last RIFF chunk of an AVI ends; long ones have several (OpenDML)."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or length in (0, 2**32 - 1):  # written by a recorder that died
            return size
        at += 8 + length + length % 2
    # The pad byte of the last chunk is often left out.
    return at - 1


def _matroska_end(file: BinaryIO, size: int) -> int:
    """Where the segment of a Matroska or WebM ends, if it says (RFC 8794, 9742)."""
    at = 0
    for _ in range(64):
        file.seek(at)
        name = file.read(4)
        length, width = _vint(file.read(8))
        if not width or name not in (_EBML, _SEGMENT):
            return size
        at += 4 + width + length
        if name == _SEGMENT:
            return size if length == _UNKNOWN else at
    return size


def _vint(data: bytes) -> tuple[int, int]:
    """A size of EBML and the bytes it takes; (0, n) where it is unknown, (0, 0) if it is none."""
    if len(data) < 8 or not data[0]:
        return 0, 0
    width = 9 - data[0].bit_length()
    value = int.from_bytes(data[:width], "big") & ((1 << 7 * width) - 1)
    return (_UNKNOWN if value == (1 << 7 * width) - 1 else value), width
