"""COCO keypoints: one JSON with images, annotations and the category ``face``.

Every frame is an image; a video's are named ``FILE/000001.jpg`` (as one would extract them,
counting from 1), and carry ``video``, ``frame`` and ``timestamp`` besides. Boxes are
[left, top, width, height]; keypoints are x, y, v with v = 2, or 0, 0, 0 for a point that is no
number.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from kpcli.files import atomic_path
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces

OUTPUT = "coco.json"
PACKAGE = ""
CATEGORY = 1


def frame_name(frame: FrameFaces) -> str:
    """The picture that a frame would be."""
    return f"{frame.file}/{frame.index:06d}.jpg" if frame.moving else frame.file


class CocoStream:
    """Writes frames as they come; annotations wait in a file of their own until the end.

    Parameters
    ----------
    file, later : text file
        The output, and an empty temporary file.
    scheme : LandmarkScheme
    name : callable
        Gives a frame's ``file_name``.
    track_ids : bool
        Whether faces of still pictures carry a ``track_id`` too.
    """

    def __init__(
        self,
        file: IO[str],
        later: IO[str],
        scheme: LandmarkScheme,
        name: Callable[[FrameFaces], str] = frame_name,
        *,
        track_ids: bool = True,
    ) -> None:
        self._file = file
        self._name = name
        self._track_ids = track_ids
        self._images = self._faces = 0
        self._later = later
        head = {"info": {"description": "kpcli annotate"}, "licenses": [], "categories": [{
            "id": CATEGORY,
            "name": "face",
            "supercategory": "person",
            "keypoints": list(scheme.point_names),
            "skeleton": [[a + 1, b + 1] for a, b in scheme.edges],
        }]}  # fmt: skip
        file.write(json.dumps(head)[:-1] + ', "images": [')

    def write(self, frame: FrameFaces) -> None:
        """Add one frame as an image, its faces as annotations."""
        self._images += 1
        image: dict[str, Any] = {
            "id": self._images,
            "file_name": self._name(frame),
            "width": frame.width,
            "height": frame.height,
        }
        if frame.moving:
            seconds = round(frame.seconds, 6)
            image |= {"video": frame.file, "frame": frame.index, "timestamp": seconds}
        self._file.write(("," if self._images > 1 else "") + "\n" + json.dumps(image))
        for face in frame.faces:
            self._faces += 1
            attributes: dict[str, Any] = {"score": round(face.confidence, 4)}
            if frame.moving or self._track_ids:
                attributes["track_id"] = face.track
            values = {"id": self._faces, "image_id": self._images, "category_id": CATEGORY}
            values |= _face(face) | {"attributes": attributes}
            self._later.write(("," if self._faces > 1 else "") + "\n" + json.dumps(values))

    def end(self) -> None:
        """Write the annotations; the JSON is then complete."""
        self._file.write('\n], "annotations": [')
        self._later.seek(0)
        while block := self._later.read(1 << 20):
            self._file.write(block)
        self._file.write("\n]}\n")


def _face(face: Face) -> dict[str, Any]:
    known = np.asarray(np.isfinite(face.points).all(axis=1), bool)
    keypoints = [
        value
        for (x, y), good in zip(face.points.tolist(), known, strict=True)
        for value in ((round(x, 3), round(y, 3), 2) if good else (0, 0, 0))
    ]
    box = face.box
    bbox = [round(v, 3) for v in (box.left, box.top, box.width, box.height)]
    return {
        "bbox": bbox,
        "area": round(box.width * box.height, 3),
        "iscrowd": 0,
        "num_keypoints": int(known.sum()),
        "keypoints": keypoints,
    }


@contextmanager
def create(out: Path, scheme: LandmarkScheme) -> Iterator[CocoStream]:
    """Writes ``out/coco.json``; see `kpcli.catalogue.WriterModule`."""
    with (
        atomic_path(out / OUTPUT) as path,
        path.open("w", encoding="utf-8") as file,
        tempfile.TemporaryFile("w+", encoding="utf-8") as later,
    ):
        stream = CocoStream(file, later, scheme)
        yield stream
        stream.end()
