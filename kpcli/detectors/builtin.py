"""kpcli's own face detector, embedded: made for the landmark models, needs no TensorFlow."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.boxes import (
    Array,
    areas,
    face_boxes,
    pairwise_iou,
    suppress,
    turned_back,
    wider_to_landmark,
)
from kpcli.cells import cell_grid, decode
from kpcli.errors import ModelError
from kpcli.letterbox import Letterbox, tiles
from kpcli.model_bundle import DETECTION, ModelBundle, ModelCard
from kpcli.options import AUTO, DETECT_SIZE
from kpcli.plug_ins import Runtime
from kpcli.runtimes import open_runtime
from kpcli.types import FaceBox, Frame, Pixels

GIVEN = False

BUNDLE = "face_detector"
LEAST_SCORE = 0.55
"""Scores are calibrated: of boxes with this score, about half are faces. The landmark model sees
more of them and tells them from the others (``--min-confidence``). From here on, 24
false faces are found in 195 pictures without a face, and 3 pass its gate; of the true ones from 24
pixels, 534 pass (tests/benchmarks/false_alarms.py)."""
UPRIGHT = 0.9
"""With a face of this score a picture is taken to stand upright: faces on their side score less."""
TURNED = 0.8
"""Faces of a turned picture need this score: few things that are no faces have it,"""
TURNED_ODDS = 3.0
"""and so many times the odds of the best face of the picture as it is: so none of 604 upright faces
is taken for a turned one, and two are with 1 (tests/benchmarks/turned_pictures.py)."""
PROBE = 0.5
"""Which side is up shows at this share of the working size too,"""
PROMISING = 0.5
"""by a face of this score."""
TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}
NMS_IOU = 0.55
VOTE_IOU = 0.7
"""Boxes that overlap a face's best one so much have a say in where it lies. Both limits were chosen
by average precision on pictures of WIDER FACE that the detector was trained on."""
LARGEST_ZOOM = 4.0
"""Small pictures are enlarged so much at most."""
BATCH = 4
"""Pictures at once: more find no room in the processor's cache."""
CLEAR, CLEAR_SCORE = 16.0, 0.7
"""Pixels (root of the area, at the coarse look's size) and score of a face that the coarse look
settles."""
DOUBT = 0.006
"""Score from which on something in the coarse look may be a face. Where all that there is is clear
and one face `UPRIGHT`, it is enough: so in 191 of 300 portraits of 640 pixels, of whose 197 faces
it lacks none, and in 72 of 592 pictures of WIDER FACE, 4 of 91 (tests/benchmarks/coarse_look.py).
With 0.03 it would be more often so, and lack more."""
WHOLE = 160.0
"""Pixels at work up to which the network sees a face whole (root of its box's area)."""
COARSE = 0.4
"""Share of the working size at which larger faces are looked for, and every picture first;
nothing is enlarged for it."""
VANISHING = 0.152
"""A picture that is scaled to less than this is looked at in tiles too, for its small faces; those
of 12 megapixels, the most common ones, need none."""
FINEST = 0.3
"""Scale of the tiles. Of 129 faces of 100 pixels in 40 megapixels, 44 were found without tiles, 99,
115, 119 and 125 with tiles at 0.16, 0.2, 0.25 and 0.3 (``tests/benchmarks/large_pictures.py``)."""
SHARED = 128
"""Pixels at work that two tiles share; larger faces are seen in the whole picture."""
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

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """Boxes tight around the landmarks; see `kpcli.plug_ins.Detector`.

        A coarse look comes first, and the fine one only where that saw small, doubtful or no
        faces. A picture in which no upright face is found for sure is searched again lying on
        either side and upside down. The side whose best face scores highest counts, if it is much
        surer.
        """
        images = [frame.pixels for frame in frames]
        found = [one.given(self._least_score) for one in self._where_needed(images)]
        for i, (_, scores) in enumerate(found):
            if max(scores, default=0.0) < UPRIGHT:
                turned = self._turned(images[i])
                if _surer(max(turned[1], default=0.0), max(scores, default=0.0)):
                    found[i] = turned
        return [face_boxes(*one) for one in found]

    def glance(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        """What the coarse look alone finds: no small faces, and none that lie on their side."""
        fitted = [self._coarse(frame.pixels) for frame in frames]
        glances = self._search(fitted, self._output, self._least_score)
        return [face_boxes(one.boxes, one.scores) for one in glances]

    def shrink(self, width: int, height: int) -> int:
        """See `kpcli.plug_ins.ShrinkingDetector`."""
        side = max(width, height)
        # A quarter takes hardly less time than a half, and more faces are too small then.
        return 2 if side >= 2 * self._size and not self._vanishing(side) else 1

    def _where_needed(self, images: Sequence[Pixels]) -> list[_Found]:
        """The coarse look's faces of pictures that it settles, else the fine one's too."""
        coarse = [self._coarse(image) for image in images]
        found = self._search(coarse, self._output, DOUBT)
        unsettled = [
            i
            for i, (one, image) in enumerate(zip(found, images, strict=True))
            if not _settled(one, max(coarse[i].scale)) or self._vanishing(max(image.shape))
        ]
        doubtful = [images[i] for i in unsettled]
        fitted = [self._fit(image) for image in doubtful]
        finer = self._fine(doubtful, fitted, [found[i] for i in unsettled], self._output)
        for i, one in zip(unsettled, finer, strict=True):
            found[i] = one
        return found

    def _turned(self, image: Pixels) -> tuple[Array, Array]:
        """What there is in the picture turned by quarters, boxes in the picture as it is."""
        small = image
        if max(image.shape) > 4 * self._size:  # three copies of a large picture take too much
            small = Letterbox.fit(image, 2 * self._size, 1).pixels
        probes = self.arrays([_quarter_turned(small, k) for k in TURNS], self._output, PROBE)
        tops = {k: max(probe[1], default=0.0) for k, probe in zip(TURNS, probes, strict=True)}
        best = max(tops, key=lambda k: tops[k])
        if tops[best] < PROMISING:
            return np.zeros((0, 4)), np.zeros(0)
        ((boxes, scores),) = self.arrays([_quarter_turned(image, best)], self._output)
        return turned_back(boxes, best, image.shape[1], image.shape[0]), scores

    def arrays(
        self, images: Sequence[Pixels], output: str, share: float = 1.0
    ) -> list[tuple[Array, Array]]:
        """Boxes (D, 4) and scores (D,) of each picture, best first.

        ``output`` is ``landmark_box``, or ``box`` for boxes as WIDER FACE has them; ``share`` is
        what part of the working size is enough.
        """
        fitted = [self._fit(image, share) for image in images]
        coarse = [self._coarse(image, share) for image in images]
        far = self._search(coarse, output, self._least_score)
        merged = self._fine(images if share == 1.0 else (), fitted, far, output)
        return [(found.boxes, found.scores) for found in merged]

    def _fine(
        self,
        images: Sequence[Pixels],
        fitted: Sequence[Letterbox],
        far: Sequence[_Found],
        output: str,
    ) -> list[_Found]:
        """The faces of each picture, those that are too large by the coarse look.

        ``images``: the pictures, if those so large that small faces vanish are to be looked at in
        tiles.
        """
        near = self._search(fitted, output, self._least_score)
        merged = []
        for one, fine, coarse in zip(fitted, near, far, strict=True):
            large = WHOLE / max(one.scale)
            coarse = coarse.only(coarse.scores >= self._least_score)
            small_ones = fine.only(fine.sizes < large)
            merged.append(small_ones.joined(coarse.only(coarse.sizes >= 0.8 * large)))
        for i, image in enumerate(images):
            if self._vanishing(max(image.shape)):
                merged[i] = self._finer(image, merged[i], output)
        return merged

    def _vanishing(self, side: int) -> bool:
        """Whether a picture's long side is such that small faces vanish at the working size.

        Whoever asks for less than the usual size wants speed: then none is.
        """
        return DETECT_SIZE <= self._size < VANISHING * side

    def _finer(self, image: Pixels, found: _Found, output: str) -> _Found:
        """With the small faces of a very large picture."""
        parts = tiles(image, round(DETECT_SIZE / FINEST), round(SHARED / FINEST))
        multiple = max(self._strides)
        fitted = [Letterbox.fit(p, round(max(p.shape) * FINEST), multiple) for _, _, p in parts]
        for (left, top, part), one in zip(
            parts, self._search(fitted, output, self._least_score), strict=True
        ):
            found = found.joined(_whole(one, left, top, part, image))
        return found

    def _coarse(self, image: Pixels, share: float = 1.0) -> Letterbox:
        """A picture at the coarse look's size, or as it is where that is less."""
        side = max(image.shape[:2])
        size = min(COARSE * share * self.zoom(image) * side, side)
        return Letterbox.fit(image, max(1, round(size)), max(self._strides))

    def _search(self, fitted: Sequence[Letterbox], output: str, least: float) -> list[_Found]:
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
                    found[i] = self._faces(one, fitted[i], output, least)
        return [found[i] for i in range(len(fitted))]

    def zoom(self, image: Pixels) -> float:
        """Pixels at work a pixel of the picture."""
        return float(min(self._size / max(image.shape[:2]), LARGEST_ZOOM))

    def _fit(self, image: Pixels, share: float = 1.0) -> Letterbox:
        size = share * self.zoom(image) * max(image.shape[:2])
        return Letterbox.fit(image, max(1, round(size)), max(self._strides))

    def _faces(
        self, outputs: dict[str, Array], letterbox: Letterbox, output: str, least: float
    ) -> _Found:
        height, width = letterbox.pixels.shape[:2]
        cells = cell_grid(height, width, self._strides)
        logit = self._slope * outputs["score"] + self._offset
        wanted = math.log(least / (1 - least)) if 0 < least < 1 else -math.inf
        # A box's size takes from its score, if anything: hardly a cell needs a closer look.
        sure = np.flatnonzero(logit >= wanted) if self._size_slope >= 0 else np.arange(len(logit))
        cells, logit = cells[sure], logit[sure]
        if self._size_slope:
            octaves = np.log2(cells[:, 2]) + outputs["box"][sure, 2:].mean(axis=-1) / np.log(2)
            logit = logit + self._size_slope * size_feature(octaves)
        score = 1 / (1 + np.exp(-logit))
        kept = score >= least
        sure, score = sure[kept], score[kept]
        wider, boxes = (decode(outputs[name][sure], cells[kept]) for name in ("box", output))
        if output == "landmark_box":
            small = np.sqrt(areas(wider)) < SMALL
            boxes[small] = wider_to_landmark(wider[small])
        wider, boxes = letterbox.to_picture(wider), letterbox.to_picture(boxes)
        return _Found(wider, boxes, score).voted()


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

    @property
    def sizes(self) -> Array:
        """Roots of the boxes' areas in pixels of the picture."""
        return np.asarray(np.sqrt(areas(self.wider)))

    def given(self, least_score: float) -> tuple[Array, Array]:
        """The boxes and scores to give, from a score on."""
        sure = self.scores >= least_score
        return self.boxes[sure], self.scores[sure]

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


def _settled(coarse: _Found, scale: float) -> bool:
    """Whether the coarse look, of ``scale`` pixels a pixel of the picture, is enough."""
    scores, sizes = coarse.scores, coarse.sizes * scale
    clear = (scores >= CLEAR_SCORE) & (sizes >= CLEAR)
    return bool(max(scores, default=0.0) >= UPRIGHT and clear.all())


def _surer(turned: float, upright: float) -> bool:
    """Whether the best face of a turned picture counts, not that of the picture as it is."""
    return turned > TURNED and turned * (1 - upright) > TURNED_ODDS * upright * (1 - turned)


def _quarter_turned(image: Pixels, quarters: int) -> Pixels:
    """As np.rot90, of which a copy takes 20 times as long where the picture is large."""
    return np.asarray(cv2.rotate(image, TURNS[quarters]), np.uint8)


def _whole(found: _Found, left: int, top: int, part: Pixels, image: Pixels) -> _Found:
    """The small faces of a tile, placed in the picture, less those that its edge cuts."""
    offset = np.array([left, top, left, top])
    height, width = part.shape[:2]
    reach = np.array([left, top, image.shape[1] - left - width, image.shape[0] - top - height])
    inner = np.where(reach > 0, 1.0, -np.inf)  # pixels from an edge that another tile is behind
    gaps = np.stack([
        found.wider[:, 0], found.wider[:, 1],
        width - 1 - found.wider[:, 2], height - 1 - found.wider[:, 3],
    ], axis=1)  # fmt: skip
    chosen = (gaps >= inner).all(axis=1) & (np.sqrt(areas(found.wider)) < SHARED / FINEST)
    kept = found.only(chosen)
    return _Found(kept.wider + offset, kept.boxes + offset, kept.scores)


def open_detector(
    name: str | Path,
    size: int = DETECT_SIZE,
    least_score: float = LEAST_SCORE,
    *,
    runtime: str = AUTO,
    threads: int = 0,
    device: str = AUTO,
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
    opened = open_runtime(bundle, runtime, threads, device)
    return FaceDetector(bundle.card, opened, size, least_score)


def create(argument: str | None, size: int = DETECT_SIZE, device: str = AUTO) -> FaceDetector:
    """The embedded detector, or the one in the bundle folder ``argument``."""
    return open_detector(argument or BUNDLE, size, device=device)
