"""COCO keypoints: images, annotations and the category ``face``, as COCO's own folders have it.

The output folder is the dataset: ``annotations/person_keypoints_default.json`` here, and beside
it ``images/``, which ``--frames-out`` fills. Every frame is an image; a video's are named
``FILE/000001.jpg``, counting from 1, and carry ``video``, ``frame`` and ``timestamp`` besides.
Boxes are [left, top, width, height]; keypoints are x, y, v with v = 2, or 0, 0, 0 for a point
that is no number. Whole numbers are the middle of a pixel, as everywhere in kpcli.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from kpcli.files import atomic_folder
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces
from kpcli.writers.frame_pictures import OUTPUT as IMAGES
from kpcli.writers.frame_pictures import frame_name
from kpcli.writers.values import printed_rows

OUTPUT = "annotations"
PACKAGE = ""
FILE = "person_keypoints_default.json"
BESIDE = (IMAGES,)
"""Folders that its readers (Datumaro, CVAT) want to find, were they empty."""
CATEGORY = 1


class CocoStream:
    """Writes frames as they come; annotations wait in a file of their own until the end.

    Parameters
    ----------
    file, later : text file
        The output, and an empty temporary file.
    scheme : LandmarkScheme
    name : callable
        Gives a frame's ``file_name``.
    tracks : bool
        Whether faces are tracks of CVAT: in videos with ``track_id`` and ``keyframe``, in pictures
        without an id, which would make one track of all that have the same.
    shift : float
        Added to coordinates: 0.5 for a reader that counts from the edge of the first pixel.
    """

    def __init__(
        self,
        file: IO[str],
        later: IO[str],
        scheme: LandmarkScheme,
        name: Callable[[FrameFaces], str] = frame_name,
        *,
        tracks: bool = False,
        shift: float = 0.0,
    ) -> None:
        self._file = file
        self._name = name
        self._tracks = tracks
        self._shift = np.float32(shift)
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
            first = "," if self._faces > 1 else ""
            self._later.write(f'{first}\n{{"id": {self._faces}, "image_id": {self._images}, ')
            self._later.write(self._face(face, moving=frame.moving))

    def _face(self, face: Face, *, moving: bool) -> str:
        box, shift = face.box, self._shift
        attributes: dict[str, Any] = {"score": round(face.confidence, 4)}
        if moving or not self._tracks:
            attributes["track_id"] = face.track
        if moving and self._tracks:
            attributes["keyframe"] = True
        known = np.asarray(np.isfinite(face.points).all(axis=1), bool)
        count = int(known.sum())
        points = face.points + shift
        if count == len(points):
            keypoints = printed_rows(points, "%.3f,%.3f,2")
        else:
            triples = zip(points.tolist(), known, strict=True)
            keypoints = ",".join(f"{x:.3f},{y:.3f},2" if k else "0,0,0" for (x, y), k in triples)
        return (
            f'"category_id": {CATEGORY}, "bbox": [{box.left + shift:.3f},{box.top + shift:.3f},'
            f'{box.width:.3f},{box.height:.3f}], "area": {box.width * box.height:.3f}, '
            f'"iscrowd": 0, "segmentation": [], "num_keypoints": {count}, '
            f'"keypoints": [{keypoints}], "attributes": {json.dumps(attributes)}}}'
        )

    def end(self) -> None:
        """Write the annotations; the JSON is then complete."""
        self._file.write('\n], "annotations": [')
        self._later.seek(0)
        while block := self._later.read(1 << 20):
            self._file.write(block)
        self._file.write("\n]}\n")


@contextmanager
def create(out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()) -> Iterator[CocoStream]:
    """Writes ``out/annotations``; see `kpcli.plug_ins.WriterModule`."""
    with (
        atomic_folder(out / OUTPUT) as folder,
        (folder / FILE).open("w", encoding="utf-8") as file,
        tempfile.TemporaryFile("w+", encoding="utf-8") as later,
    ):
        stream = CocoStream(file, later, scheme)
        yield stream
        stream.end()
