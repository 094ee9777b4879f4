"""Files that look like media and are not read: why, and what to do."""

from __future__ import annotations

from pathlib import Path

from kpcli.media import kind_of

# fmt: off
RAW = frozenset((
    ".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".kdc", ".mrw", ".nef", ".nrw", ".orf",
    ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
))
OTHERS = frozenset((
    ".ai", ".braw", ".dcm", ".djvu", ".eps", ".exr", ".fits", ".hdr", ".heics", ".insp", ".insv",
    ".jxl", ".jxr", ".mjpeg", ".mjpg", ".pcx", ".psb", ".psd", ".r3d", ".rm", ".rmvb", ".sgi",
    ".svg", ".swf", ".wdp", ".wtv", ".xcf",
))
# fmt: on


def why_unread(path: Path) -> str:
    """Why a file whose ending is none of ours is not read; "" if it does not look like media."""
    ending = path.suffix.lower()
    if ending in RAW:
        return "a camera's raw picture; save it as JPEG or TIFF"
    if ending in OTHERS:
        return f"kpcli reads no {ending}; save it as JPEG, PNG or MP4"
    kind = kind_of(path) if path.is_file() else ""
    if kind:
        return f"a {kind} by its content, not by its ending; name it: kpcli annotate file"
    return ""
