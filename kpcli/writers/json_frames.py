"""landmarks.json: one JSON document, the scheme and then every frame with its faces.

It is no JSON Lines file, but each frame stands on a line of its own. ``sides`` says whose left
the point names mean: the picture's (of an upright face), or the person's own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from kpcli.files import atomic_path
from kpcli.schemes import KAGGLE15, SCHEMES, LandmarkScheme
from kpcli.types import Face, FrameFaces, Points
from kpcli.writers.values import pose_of, printed_numbers, printed_rows

OUTPUT = "landmarks.json"
PACKAGE = ""


class JsonFrames:
    """One object, its ``frames`` a line each."""

    def __init__(self, file: IO[str], scheme: LandmarkScheme) -> None:
        self._file = file
        self._frames = 0
        values: dict[str, Any] = {"name": scheme.name, "point_names": list(scheme.point_names)}
        if scheme.name in SCHEMES:
            values["sides"] = "person" if scheme.name == KAGGLE15.name else "picture"
        file.write('{"scheme": ' + json.dumps(values) + ',\n "frames": [')

    def write(self, frame: FrameFaces) -> None:
        """Add one frame."""
        values = {
            "file": frame.file,
            "frame": frame.index,
            "timestamp": round(frame.seconds, 6),
            "width": frame.width,
            "height": frame.height,
        }
        faces = ", ".join(_face(face) for face in frame.faces)
        start = ("," if self._frames else "") + "\n" + json.dumps(values)[:-1]
        self._file.write(f'{start}, "faces": [{faces}]}}')
        self._frames += 1

    def end(self) -> None:
        """The object is complete."""
        self._file.write("\n]}\n")


def _face(face: Face) -> str:
    box, pose = face.box, pose_of(face)
    text = (
        f'{{"face_id": {face.track}, '
        f'"box": [{box.left:.3f}, {box.top:.3f}, {box.right:.3f}, {box.bottom:.3f}], '
        f'"confidence": {face.confidence:.4f}, "points": [{_points(face.points)}], '
        f'"scores": [{printed_numbers(face.point_confidences, "%.4f", "null", ", ")}]'
    )
    if pose:
        text += ', "pose": {{"yaw": {:.2f}, "pitch": {:.2f}, "roll": {:.2f}}}'.format(*pose)
    if face.smoothed is not None:
        text += f', "smooth": [{_points(face.smoothed)}]'
    if face.measures is not None:
        values = zip(face.measures._fields, face.measures, strict=True)
        known = (f'"{k}": {v:.4f}' if math.isfinite(v) else f'"{k}": null' for k, v in values)
        text += f', "measures": {{{", ".join(known)}}}'
    return text + "}"


def _points(points: Points) -> str:
    """Pairs; what is no number is null."""
    if np.isfinite(points).all():
        return printed_rows(points, "[%.3f, %.3f]", ", ")
    return ", ".join(f"[{printed_numbers(p, '%.3f', 'null', ', ')}]" for p in points)


@contextmanager
def create(out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()) -> Iterator[JsonFrames]:
    """Writes ``out/landmarks.json``; see `kpcli.plug_ins.WriterModule`."""
    with atomic_path(out / OUTPUT) as path, path.open("w", encoding="utf-8") as file:
        frames = JsonFrames(file, scheme)
        yield frames
        frames.end()
