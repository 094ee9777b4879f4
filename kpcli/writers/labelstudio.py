"""Label Studio: tasks with predictions, and the labelling configuration that they need.

``labelstudio/config.xml`` goes into the project's *Labeling Interface* (*Code*),
``labelstudio/tasks.json`` is then imported. A face is a rectangle, and its points name it as
their ``parentID``: so they stay together, also in the exports *JSON* and *YOLO* (*COCO* of Label
Studio throws all points of a picture together). Coordinates are percent of the frame's size,
from the edge of the first pixel. Pictures are ``/data/local-files/?d=NAME``: names below the
folder that Label Studio serves (``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT``), which is ``images/``
of ``--frames-out``; frames of videos are ``FILE/000001.jpg`` there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import numpy as np

from kpcli.files import atomic_folder
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, FrameFaces
from kpcli.writers.cvat import EDGE
from kpcli.writers.frame_pictures import frame_name

OUTPUT = "labelstudio"
PACKAGE = ""
TASKS = "tasks.json"
CONFIG = "config.xml"
SERVED = "/data/local-files/?d="
"""Address at which Label Studio shows files of its document root."""
POINT_WIDTH = 0.4
"""Width of a drawn point in percent of the picture's width."""


class LabelStudioTasks:
    """A JSON list, a task a frame."""

    def __init__(self, file: IO[str], scheme: LandmarkScheme) -> None:
        self._file = file
        self._names = [json.dumps([name]) for name in scheme.point_names]
        self._tasks = 0

    def write(self, frame: FrameFaces) -> None:
        """Add one frame as a task."""
        name = frame_name(frame).encode("utf-8", "surrogateescape")
        data: dict[str, Any] = {"image": SERVED + quote(name), "file": frame.file}
        if frame.moving:
            data |= {"frame": frame.index, "timestamp": round(frame.seconds, 6)}
        score = max((face.confidence for face in frame.faces), default=0.0)
        result = ",\n  ".join(r for face in frame.faces for r in self._face(frame, face))
        self._file.write(
            f'{"," if self._tasks else "["}\n{{"data": {json.dumps(data)}, "predictions": '
            f'[{{"model_version": "kpcli", "score": {score:.4f}, "result": [{result}]}}]}}'
        )
        self._tasks += 1

    def _face(self, frame: FrameFaces, face: Face) -> Iterator[str]:
        width, height = max(frame.width, 1), max(frame.height, 1)
        number = f"{frame.index}_{face.track}"
        size = (
            f'"to_name": "image", "original_width": {frame.width}, '
            f'"original_height": {frame.height}, "image_rotation": 0'
        )
        box = face.box
        yield (
            f'{{"id": "{number}", "type": "rectanglelabels", "from_name": "faces", {size}, '
            f'"score": {face.confidence:.4f}, "meta": {{"text": ["face {face.track}"]}}, '
            f'"value": {{"x": {100 * (box.left + EDGE) / width:.4f}, '
            f'"y": {100 * (box.top + EDGE) / height:.4f}, "width": {100 * box.width / width:.4f}, '
            f'"height": {100 * box.height / height:.4f}, "rotation": 0, '
            f'"rectanglelabels": ["face"]}}}}'
        )
        start = (
            f'"type": "keypointlabels", "from_name": "keypoints", {size}, "parentID": "{number}"'
        )
        points = np.asarray(face.points, np.float64) + EDGE
        percent = points * (100 / width, 100 / height)
        values = zip(percent.tolist(), face.point_confidences, self._names, strict=True)
        for i, ((x, y), score, name) in enumerate(values):
            if math.isfinite(x + y):
                yield (
                    f'{{"id": "{number}_{i}", {start}, "score": {score:.4f}, "value": '
                    f'{{"x": {x:.4f}, "y": {y:.4f}, "width": {POINT_WIDTH}, '
                    f'"keypointlabels": {name}}}}}'
                )

    def end(self) -> None:
        """The list is complete."""
        self._file.write("\n]\n" if self._tasks else "[]\n")


def config(scheme: LandmarkScheme) -> str:
    """The labelling configuration: rectangles and, by their order, the scheme's points."""
    labels = "\n".join(
        f'    <Label value="{escape(name)}" model_index="{i}"/>'
        for i, name in enumerate(scheme.point_names)
    )
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true" zoomControl="true"/>\n'
        '  <RectangleLabels name="faces" toName="image">\n    <Label value="face"/>\n'
        '  </RectangleLabels>\n  <KeyPointLabels name="keypoints" toName="image">\n'
        f"{labels}\n  </KeyPointLabels>\n</View>\n"
    )


@contextmanager
def create(
    out: Path, scheme: LandmarkScheme, extras: Collection[str] = ()
) -> Iterator[LabelStudioTasks]:
    """Writes ``out/labelstudio/``; see `kpcli.plug_ins.WriterModule`."""
    with (
        atomic_folder(out / OUTPUT) as folder,
        (folder / TASKS).open("w", encoding="utf-8") as file,
    ):
        (folder / CONFIG).write_text(config(scheme), encoding="utf-8")
        tasks = LabelStudioTasks(file, scheme)
        yield tasks
        tasks.end()
