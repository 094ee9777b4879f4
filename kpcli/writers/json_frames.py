"""Plain JSON: the scheme, then every frame with its faces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from kpcli.files import atomic_path
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces

OUTPUT = "landmarks.json"
PACKAGE = ""


class JsonFrames:
    """One object, its ``frames`` a line each."""

    def __init__(self, file: IO[str], scheme: LandmarkScheme) -> None:
        self._file = file
        self._frames = 0
        values = {"name": scheme.name, "point_names": list(scheme.point_names)}
        file.write('{"scheme": ' + json.dumps(values) + ',\n "frames": [')

    def write(self, frame: FrameFaces) -> None:
        """Add one frame."""
        values = {
            "file": frame.file,
            "frame": frame.index,
            "timestamp": round(frame.seconds, 6),
            "width": frame.width,
            "height": frame.height,
            "faces": [_face(face) for face in frame.faces],
        }
        self._file.write(("," if self._frames else "") + "\n" + json.dumps(values))
        self._frames += 1

    def end(self) -> None:
        """The object is complete."""
        self._file.write("\n]}\n")


def _face(face: Face) -> dict[str, Any]:
    box = face.box
    values: dict[str, Any] = {
        "face_id": face.track,
        "box": [round(v, 3) for v in (box.left, box.top, box.right, box.bottom)],
        "confidence": round(face.confidence, 4),
        "points": _rounded(face.points, 3),
        "scores": _rounded(face.point_confidences, 4),
    }
    if face.pose is not None:
        names = ("yaw", "pitch", "roll")
        values["pose"] = dict(zip(names, _rounded(np.array(face.pose), 2), strict=True))
    if face.smoothed is not None:
        values["smooth"] = _rounded(face.smoothed, 3)
    return values


def _rounded(values: NDArray[np.floating], digits: int) -> list[Any]:
    """Nested lists; what is no number becomes null."""
    array = np.round(np.asarray(values, np.float64), digits)
    filled: list[Any] = np.where(np.isfinite(array), array, None).tolist()  # type: ignore[call-overload]
    return filled


@contextmanager
def create(out: Path, scheme: LandmarkScheme) -> Iterator[JsonFrames]:
    """Writes ``out/landmarks.json``; see `kpcli.catalogue.WriterModule`."""
    with atomic_path(out / OUTPUT) as path, path.open("w", encoding="utf-8") as file:
        frames = JsonFrames(file, scheme)
        yield frames
        frames.end()
