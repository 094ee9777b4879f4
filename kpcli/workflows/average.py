"""The mean face of a folder's pictures: every face bent onto the mean of all shapes, then averaged.

As in "Average faces" of psychology (Langlois and Roggman 1990, by landmarks): shapes are aligned by
similarity, each picture is bent by the triangles between its points, and colours are averaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.drawing.mean_shapes import MEAN_SHAPES
from kpcli.drawing.warp import Layered, Region, triangulate, warp_triangles
from kpcli.errors import EXIT_SOME_FAILED, InputError, UsageError, told
from kpcli.geometry import similarity
from kpcli.images import read_image, write_image
from kpcli.inference.finder import FaceFinder
from kpcli.options import AverageOptions, FaceOptions
from kpcli.outputs import Outputs
from kpcli.progress import progress
from kpcli.sources.folder import is_video, list_media
from kpcli.types import Face, Pixels

Points = NDArray[np.float64]

FACE, MIDDLE = 0.5, 0.56
"""Side of the points' box, and how far down its middle lies, in sides of the picture."""
MOST_TURNED = 30.0
"""Degrees of yaw beyond which a face is left out: half of it is not seen."""
LEAST_SIDE = 40.0
"""Pixels of a face's box below which it is left out: it would only blur the mean."""


@dataclass(frozen=True)
class Averaged:
    """What came of it; owns the exit code."""

    out: Path
    pictures: int
    faces: int
    left_out: int
    """Faces that are too small or turned away."""
    failed: tuple[tuple[str, str], ...] = ()
    """Files that could not be read, and why."""

    @property
    def exit_code(self) -> int:
        """0 done; 5 a file could not be read."""
        return EXIT_SOME_FAILED if self.failed else 0

    def summary(self) -> str:
        """Plain words for the end of the run."""
        lines = [f"{self.faces} faces of {self.pictures} pictures; {self.left_out} left out: "
                 f"smaller than {LEAST_SIDE:.0f} pixels, or turned by more than "
                 f"{MOST_TURNED:.0f} degrees"]  # fmt: skip
        lines += [f"failed: {file}: {why}" for file, why in self.failed]
        return "\n".join([*lines, f"written: {self.out}"])


def average(options: AverageOptions) -> Averaged:
    """Write the mean face of all pictures in a folder.

    Raises
    ------
    KpcliError
        If the folder, the model or the place of the result cannot be used, or no face is found.
    """
    listing = list_media(options.folder, recursive=options.recursive)
    files = [file for file in listing.files if not is_video(Path(file))]
    if not files:
        raise InputError(f"{options.folder}: no picture to average")
    outputs = Outputs(options.out.parent, "average")
    outputs.check([options.out.name])
    outputs.spare([options.folder / file for file in files])
    finder = FaceFinder(
        FaceOptions(
            model=options.model, device=options.device, min_confidence=options.min_confidence
        )
    )
    shape = MEAN_SHAPES.get(finder.scheme.name)
    if shape is None:
        raise UsageError(
            f"{options.model}: no mean shape of the scheme {finder.scheme.name} is known",
            expected=f"a model of one of the schemes {', '.join(MEAN_SHAPES)}",
        )
    found: dict[str, list[Points]] = {}
    failed: list[tuple[str, str]] = []
    left_out = 0
    for file in progress(files, "faces", len(files)):
        try:
            faces = finder.picture(options.folder / file)
        except InputError as e:
            failed.append((file, told(e)))
            continue
        kept = [np.asarray(face.points, np.float64) for face in faces if _fit(face)]
        left_out += len(faces) - len(kept)
        if kept:
            found[file] = kept
    every = [points for mine in found.values() for points in mine]
    if not every:
        raise InputError(
            f"{options.folder}: no face to average",
            expected=f"a face of {LEAST_SIDE:.0f} pixels, turned by less than {MOST_TURNED:.0f} "
            "degrees",
            actual=f"{len(files)} pictures, {len(failed)} of them unreadable",
        )
    target = _mean_shape(every, shape) * FACE * options.size
    target += np.array([0.5, MIDDLE]) * options.size
    layers = _layers(options.folder, found, target, options.size)
    with outputs.replacing(options.out.name) as temporary:
        write_image(temporary, _mean(layers))
    return Averaged(options.out, len(files), len(every), left_out, tuple(failed))


def _fit(face: Face) -> bool:
    turned = face.pose is not None and abs(face.pose.yaw) > MOST_TURNED
    return not turned and face.box.side >= LEAST_SIDE


def _mean_shape(faces: list[Points], shape: Points) -> Points:
    """The mean (N, 2) of the shapes, each laid onto a known one, which says what is upright."""
    laid = [_moved(points, similarity(points, shape)) for points in faces]
    return np.asarray(np.mean(laid, axis=0), np.float64)


def _moved(points: Points, matrix: Points) -> Points:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def _layers(
    folder: Path, found: dict[str, list[Points]], target: Points, size: int
) -> Iterator[NDArray[np.uint8]]:
    """Each face (S, S, 4), bent onto the target; what lies outside its picture is transparent."""
    edge = np.array([(x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1) if (x, y) != (0.5, 0.5)])
    border = edge * (size - 1)
    goal = np.vstack([target, border])
    triangles, region = triangulate(goal), Region(0, 0, size, size)
    for file in progress(found, "mean", len(found)):
        pixels = read_image(folder / file)
        picture = Layered(np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]))
        for points in found[file]:
            around = _moved(border, similarity(target, points))
            yield warp_triangles(picture, np.vstack([points, around]), goal, triangles, region)


def _mean(layers: Iterator[NDArray[np.uint8]]) -> Pixels:
    """The mean colour of what covers each pixel; black where nothing does."""
    total = np.zeros((1, 1, 4))
    for layer in layers:
        total = np.asarray(total + layer, np.float64)
    alpha = total[..., 3:] / 255
    return np.asarray(np.rint(total[..., :3] / np.maximum(alpha, 1e-9)).clip(0, 255), np.uint8)
