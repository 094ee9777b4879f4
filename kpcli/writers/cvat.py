"""CVAT imports: zips of *COCO Keypoints 1.0*, one for all pictures and one a video.

``cvat/pictures.zip`` goes with a task of the pictures, ``cvat/FILE.zip`` with a task of that
video, whose frames CVAT names ``frame_000000`` and on. In the task, ``face`` is a skeleton with
the point names as its parts; faces of a video that are one come as one track.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from kpcli.files import atomic_folder
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces
from kpcli.writers.coco import CocoStream

OUTPUT = "cvat"
PICTURES = "pictures.zip"
INSIDE = "annotations/person_keypoints_default.json"


def _cvat_name(frame: FrameFaces) -> str:
    return f"frame_{frame.index - 1:06d}.png" if frame.moving else frame.file


@contextmanager
def _zipped(path: Path, scheme: LandmarkScheme) -> Iterator[CocoStream]:
    """A zip of one JSON, byte for byte the same for the same frames."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as text,
        tempfile.TemporaryFile("w+", encoding="utf-8") as later,
    ):
        stream = CocoStream(text, later, scheme, _cvat_name, track_ids=False)
        yield stream
        stream.end()
        text.seek(0)
        path.parent.mkdir(parents=True, exist_ok=True)
        entry = zipfile.ZipInfo(INSIDE, date_time=(1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w") as archive, archive.open(entry, "w") as target:
            while block := text.read(1 << 20):
                target.write(block.encode())


class CvatFolder:
    """Spreads the frames over the zips."""

    def __init__(self, folder: Path, scheme: LandmarkScheme, pictures: CocoStream) -> None:
        self._folder = folder
        self._scheme = scheme
        self._pictures = pictures
        self._file = ""
        self._open = ExitStack()
        self._video: CocoStream | None = None

    def write(self, frame: FrameFaces) -> None:
        """Add one frame."""
        if not frame.moving:
            self._pictures.write(frame)
            return
        if frame.file != self._file or self._video is None:
            path = self._folder / f"{frame.stem}.zip"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()  # a name that no file can have fails here, with its own video
            self._open.close()
            self._file = frame.file
            self._video = self._open.enter_context(_zipped(path, self._scheme))
        self._video.write(frame)

    def close(self) -> None:
        """The last video is complete."""
        self._open.close()


@contextmanager
def create(out: Path, scheme: LandmarkScheme) -> Iterator[CvatFolder]:
    """Writes ``out/cvat/``; see `kpcli.catalogue.WriterModule`."""
    with (
        atomic_folder(out / OUTPUT) as temporary,
        _zipped(temporary / PICTURES, scheme) as pictures,
        closing(CvatFolder(temporary, scheme, pictures)) as folder,
    ):
        yield folder
