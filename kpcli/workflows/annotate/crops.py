"""``crops/``: a picture a face, named as its row: ``FILE/FRAME_FACEID.jpg``."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from kpcli.errors import InputError
from kpcli.geometry import REFERENCE_FIVE, CropTransform, landmark_box, similarity
from kpcli.images import write_image
from kpcli.options import AnnotateOptions
from kpcli.outputs import Outputs
from kpcli.schemes import LandmarkScheme, five_points
from kpcli.types import Face, Frame

OUTPUT = "crops"
SCALE = 1.6
"""Side of a crop over side of the face's landmark box, brows to chin: hair and ears are in it."""
QUALITY = 95
HELD = 256
"""Crops that wait to be put in place together."""
LEAST_POINTS = 3
"""Least number of the five points (eyes, nose, mouth corners) to align a face by."""


def crop_transform(
    face: Face, scheme: LandmarkScheme, size: int, *, align: bool = False
) -> CropTransform:
    """From frame to crop: the square around the landmarks, or the face upright at a fixed place.

    Aligned, eyes, nose and mouth corners lie, as nearly as a similarity can, where the mean
    upright face of 300-W has them (`kpcli.geometry.REFERENCE_FIVE`); a face of a scheme without
    them is not turned.

    Parameters
    ----------
    face : Face
    scheme : LandmarkScheme
    size : int
        Side of the crop in pixels.
    align : bool
        Turn, move and scale it.
    """
    five = five_points(face.points, scheme) if align else None
    if five is not None:
        known = ~np.isnan(five).any(axis=1)
        if known.sum() >= LEAST_POINTS and np.ptp(five[known], axis=0).max() > 0:
            target = REFERENCE_FIVE[known] * (size / SCALE) + (size - 1) / 2
            return CropTransform(similarity(five[known], target), size)
    known = ~np.isnan(face.points).any(axis=1)
    box = landmark_box(face.points, scheme) if known.any() else face.box
    return CropTransform.from_box(box if box.side > 0 else face.box, size, SCALE)


def crop_name(name: str, frame: int, face_id: int) -> str:
    """Relative to the output folder; ``name`` is the file's, or what its outputs begin with."""
    return f"{OUTPUT}/{name}/{frame:06d}_{face_id}.jpg"


class Crops:
    """Writes the crops of frames that come file by file.

    They wait in ``staging``, a folder on the disk of the outputs; `publish` puts them in place.
    """

    def __init__(
        self, outputs: Outputs, staging: Path, scheme: LandmarkScheme, options: AnnotateOptions
    ) -> None:
        self._outputs = outputs
        self._staging = staging
        self._scheme = scheme
        self._options = options
        self._waiting: list[tuple[Path, str]] = []

    def add(
        self, name: str, frame: Frame, number: int, faces: tuple[Face, ...]
    ) -> tuple[Face, ...]:
        """Write them, and give back the faces with the names of their crops.

        Parameters
        ----------
        name : str
            Of the folder of the file's crops.
        frame : Frame
            Undrawn.
        number : int
            How many frames of the file came before: of videos, every ``crop_every``-th is cropped.
        faces : tuple of Face

        Raises
        ------
        InputError
            If one, or one before it, cannot be written.
        """
        if not number:
            self._drop_old(name)
        if frame.moving and number % self._options.crop_every:
            return faces
        near = frame.whole() if faces else frame
        made = tuple(self._write(name, near, face) for face in faces)
        if len(self._waiting) >= HELD:
            self.publish()
        return made

    def _drop_old(self, name: str) -> None:
        """Crops of an earlier run of the file, which may have had other faces."""
        folder = self._outputs.folder / OUTPUT / name
        if folder.is_dir():
            self._outputs.remove(f"{OUTPUT}/{name}/{path.name}" for path in [*folder.iterdir()])

    def _write(self, name: str, frame: Frame, face: Face) -> Face:
        options = self._options
        crop = crop_transform(face, self._scheme, options.crop_size, align=options.align)
        temporary = self._staging / f"{os.getpid()}-crop-{next(_counter)}.jpg"
        write_image(temporary, crop.to_crop(frame.pixels), QUALITY)
        named = crop_name(name, frame.index, face.track)
        self._waiting.append((temporary, named))
        return replace(face, crop=named)

    def publish(self) -> None:
        """Put those that wait in place; raises InputError if one cannot be."""
        waiting, self._waiting = self._waiting, []
        for name, problem in (self._outputs.publish(waiting) if waiting else {}).items():
            raise InputError(f"{name}: cannot be written", actual=str(problem))


_counter = itertools.count()
