"""Label Studio tasks with predictions, to import into a project with KeyPointLabels.

The labelling configuration names the tags ``keypoints`` and ``image``, and the scheme's point
names as labels. Coordinates are percent of the frame's size. A video's frames are tasks of their
own, named ``FILE/000001.jpg`` as one would extract them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from kpcli.files import atomic_path
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces
from kpcli.writers.coco import frame_name

OUTPUT = "labelstudio.json"
PACKAGE = ""
POINT_WIDTH = 0.4
"""Percent of the picture's width."""


class LabelStudioTasks:
    """A JSON list, a task a frame."""

    def __init__(self, file: IO[str], scheme: LandmarkScheme) -> None:
        self._file = file
        self._names = scheme.point_names
        self._tasks = 0

    def write(self, frame: FrameFaces) -> None:
        """Add one frame as a task."""
        data: dict[str, Any] = {"image": frame_name(frame)}
        if frame.moving:
            data |= {"video": frame.file, "frame": frame.index, "timestamp": frame.seconds}
        result = [r for face in frame.faces for r in self._face(frame, face)]
        score = max((face.confidence for face in frame.faces), default=0.0)
        prediction = {"model_version": "kpcli", "score": round(score, 4), "result": result}
        self._file.write(("," if self._tasks else "[") + "\n")
        self._file.write(json.dumps({"data": data, "predictions": [prediction]}))
        self._tasks += 1

    def _face(self, frame: FrameFaces, face: Face) -> Iterator[dict[str, Any]]:
        for i, (x, y) in enumerate(face.points.tolist()):
            if np.isfinite(x) and np.isfinite(y):
                yield {
                    "id": f"{frame.index}_{face.track}_{i}",
                    "type": "keypointlabels",
                    "from_name": "keypoints",
                    "to_name": "image",
                    "original_width": frame.width,
                    "original_height": frame.height,
                    "image_rotation": 0,
                    "score": round(float(face.point_confidences[i]), 4),
                    "meta": {"text": [f"face {face.track}"]},
                    "value": {
                        "x": round(100 * x / max(frame.width, 1), 4),
                        "y": round(100 * y / max(frame.height, 1), 4),
                        "width": POINT_WIDTH,
                        "keypointlabels": [self._names[i]],
                    },
                }

    def end(self) -> None:
        """The list is complete."""
        self._file.write("\n]\n" if self._tasks else "[]\n")


@contextmanager
def create(out: Path, scheme: LandmarkScheme) -> Iterator[LabelStudioTasks]:
    """Writes ``out/labelstudio.json``; see `kpcli.catalogue.WriterModule`."""
    with atomic_path(out / OUTPUT) as path, path.open("w", encoding="utf-8") as file:
        tasks = LabelStudioTasks(file, scheme)
        yield tasks
        tasks.end()
