"""Landmarks of faces in frames: a first look at the box, a second one by its points if it helps.

Models are most accurate on upright faces. Where the first look is unsure, the face is also tried
lying on either side and upside down; where a face then leans, or is not where its box is, it is
cut again by its points. A later look counts only if the model is not less sure of it. The limits
were chosen on the val rows of the default model: ``tests/benchmarks/robustness.py FACES.csv
--split val``.
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
from kpcli.types import Face, FaceBox, Pixels, Points

TURNED = 15.0
"""Degrees by which a face may lean in the crop before it is cut again, set upright."""
UNSURE = 0.6
"""Confidence below which a face is looked at from all four sides."""
LEAST_TURNED = 24.0
"""Side in pixels of the least box that is. In 3,174 pictures another side let 20 of 5,758 smaller
unsure boxes pass the gate, and 29 of 361 larger ones (tests/benchmarks/other_sides.py of
../shared/data/widerface and photos)."""
FRAMED = 0.85
"""Overlap (intersection over union) of the box that is cut with that of the points, below which a
face is cut again. With boxes that are off by a tenth the NME on 300-W's val falls from 5.12 to
3.67 % (tests/benchmarks/robustness.py 300w.csv --split val), with Haar's from 3.68 to 3.28 %, with
the builtin detector's, of which 1 % are cut again, from 3.16 to 3.15 % (kpcli eval 300w.csv --split
val --boxes haar, or builtin)."""
SEEN = 0.35
"""Confidence from which on it is, or another chance lets what is no face pass the gate; and what
another side must reach: where nothing is seen from any, faces are upright. Of 300-W's and WFLW's
val faces whose left half was covered the NME was then 5.58, not 5.90 %, and those that lay or
stood on their head came out as they did (tests/benchmarks/robustness.py FACES.csv --split val,
with the weights before these, which did not know WFLW's)."""
SURER = 0.05
"""Confidence that another side must gain to be taken: a covered face misleads."""


class Faces(Protocol):
    """What a predictor says of B crops; see `kpcli.inference.predictor.PredictedFaces`."""

    @property
    def unit(self) -> NDArray[np.float32]: ...
    @property
    def point_confidences(self) -> NDArray[np.float32]: ...
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
    crop's centre, in box sides. ``points`` is where the points should be, if that is known: a face
    that leans is then cut upright at once. Only with ``sides`` it may be looked at from all four.
    """

    frame: Pixels
    box: FaceBox
    turn: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    points: Points | None = None
    sides: bool = True

    @property
    def square(self) -> FaceBox:
        """The box that is cut, before it is turned."""
        half = self.box.side / 2
        x, y = (c + 2 * half * by for c, by in zip(self.box.centre, self.shift, strict=True))
        return FaceBox(x - half, y - half, x + half, y + half)

    def transform(self, card: ModelCard) -> CropTransform:
        """From the frame to the model's crop."""
        return CropTransform.from_box(
            self.box, card.input_size, card.crop_scale, rotation=self.turn, shift=self.shift
        )


def landmarks(predictor: FacePredictor, looks: Sequence[Look], batch_size: int = 64) -> list[Face]:
    """The faces in the boxes of the looks, each by the look of which the model is surest."""
    best = [_as_it_leaned(look, predictor.card) for look in looks]
    seen = list(_see(predictor, best, batch_size))
    for others, margin, least in ((_sides, SURER, SEEN), (by_points, 0.0, 0.0)):
        again = [
            (i, look)
            for i, face in enumerate(seen)
            for look in others(best[i], face, predictor.card)
        ]
        needed = [max(face.confidence + margin, least) for face in seen]
        found = _see(predictor, [look for _, look in again], batch_size)
        for (i, look), face in zip(again, found, strict=True):
            if face.confidence >= max(needed[i], seen[i].confidence):
                best[i], seen[i] = look, face
    return [replace(face, box=look.box) for face, look in zip(seen, looks, strict=True)]


def _see(predictor: FacePredictor, looks: Sequence[Look], batch_size: int) -> Iterator[Face]:
    for first in range(0, len(looks), max(1, batch_size)):
        part = looks[first : first + max(1, batch_size)]
        transforms = [look.transform(predictor.card) for look in part]
        crops = [t.to_crop(look.frame) for t, look in zip(transforms, part, strict=True)]
        faces = predictor.predict(np.stack(crops))
        for i, (look, transform) in enumerate(zip(part, transforms, strict=True)):
            points = transform.to_frame(faces.unit[i])
            yield Face(look.box, points, faces.point_confidences[i], float(faces.confidence[i]))


def _sides(look: Look, face: Face, card: ModelCard) -> Iterator[Look]:
    """An unsure face lying on either side and upside down."""
    if look.sides and face.confidence < UNSURE and look.box.side >= LEAST_TURNED:
        for quarter in (90.0, 180.0, 270.0):
            yield replace(look, turn=look.turn + quarter)


def by_points(look: Look, face: Face, card: ModelCard) -> Iterator[Look]:
    """A face that leans, or is not where its box is, cut by its points."""
    again = _set_upright(look, face.points, card) or _framed(look, face, card)
    if again is not None:
        yield again


def _as_it_leaned(look: Look, card: ModelCard) -> Look:
    """The look, turned as the points are expected to be."""
    known = None if look.points is None else _set_upright(look, look.points, card)
    return known or look


def _set_upright(look: Look, points: Points, card: ModelCard) -> Look | None:
    """How a face with these points is cut upright; None where the look shows it so."""
    five = five_points(points, card.landmark_scheme)
    if five is None or not np.ptp(five, axis=0).all():
        return None
    matrix = similarity(REFERENCE_FIVE, five)
    turn = -math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))
    if abs((turn - look.turn + 180) % 360 - 180) <= TURNED:
        return None
    return _around(look, points, turn, card)


def _framed(look: Look, face: Face, card: ModelCard) -> Look | None:
    """How a face is cut by the box of its points; None where the look's is like it."""
    # A model without doubts (1) cannot tell which look is the better one.
    told = SEEN <= face.confidence < 1 and look.box.side >= LEAST_TURNED
    if not told or not np.ptp(face.points, axis=0).all():
        return None
    again = _around(look, face.points, look.turn, card)
    return again if again.square.iou(look.square) < FRAMED else None


def _around(look: Look, points: Points, turn: float, card: ModelCard) -> Look:
    """The look turned so, its box that of the points where the model knows faces by it."""
    box, shift = look.box, look.shift
    if card.face_box == "landmarks":  # the box of a turned face is that of its turned points
        box, shift = turned_box(points, box, card.landmark_scheme, turn)
    return replace(look, box=box, turn=turn, shift=shift)
