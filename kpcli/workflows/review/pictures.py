"""Frames on demand, exact by number; a bounded number of bytes of them is kept."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from kpcli.errors import InputError
from kpcli.images import write_image
from kpcli.options import FrameSelection
from kpcli.outputs import Outputs
from kpcli.sources import read_frames
from kpcli.types import Frame, Pixels

HELD = 256 << 20
"""Bytes of decoded frames."""
AHEAD = 2
"""Frames of a video that are decoded past the one that was asked for: the next may follow."""
LONGEST = 4096
"""Long side in pixels of what the page gets; larger frames are shrunk for it."""
QUALITY, LABEL_QUALITY = 90, 95
FRAMES = "frames"


class Pictures:
    """Frames of files that ``path`` finds."""

    def __init__(self, path: Callable[[str], Path]) -> None:
        self._path = path
        self._frames: OrderedDict[tuple[str, int], Frame] = OrderedDict()
        self._bytes = 0
        self._guard = Lock()

    def frame(self, file: str, index: int) -> Frame:
        """One frame; only one is decoded at a time.

        Raises
        ------
        InputError
            If the file or the frame is not there, or cannot be read.
        """
        with self._guard:
            found = self._frames.get((file, index))
            if found is not None:
                self._frames.move_to_end((file, index))
                return found
            return self._read(file, index)

    def _read(self, file: str, index: int) -> Frame:
        found: Frame | None = None
        path = self._path(file)
        try:
            for frame in read_frames(path, FrameSelection(first=index, last=index + AHEAD)):
                found = found or frame
                self._keep(file, frame)
                if not frame.moving:
                    break
        except InputError:
            if found is None:  # else the file is damaged behind it
                raise
        if found is None or found.index != index:
            raise InputError(f"{path}: there is no frame {index}")
        return found

    def _keep(self, file: str, frame: Frame) -> None:
        self._bytes += frame.pixels.nbytes
        self._frames[file, frame.index] = frame
        while self._bytes > HELD and len(self._frames) > 1:
            _, gone = self._frames.popitem(last=False)
            self._bytes -= gone.pixels.nbytes

    def jpeg(self, file: str, index: int) -> bytes:
        """The frame for the page."""
        return encoded(self.frame(file, index).pixels)


def encoded(pixels: Pixels) -> bytes:
    """(H, W, 3) as JPEG, its long side `LONGEST` at most."""
    from PIL import Image

    height, width = pixels.shape[:2]
    factor = LONGEST / max(height, width)
    if factor < 1:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=QUALITY)
    return buffer.getvalue()


def labelled_picture(outputs: Outputs, frame: Frame, file: str) -> str:
    """What a label of the frame calls its picture; a video's frame is written, once.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    if not frame.moving:
        return str(frame.source.resolve())
    name = f"{FRAMES}/{_safe(file)}/{frame.index:06d}.jpg"
    if not outputs.owns(name):
        with outputs.replacing(name) as temporary:
            write_image(temporary, frame.pixels, LABEL_QUALITY)
    return name


def _safe(file: str) -> str:
    """A relative name that leads nowhere else."""
    parts = [part for part in Path(file).parts if part not in ("/", "\\", "..", ".")]
    return "/".join(parts)
