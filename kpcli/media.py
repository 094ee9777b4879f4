"""What a media file is, by its content; only the formats named here are ever opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kpcli.errors import InputError

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import InputContainer

PICTURE_FORMATS = (
    "JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "JPEG2000", "TGA", "PPM", "AVIF",
)  # fmt: skip
"""Pillow's names of the formats that are read; for others (EPS) Pillow starts foreign programs."""
HEIF = "HEIF"
"""Format that pillow-heif teaches Pillow: HEIC, the pictures of iPhones."""

VIDEO_FORMATS = (
    "mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "asf", "flv", "ogg", "mxf", "dv",
    "h264", "hevc", "m4v", "ivf", "av1", "obu", "vvc",
)  # fmt: skip
"""FFmpeg's names of the containers that are read: formats in which no file names another one to be
opened.
"""

PICTURE, VIDEO = "picture", "video"

_STILL_BRANDS = frozenset((
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis",
))  # fmt: skip
_PICTURE_STARTS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*",
    b"II+\0", b"MM\0+", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51",
)  # fmt: skip
_VIDEO_STARTS = (
    b"\x1aE\xdf\xa3", b"FLV\x01", b"OggS", b"DKIF", b"\0\0\x01\xba", b"\0\0\x01\xb3",
    b"\0\0\0\x01", b"\0\0\x01", b"0&\xb2u\x8ef\xcf\x11", b"\x06\x0e+4\x02\x05\x01\x01",
)  # fmt: skip
_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"moof"))
_TS_PACKET = 188
HEAD = 512
"""Bytes that tell what a file is."""


def kind_of(path: Path) -> str:
    """`PICTURE`, `VIDEO`, or "" where the first bytes tell nothing (or cannot be read)."""
    try:
        with path.open("rb") as file:
            return kind_of_bytes(file.read(HEAD))
    except (OSError, ValueError):
        return ""


def kind_of_bytes(head: bytes) -> str:
    """The same, of a file's first bytes."""
    if head[4:8] == b"ftyp":
        if head[8:12] == b"crx ":  # a camera's raw picture
            return ""
        return PICTURE if head[8:12] in _STILL_BRANDS else VIDEO
    if head.startswith(b"RIFF"):
        return {b"WEBP": PICTURE, b"AVI ": VIDEO}.get(head[8:12], "")
    netpbm = head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace()
    if head.startswith(_PICTURE_STARTS) or netpbm:
        return PICTURE
    if head.startswith(_VIDEO_STARTS) or head[4:8] in _BOXES or _is_transport_stream(head):
        return VIDEO
    return ""


def _is_transport_stream(head: bytes) -> bool:
    """MPEG-TS: a 0x47 every 188 bytes, of Blu-ray and AVCHD every 192 bytes from the fifth."""
    return any(
        head[at : at + 1] == b"G" == head[at + size : at + size + 1]
        for at, size in ((0, _TS_PACKET), (4, _TS_PACKET + 4))
    )


def open_container(path: Path) -> InputContainer:
    """Open a video with FFmpeg: this file alone, and of the formats named here.

    Raises
    ------
    av.FFmpegError, ValueError, MemoryError
        If it is none of them.
    """
    import av

    # Not `options`, with which PyAV up to 17.0 crashes on formats whose streams appear late (MPEG).
    # An absolute name: FFmpeg would take "a:b.mp4" for a protocol. A play list (ffconcat, HLS)
    # in a video's place would have it open other files, or the network.
    options = {"format_whitelist": ",".join(VIDEO_FORMATS), "protocol_whitelist": "file"}
    opened = av.open(str(path.absolute()), container_options=options, **metadata_leniency())
    return cast("InputContainer", opened)


def metadata_leniency() -> dict[str, Any]:
    """What has `av.open` pass over tags that are no UTF-8: PyAV from 19 on does so by itself."""
    import av

    return {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


def picture_stream(container: InputContainer) -> VideoStream | None:
    """The video that players show: the default one, else the first; a cover picture is none."""
    from av.stream import Disposition

    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    default = [s for s in streams if s.disposition & Disposition.default]
    return next(iter([*default, *streams]), None)


def needs_heif(path: Path) -> bool:
    """Whether a picture is HEIC, which Pillow reads only with pillow-heif."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except (OSError, ValueError):
        return False
    still = head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS
    return still and b"avif" not in head[8:64] and b"avis" not in head[8:64]


def register_heif(path: Path) -> None:
    """Teach Pillow HEIC.

    Raises
    ------
    InputError
        If pillow-heif is not installed; names what to install.
    """
    try:
        from pillow_heif import register_heif_opener
    except ImportError as e:
        raise InputError(
            f"{path}: a HEIC picture, which needs pillow-heif to be read",
            actual=str(e),
            next_step="pip install pillow-heif",
        ) from e
    register_heif_opener(thumbnails=False)
