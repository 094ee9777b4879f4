"""Landmarks of faces in frames: a first look at the box, a second, upright one where it helps.

Models are most accurate on upright faces. Where the first look is unsure, the face is also tried
lying on either side and upside down; where a face then leans, it is cut again upright, by its
points. A later look counts only if the model is not less sure of it. The limits were chosen on
the val rows of the default model: ``tests/benchmarks/robustness.py FACES.csv --split val``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kpcli.geometry import REFERENCE_FIVE, CropTransform, similarity, turned_box
from kpcli.model_bundle import ModelCard
from kpcli.schemes import five_points
from kpcli.types import FaceBox, Pixels, Points

TURNED = 15.0
"""Degrees by which a face may lean in the crop before it is cut again, set upright."""
UNSURE = 0.6
"""A face of less confidence is looked at from all four sides."""
SURER = 0.05
"""By so much must the model be surer of a face on another side: a covered one misleads."""


class Faces(Protocol):
    """What a predictor says of B crops; see `kpcli.inference.predictor.PredictedFaces`."""

    @property
    def unit(self) -> NDArray[np.float32]: ...
    @property
    def scores(self) -> NDArray[np.float32]: ...
    @property
    def confidence(self) -> NDArray[np.float32]: ...


class FacePredictor(Protocol):
    """What is needed of `kpcli.inference.predictor.Predictor`."""

    card: ModelCard

    def predict(self, crops: Pixels) -> Faces:
        """Landmarks of crops (B, S, S, 3) uint8 RGB."""


@dataclass(frozen=True, slots=True)
class Look:
    """A face in a frame (H, W, 3), and how to cut it.

    ``turn`` is by how many degrees it is turned clockwise for the crop, and ``shift`` moves the
    crop's centre, in box sides.
    """

    frame: Pixels
    box: FaceBox
    turn: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    def transform(self, card: ModelCard) -> CropTransform:
        """From the frame to the model's crop."""
        return CropTransform.from_box(
            self.box, card.input_size, card.crop_scale, rotation=self.turn, shift=self.shift
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found: points (N, 2) in frame pixels, scores (N,), confidence in 0..1."""

    look: Look
    points: Points
    scores: NDArray[np.float32]
    confidence: float


def landmarks(predictor: FacePredictor, looks: Sequence[Look], batch_size: int = 64) -> list[Seen]:
    """The landmarks of each face, by the look of which the model is surest."""
    seen = list(_see(predictor, looks, batch_size))
    for others, margin in ((_sides, SURER), (_upright, 0.0)):
        again = [(i, look) for i, s in enumerate(seen) for look in others(s, predictor.card)]
        needed = [s.confidence + margin for s in seen]
        found = _see(predictor, [look for _, look in again], batch_size)
        for (i, _), face in zip(again, found, strict=True):
            if face.confidence >= max(needed[i], seen[i].confidence):
                seen[i] = face
    return seen


def _see(predictor: FacePredictor, looks: Sequence[Look], batch_size: int) -> Iterator[Seen]:
    for first in range(0, len(looks), max(1, batch_size)):
        part = looks[first : first + max(1, batch_size)]
        transforms = [look.transform(predictor.card) for look in part]
        crops = [t.to_crop(look.frame) for t, look in zip(transforms, part, strict=True)]
        faces = predictor.predict(np.stack(crops))
        for i, (look, transform) in enumerate(zip(part, transforms, strict=True)):
            points = transform.to_frame(faces.unit[i])
            yield Seen(look, points, faces.scores[i], float(faces.confidence[i]))


def _sides(face: Seen, card: ModelCard) -> Iterator[Look]:
    """An unsure face lying on either side and upside down."""
    if face.confidence < UNSURE:
        for quarter in (90.0, 180.0, 270.0):
            yield replace(face.look, turn=face.look.turn + quarter)


def _upright(face: Seen, card: ModelCard) -> Iterator[Look]:
    """A turned face, set upright by its points."""
    five = five_points(face.points, card.landmark_scheme)
    if five is None or not np.ptp(five, axis=0).all():
        return
    matrix = similarity(REFERENCE_FIVE, five)
    turn = -math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))
    if abs((turn - face.look.turn + 180) % 360 - 180) <= TURNED:
        return
    box, shift = face.look.box, face.look.shift
    if card.face_box == "landmarks":  # the box of a turned face is that of its turned points
        box, shift = turned_box(face.points, box, card.landmark_scheme, turn)
    yield Look(face.look.frame, box, turn, shift)
