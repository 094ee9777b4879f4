"""Predict every labelled face of a split: pictures to crops to landmarks in frame pixels."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpcli.dataset_csv import label_box
from kpcli.errors import InputError
from kpcli.images import read_image
from kpcli.inference.upright import FacePredictor, Look, landmarks
from kpcli.model_bundle import ModelCard
from kpcli.plug_ins import Detector
from kpcli.progress import progress
from kpcli.schemes import convert_points, key_of
from kpcli.types import FaceBox, Frame, Pixels, Points, Sample

BATCH = 64
MAX_HELD_BYTES = 2**28
"""Bytes of its pictures from which on a batch is full."""
PICTURES = 8
"""Most decoded pictures that wait at a time; this bounds the memory."""

MATCH_IOU = 0.4
"""A detected box belongs to a label if it overlaps the label's landmark box by more than this."""


@dataclass(frozen=True)
class ScoredFace:
    """One labelled face and what the model said of it.

    ``points`` (N, 2) are in frame pixels in the label's scheme, all NaN where the face was
    missed; ``box`` is the box that the crop was cut by, None where the face was missed.
    """

    sample: Sample
    points: Points
    box: FaceBox | None = None
    confidence: float = 0.0


@dataclass(frozen=True)
class Unreadable:
    """A labelled face that cannot be scored: its picture or its label is unusable."""

    sample: Sample
    reason: str


def predict_faces(
    samples: Sequence[Sample], predictor: FacePredictor, detector: Detector | None
) -> Iterator[ScoredFace | Unreadable]:
    """Every sample once, in no particular order; boxes are the labels' where no detector is."""
    waiting: list[tuple[Sample, Look]] = []
    held = 0
    for item in _looks(samples, predictor.card, detector):
        if isinstance(item, tuple):
            waiting.append(item)
            held += item[1].frame.nbytes
            if len(waiting) == BATCH or held > MAX_HELD_BYTES:
                yield from _predict(waiting, predictor)
                waiting, held = [], 0
        else:
            yield item
    if waiting:
        yield from _predict(waiting, predictor)


def _predict(
    waiting: Sequence[tuple[Sample, Look]], predictor: FacePredictor
) -> Iterator[ScoredFace]:
    faces = landmarks(predictor, [look for _, look in waiting], BATCH)
    source = key_of(predictor.card.landmark_scheme)
    for (sample, _), face in zip(waiting, faces, strict=True):
        points = convert_points(face.points, source, sample.scheme)
        yield ScoredFace(sample, points, face.box, face.confidence)


def _looks(
    samples: Sequence[Sample], card: ModelCard, detector: Detector | None
) -> Iterator[tuple[Sample, Look] | ScoredFace | Unreadable]:
    by_picture: dict[Path, list[Sample]] = {}
    for sample in samples:
        by_picture.setdefault(sample.image, []).append(sample)
    decoded = zip(by_picture, _decode(by_picture), strict=True)
    for path, pixels in progress(decoded, "scoring", total=len(by_picture), unit="picture"):
        here = by_picture[path]
        if isinstance(pixels, InputError):
            yield from (Unreadable(sample, pixels.what) for sample in here)
            continue
        size = (pixels.shape[1], pixels.shape[0])
        damaged = [s for s in here if not _spans_an_area(s)]
        yield from (Unreadable(s, f"{s.origin}: a label without a box area") for s in damaged)
        here = [s for s in here if _spans_an_area(s)]
        if detector is None:
            boxes: list[FaceBox | None] = [label_box(s, card.face_box, size) for s in here]
        else:
            found = detector.detect([Frame.still(path, pixels)])[0]
            boxes = match(here, found, card.face_box, size)
        for sample, box in zip(here, boxes, strict=True):
            if box is None:
                yield ScoredFace(sample, np.full_like(sample.points, np.nan))
            else:
                yield sample, Look(pixels, box)


def _spans_an_area(sample: Sample) -> bool:
    """Whether the label has boxes to cut and to match by."""
    labelled = sample.points[~np.isnan(sample.points).any(axis=1)]
    if len(np.unique(labelled, axis=0)) < 2 or sample.face is None:
        return False
    return sample.face.side > 0


def _decode(paths: Iterable[Path]) -> Iterator[Pixels | InputError]:
    """The pictures in order, decoded by threads, `PICTURES` ahead at most."""

    def read(path: Path) -> Pixels | InputError:
        try:
            return read_image(path)
        except InputError as e:
            return e

    waiting: deque[Future[Pixels | InputError]] = deque()
    with ThreadPoolExecutor(4) as pool:
        for path in paths:
            waiting.append(pool.submit(read, path))
            if len(waiting) >= PICTURES:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def match(
    samples: Sequence[Sample],
    detected: Sequence[FaceBox],
    face_box: str = "landmarks",
    size: tuple[int, int] = (0, 0),
) -> list[FaceBox | None]:
    """The detected box of each label of one picture, None where the detector missed the face.

    Pairs are taken by falling overlap with the label's box of the kind ``face_box``, that which
    the model was trained on (``size`` is the picture's), each box once, as long as
    the intersection over union is above `MATCH_IOU`: detectors frame faces differently, and a
    neighbour's box rarely overlaps by that much.
    """
    pairs = []
    for i, sample in enumerate(samples):
        truth = label_box(sample, face_box, size)
        if truth is not None:
            pairs += [(truth.iou(box), i, j) for j, box in enumerate(detected)]
    matched: list[FaceBox | None] = [None] * len(samples)
    taken: set[int] = set()
    for overlap, i, j in sorted(pairs, key=lambda pair: -pair[0]):
        if overlap > MATCH_IOU and matched[i] is None and j not in taken:
            matched[i] = detected[j]
            taken.add(j)
    return matched
