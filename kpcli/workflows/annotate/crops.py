"""``crops/``: a picture a face, named as its row: ``FILE/FRAME_FACEID.jpg``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kpcli.files import staged_path
from kpcli.geometry import REFERENCE_FIVE, CropTransform, landmark_box, similarity
from kpcli.images import write_image
from kpcli.options import AnnotateOptions
from kpcli.schemes import LandmarkScheme, five_points
from kpcli.types import Face, Frame

OUTPUT = "crops"
SCALE = 1.6
"""Side of a crop over side of the face's landmark box, brows to chin: hair and ears are in it."""
QUALITY = 95
LEAST_POINTS = 3
"""Of eyes, nose and mouth corners, to align by."""


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


def crop_name(file: str, frame: int, face_id: int) -> str:
    """Relative to the output folder; no two faces of a run have the same."""
    return f"{OUTPUT}/{file}/{frame:06d}_{face_id}.jpg"


class Crops:
    """Writes the crops of frames that come file by file."""

    def __init__(
        self, out: Path, staging: Path, scheme: LandmarkScheme, options: AnnotateOptions
    ) -> None:
        self._out = out
        self._staging = staging
        self._scheme = scheme
        self._options = options

    def add(
        self, file: str, frame: Frame, number: int, faces: tuple[Face, ...]
    ) -> tuple[Face, ...]:
        """Write them, and give back the faces with the names of their crops.

        Parameters
        ----------
        file : str
            The source, as seen from the annotated folder.
        frame : Frame
            Undrawn.
        number : int
            How many frames of the file came before: of videos, every ``crop_every``-th is cropped.
        faces : tuple of Face

        Raises
        ------
        InputError
            If one cannot be written.
        """
        if frame.moving and number % self._options.crop_every:
            return faces
        return tuple(self._write(file, frame, face) for face in faces)

    def _write(self, file: str, frame: Frame, face: Face) -> Face:
        options = self._options
        crop = crop_transform(face, self._scheme, options.crop_size, align=options.align)
        name = crop_name(file, frame.index, face.track)
        with staged_path(self._out / name, self._staging) as temporary:
            write_image(temporary, crop.to_crop(frame.pixels), QUALITY)
        return replace(face, crop=name)
