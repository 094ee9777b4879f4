"""CVAT imports: zips of *COCO Keypoints 1.0*, one for all pictures and one a video, and labels.

``cvat/labels.json`` is pasted into a new task's label constructor (*Raw*): ``face`` is a skeleton
with the point names as its parts, and has the confidence as the attribute ``score``.
``cvat/pictures.zip`` goes with a task of the pictures, ``cvat/FILE.zip`` with a task of that
video, whose frames CVAT names ``frame_000000`` and on. Faces of a video that are one come as one
track, each frame a key frame. CVAT counts from the edge of the first pixel, so 0.5 is added.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.files import atomic_folder
from kpcli.schemes import LandmarkScheme
from kpcli.types import FrameFaces
from kpcli.writers.coco import CocoStream

OUTPUT = "cvat"
PACKAGE = ""
PICTURES = "pictures.zip"
LABELS = "labels.json"
INSIDE = "annotations/person_keypoints_default.json"
EDGE = 0.5
"""Pixels from the first pixel's edge, where CVAT and Label Studio have 0, to its middle."""


def _cvat_name(frame: FrameFaces) -> str:
    return f"frame_{frame.index - 1:06d}.png" if frame.moving else frame.file


@contextmanager
def _zipped(path: Path, scheme: LandmarkScheme) -> Iterator[CocoStream]:
    """A zip of one JSON, byte for byte the same for the same frames."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as text,
        tempfile.TemporaryFile("w+", encoding="utf-8") as later,
    ):
        stream = CocoStream(text, later, scheme, _cvat_name, tracks=True, shift=EDGE)
        yield stream
        stream.end()
        text.seek(0)
        path.parent.mkdir(parents=True, exist_ok=True)
        entry = zipfile.ZipInfo(INSIDE, date_time=(1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        # Level 1: a quarter of level 6's time for a tenth more bytes.
        archive = zipfile.ZipFile(path, "w", compresslevel=1)
        with archive, archive.open(entry, "w", force_zip64=True) as target:
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
        self._shape: NDArray[np.float32] | None = None

    def write(self, frame: FrameFaces) -> None:
        """Add one frame."""
        if self._shape is None and frame.faces:
            self._shape = frame.faces[0].points
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
        text = json.dumps([skeleton(self._scheme, self._shape)], indent=1)
        (self._folder / LABELS).write_text(text + "\n", encoding="utf-8")


def skeleton(scheme: LandmarkScheme, shape: NDArray[np.float32] | None) -> dict[str, object]:
    """The label ``face`` as CVAT's constructor takes it.

    Parameters
    ----------
    scheme : LandmarkScheme
    shape : (N, 2) array or None
        Where the drawing of the skeleton has its points: those of any face; None: on a circle.
    """
    n = scheme.n_points
    if shape is None or not np.isfinite(shape).all():
        turn = np.arange(n) * (2 * np.pi / n)
        shape = np.stack([np.sin(turn), -np.cos(turn)], axis=1).astype(np.float32)
    low, extent = shape.min(axis=0), max(float(np.ptp(shape, axis=0).max()), 1e-6)
    places = (5 + 90 * (shape - low) / extent).tolist()
    lines = "".join(
        f'<line x1="{places[a][0]:.2f}" y1="{places[a][1]:.2f}" x2="{places[b][0]:.2f}" '
        f'y2="{places[b][1]:.2f}" data-type="edge" data-node-from="{a + 1}" '
        f'data-node-to="{b + 1}"></line>'
        for a, b in scheme.edges
    )
    circles = "".join(
        f'<circle r="0.75" cx="{x:.2f}" cy="{y:.2f}" data-type="element node" '
        f'data-element-id="{i}" data-node-id="{i}" data-label-name="{escape(name)}"></circle>'
        for i, ((x, y), name) in enumerate(zip(places, scheme.point_names, strict=True), 1)
    )
    parts = [{"name": name, "type": "points", "attributes": []} for name in scheme.point_names]
    score = {"name": "score", "mutable": True, "input_type": "text", "default_value": "",
             "values": [""]}  # fmt: skip
    return {
        "name": "face",
        "type": "skeleton",
        "attributes": [score],
        "svg": lines + circles,
        "sublabels": parts,
    }


@contextmanager
def create(out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()) -> Iterator[CvatFolder]:
    """Writes ``out/cvat/``; see `kpcli.plug_ins.WriterModule`."""
    with (
        atomic_folder(out / OUTPUT) as temporary,
        _zipped(temporary / PICTURES, scheme) as pictures,
        closing(CvatFolder(temporary, scheme, pictures)) as folder,
    ):
        yield folder
