"""``images/``: the annotated frames as pictures, under the names that other formats refer to.

COCO, Label Studio and DeepLabCut's tables name frames of videos as pictures. Extracted with
another program they are others: ffmpeg drops and doubles frames to a constant rate by default.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from kpcli.files import staged_path
from kpcli.images import write_image
from kpcli.types import Frame, FrameFaces

OUTPUT = "images"

KEPT = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"))
"""Endings of pictures that can be written again; others are copied as they are."""
_ORIENTATION, _UPRIGHT = 0x0112, (0, 1)


def frame_name(frame: FrameFaces) -> str:
    """The picture that a frame is, in ``images/``."""
    return picture_name(frame.file, frame.index, moving=frame.moving)


def picture_name(file: str, index: int, *, moving: bool) -> str:
    """``FILE/000001.jpg`` for a video's frame; a picture keeps its name."""
    return f"{file}/{index:06d}.jpg" if moving else file


class FramePictures:
    """Writes frames, upright as their landmarks are, below ``folder``.

    ``staging`` is a folder on the same disk, for what is half-written.
    """

    def __init__(self, folder: Path, staging: Path) -> None:
        self._folder = folder
        self._staging = staging

    def add(self, file: str, frame: Frame) -> None:
        """Write the frame of the source ``file`` (its name relative to the annotated folder).

        A picture that is stored upright is copied byte for byte.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        target = self._folder / picture_name(file, frame.index, moving=frame.moving)
        with staged_path(target, self._staging) as temporary:
            if not frame.moving and (target.suffix.lower() not in KEPT or _upright(frame.source)):
                shutil.copyfile(frame.source, temporary)
            else:
                write_image(temporary, frame.pixels)


def _upright(path: Path) -> bool:
    """Whether every reader shows the stored pixels as they are: no EXIF orientation."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.getexif().get(_ORIENTATION, 1) in _UPRIGHT
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return False
