"""Points for a box that a person draws: the model's, or a usual face's of the scheme."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.dataset_csv import image_box
from kpcli.formats.review import places
from kpcli.geometry import box_to_unit, landmark_box, unit_to_box
from kpcli.inference.predictor import Predictor
from kpcli.inference.upright import Look, landmarks
from kpcli.schemes import LandmarkScheme, can_convert, convert_points, key_of
from kpcli.types import FaceBox, Pixels
from kpcli.workflows.review.faces import Known

SMALLEST = 4.0
"""Pixels of a side of a box that is a face's."""
AGREES = 0.3
"""Overlap of the box of the points that were found with the one that was drawn, at least, for a
second look there."""


class Proposer:
    """Proposes points; ``open_model`` is called when it is first needed, and may give None."""

    def __init__(
        self,
        scheme: LandmarkScheme,
        open_model: Callable[[], Predictor | None],
        usual: Callable[[], Sequence[Known]],
    ) -> None:
        self._scheme = scheme
        self._open_model = open_model
        self._usual = usual
        self._predictor: Predictor | None = None
        self._opened = False
        self._guard = Lock()

    def __call__(self, pixels: Pixels, box: FaceBox) -> dict[str, Any]:
        """Points, their confidences and the box, as the page wants them."""
        with self._guard:
            predictor = self._model()
            if predictor is None:
                shape = usual_shape(self._usual(), self._scheme.n_points)
                points = unit_to_box(shape, box).astype(np.float32)
                return {"points": places(points), "confidences": None, "how": "usual face",
                        "box": [round(v, 2) for v in box.corners]}  # fmt: skip
            return self._predicted(predictor, pixels, box)

    def _model(self) -> Predictor | None:
        if not self._opened:
            found = self._open_model()
            source = key_of(found.card.landmark_scheme) if found else ""
            if found is not None and can_convert(source, key_of(self._scheme)):
                self._predictor = found
            self._opened = True
        return self._predictor

    def _predicted(self, predictor: Predictor, pixels: Pixels, box: FaceBox) -> dict[str, Any]:
        card = predictor.card
        if card.face_box == "image":
            box = image_box((pixels.shape[1], pixels.shape[0]))
        (face,) = landmarks(predictor, [Look(pixels, box)])
        if card.face_box == "landmarks":  # drawn boxes are looser or tighter than the model's
            again = landmark_box(face.points, card.landmark_scheme)
            if again.side > SMALLEST and again.iou(box) >= AGREES:
                (second,) = landmarks(predictor, [Look(pixels, again)])
                face = second if second.confidence >= face.confidence else face
        source, target = key_of(card.landmark_scheme), key_of(self._scheme)
        points = convert_points(face.points, source, target)
        scores = [round(float(s), 2) for s in face.point_confidences]
        return {
            "points": places(points), "box": [round(v, 2) for v in face.box.corners],
            "confidences": scores if source == target else None,
            "how": f"{card.name}, confidence {face.confidence:.2f}",
        }  # fmt: skip


def usual_shape(known: Sequence[Known], n_points: int) -> NDArray[np.float64]:
    """The median face (n, 2) in unit coordinates of its box; a ring where none is known."""
    shapes = [box_to_unit(k.points, k.box) for k in known if k.box is not None and k.box.side > 0]
    angle = np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    ring = 0.6 * np.stack([np.sin(angle), -np.cos(angle)], axis=1)
    if not shapes:
        return ring
    with np.errstate(all="ignore"):
        middle = np.nanmedian(np.stack(shapes), axis=0)
    return np.where(np.isfinite(middle), middle, ring)
