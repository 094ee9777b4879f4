"""kpcli's own face detector, embedded: made for the landmark models, needs no TensorFlow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.boxes import (
    Array,
    Letterbox,
    areas,
    cell_grid,
    decode,
    face_boxes,
    pairwise_iou,
    suppress,
    turned_back,
    wider_to_landmark,
)
from kpcli.catalogue import Runtime
from kpcli.errors import ModelError
from kpcli.model_bundle import DETECTION, ModelBundle, ModelCard
from kpcli.options import DETECT_SIZE
from kpcli.runtimes import AUTO, open_runtime
from kpcli.types import FaceBox, Pixels

BUNDLE = "face_detector"
LEAST_SCORE = 0.43
"""Scores are calibrated: of boxes with this score, two fifths are faces. The landmark model sees
more of them and tells them from the others (``--min-confidence``). From 0.3 on, 7 false faces pass
its gate in 195 pictures without a face, from here on 5 (tests/benchmarks/false_alarms.py)."""
UPRIGHT = 0.9
"""With a face of this score a picture is taken to stand upright: faces on their side score less."""
TURNED = 0.8
"""Faces of a turned picture need this score: few things that are no faces have it."""
PROBE = 0.5
"""Which side is up shows at this share of the working size too,"""
PROMISING = 0.5
"""by a face of this score."""
NMS_IOU = 0.45
VOTE_IOU = 0.6
"""Boxes that overlap a face's best one so much have a say in where it lies: on pictures that the
detector was not trained on, average precision is 0.3 to 0.5 points higher with their mean."""
LARGEST_ZOOM = 4.0
"""Small pictures are enlarged so much at most."""
BATCH = 4
"""Pictures at once: more find no room in the processor's cache."""
LARGE = 0.25
"""Faces of a larger share of the picture's long side are looked for in a smaller picture,"""
COARSE = 0.35
"""of this share of the working size: there, the network sees them whole."""
SIZELESS = 64.0
"""Boxes of so many pixels at work, and larger, are as sure as their logits say: `size_feature`."""
SMALL = 24.0
"""Faces of fewer pixels at work had no landmarks to learn a landmark box from: theirs lies in the
WIDER FACE box as those of larger faces do."""


class FaceDetector:
    """Finds faces with a network whose task is detection.

    Parameters
    ----------
    card : ModelCard
        Of the network: its strides, its boxes, the calibration of its scores.
    runtime : Runtime
        Runs it.
    size : int
        Long side in pixels to which pictures are scaled.
    least_score : float
        Faces with a lower (calibrated) score are left out.
    """

    def __init__(
        self,
        card: ModelCard,
        runtime: Runtime,
        size: int = DETECT_SIZE,
        least_score: float = LEAST_SCORE,
    ) -> None:
        self._runtime = runtime
        self._strides = card.strides
        self._slope = card.calibration.get("score_slope", 1.0)
        self._offset = card.calibration.get("score_offset", 0.0)
        self._size_slope = card.calibration.get("score_size", 0.0)
        self._output = "landmark_box" if card.face_box == "landmarks" else "box"
        self._size = size
        self._least_score = least_score

    def detect(
        self, images: Sequence[Pixels], sources: Sequence[tuple[Path, int]]
    ) -> list[list[FaceBox]]:
        """Boxes tight around the landmarks; see `kpcli.catalogue.Detector`.

        A picture in which no upright face is found for sure is searched again lying on either
        side and upside down. The side whose best face scores highest counts, if it is sure too.
        """
        found = self.arrays(images, self._output)
        for i, (_, scores) in enumerate(found):
            if max(scores, default=0.0) < UPRIGHT:
                turned = self._turned(images[i])
                if max(turned[1], default=0.0) > max([TURNED, *scores]):
                    found[i] = turned
        return [face_boxes(*one) for one in found]

    def _turned(self, image: Pixels) -> tuple[Array, Array]:
        """What there is in the picture turned by quarters, boxes in the picture as it is."""
        sides = {k: np.rot90(image, k) for k in (1, 2, 3)}
        probes = self.arrays(list(sides.values()), self._output, PROBE)
        tops = {k: max(probe[1], default=0.0) for k, probe in zip(sides, probes, strict=True)}
        best = max(sides, key=lambda k: tops[k])
        if tops[best] < PROMISING:
            return np.zeros((0, 4)), np.zeros(0)
        ((boxes, scores),) = self.arrays([sides[best]], self._output)
        return turned_back(boxes, best, image.shape[1], image.shape[0]), scores

    def arrays(
        self, images: Sequence[Pixels], output: str, share: float = 1.0
    ) -> list[tuple[Array, Array]]:
        """Boxes (D, 4) and scores (D,) of each picture, best first.

        ``output`` is ``landmark_box``, or ``box`` for boxes as WIDER FACE has them; ``share`` is
        what part of the working size is enough.
        """
        fitted = [self._fit(image, share) for image in images]
        multiple = max(self._strides)
        fine = self._search(fitted, output)
        coarse = self._search([one.smaller(COARSE, multiple) for one in fitted], output)
        merged = []
        for image, near, far in zip(images, fine, coarse, strict=True):
            large = LARGE * max(image.shape[:2])
            small_ones = near.only(np.sqrt(areas(near.wider)) < large)
            merged.append(small_ones.joined(far.only(np.sqrt(areas(far.wider)) >= 0.8 * large)))
        return [(found.boxes, found.scores) for found in merged]

    def _search(self, fitted: Sequence[Letterbox], output: str) -> list[_Found]:
        """What there is in each picture; those of one shape run together."""
        alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, letterbox in enumerate(fitted):
            alike[letterbox.pixels.shape].append(i)
        found: dict[int, _Found] = {}
        for indices in alike.values():
            for first in range(0, len(indices), BATCH):
                batch = indices[first : first + BATCH]
                outputs = self._runtime.run(np.stack([fitted[i].pixels for i in batch]))
                for row, i in enumerate(batch):
                    one = {name: values[row] for name, values in outputs.items()}
                    found[i] = self._faces(one, fitted[i], output)
        return [found[i] for i in range(len(fitted))]

    def zoom(self, image: Pixels) -> float:
        """Pixels at work a pixel of the picture."""
        return float(min(self._size / max(image.shape[:2]), LARGEST_ZOOM))

    def _fit(self, image: Pixels, share: float) -> Letterbox:
        size = share * self.zoom(image) * max(image.shape[:2])
        return Letterbox.fit(image, max(1, round(size)), max(self._strides))

    def _faces(self, outputs: dict[str, Array], letterbox: Letterbox, output: str) -> _Found:
        height, width = letterbox.pixels.shape[:2]
        cells = cell_grid(height, width, self._strides)
        logit = self._slope * outputs["score"] + self._offset
        if self._size_slope:
            octaves = np.log2(cells[:, 2]) + outputs["box"][:, 2:].mean(axis=-1) / np.log(2)
            logit = logit + self._size_slope * size_feature(octaves)
        score = 1 / (1 + np.exp(-logit))
        sure = score >= self._least_score
        wider, boxes = (decode(outputs[name][sure], cells[sure]) for name in ("box", output))
        if output == "landmark_box":
            small = np.sqrt(areas(wider)) < SMALL
            boxes[small] = wider_to_landmark(wider[small])
        wider, boxes = letterbox.to_picture(wider), letterbox.to_picture(boxes)
        return _Found(wider, boxes, score[sure]).voted()


def size_feature(octaves: Array) -> Array:
    """What the calibration of scores sees of sizes given as log2 of the side in pixels at work.

    Of two boxes with one logit, the smaller is right less often: it is harder to place, and more
    things look like it. From `SIZELESS` on, the size says nothing.
    """
    return np.asarray(np.minimum(octaves - np.log2(SIZELESS), 0.0))


@dataclass(frozen=True)
class _Found:
    """Boxes (D, 4) as WIDER FACE has them, boxes to give (D, 4), scores (D,)."""

    wider: Array
    boxes: Array
    scores: Array

    def only(self, chosen: NDArray[np.generic]) -> _Found:
        """These of them, by index or mask."""
        return _Found(self.wider[chosen], self.boxes[chosen], self.scores[chosen])

    def suppressed(self) -> _Found:
        """One box a face, best first."""
        return self.only(suppress(self.wider, self.scores, NMS_IOU))

    def voted(self) -> _Found:
        """One box a face, best first: the mean of the boxes that agree on it, by score and IoU."""
        best = suppress(self.wider, self.scores, NMS_IOU)
        overlap = pairwise_iou(self.wider[best], self.wider)
        weight = np.where(overlap >= VOTE_IOU, overlap * self.scores, 0.0)
        weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
        return _Found(weight @ self.wider, weight @ self.boxes, self.scores[best])

    def joined(self, other: _Found) -> _Found:
        """Both, one box a face, best first."""
        return _Found(
            np.concatenate([self.wider, other.wider]),
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.scores, other.scores]),
        ).suppressed()


def open_detector(
    name: str | Path,
    size: int = DETECT_SIZE,
    least_score: float = LEAST_SCORE,
    *,
    runtime: str = AUTO,
    threads: int = 0,
) -> FaceDetector:
    """The detector of a bundle folder or an embedded one's name.

    Raises
    ------
    ModelError
        If it is no bundle of a detector, or cannot be run here.
    """
    bundle = ModelBundle.open(name)
    if bundle.card.task != DETECTION or not bundle.card.strides:
        raise ModelError(
            f"{bundle.path}: not a face detector",
            expected=f"a bundle whose card says task: {DETECTION}, with strides",
            actual=f"task: {bundle.card.task}",
        )
    return FaceDetector(bundle.card, open_runtime(bundle, runtime, threads), size, least_score)


def create(argument: str | None, size: int = DETECT_SIZE) -> FaceDetector:
    """The embedded detector, or the one in the bundle folder ``argument``."""
    return open_detector(argument or BUNDLE, size)
