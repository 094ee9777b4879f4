"""``images/``: the annotated frames as pictures, under the names that other formats refer to.

COCO, Label Studio and DeepLabCut's tables name frames of videos as pictures. Extracted with
another program they are others: ffmpeg drops and doubles frames to a constant rate by default.
"""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

from kpcli.errors import InputError
from kpcli.images import write_image
from kpcli.outputs import Outputs
from kpcli.types import Frame, FrameFaces

OUTPUT = "images"

KEPT = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"))
"""Endings of pictures that can be written again; others are copied as they are."""
HELD = 32
"""Most frames that wait for each other."""
_ORIENTATION, _UPRIGHT = 0x0112, (0, 1)


def frame_name(frame: FrameFaces) -> str:
    """The picture that a frame is, in ``images/``."""
    return picture_name(frame.file, frame.index, moving=frame.moving)


def picture_name(file: str, index: int, *, moving: bool) -> str:
    """``FILE/000001.jpg`` for a video's frame; a picture keeps its name."""
    return f"{file}/{index:06d}.jpg" if moving else file


class FramePictures:
    """Writes frames, upright as their landmarks are, to ``images/`` of the output folder.

    ``staging`` is a folder on the same disk, where they wait for each other: `publish` makes some
    last at once.
    """

    def __init__(self, outputs: Outputs, staging: Path) -> None:
        self._outputs = outputs
        self._staging = staging
        self._waiting: list[tuple[Path, str]] = []

    def add(self, file: str, frame: Frame) -> None:
        """Write the frame of the source ``file`` (its name relative to the annotated folder).

        A picture that is stored upright is copied byte for byte.

        Raises
        ------
        InputError
            If it, or one before it, cannot be written.
        """
        name = picture_name(file, frame.index, moving=frame.moving)
        ending = Path(name).suffix
        temporary = self._staging / f"{os.getpid()}-frame-{next(_counter)}{ending}"
        self._waiting.append((temporary, f"{OUTPUT}/{name}"))
        if not frame.moving and (ending.lower() not in KEPT or _upright(frame.source)):
            shutil.copyfile(frame.source, temporary)
        else:
            write_image(temporary, frame.whole().pixels)
        if len(self._waiting) >= HELD:
            self.publish()

    def publish(self) -> None:
        """Put those that wait in place; raises InputError if one cannot be."""
        waiting, self._waiting = self._waiting, []
        problems = self._outputs.publish(waiting) if waiting else {}
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)
        for name, problem in problems.items():
            raise InputError(f"{name}: cannot be written", actual=str(problem))

    def abandon(self) -> None:
        """Leave nothing of those that wait."""
        for temporary, _ in self._waiting:
            temporary.unlink(missing_ok=True)
        self._waiting = []


_counter = itertools.count()


def _upright(path: Path) -> bool:
    """Whether every reader shows the stored pixels as they are: no EXIF orientation."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.getexif().get(_ORIENTATION, 1) in _UPRIGHT
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return False
