"""Frames in, faces with landmarks out: detection, crops, prediction in batches, ids."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kpcli.catalogue import Detector
from kpcli.geometry import CropTransform
from kpcli.model_bundle import ModelCard
from kpcli.options import AnnotateOptions
from kpcli.tracking import Tracker
from kpcli.types import FaceBox, Frame, Pixels, Prediction

MAX_FRAMES = 16
"""Frames that are held for one batch."""
MAX_HELD_PIXELS = 24_000_000
"""A batch ends early where its frames hold more pixels than this."""

Annotated = tuple[Frame, tuple[Prediction, ...]]


class Faces(Protocol):
    """What a predictor says of B crops; see `kpcli.predictor.PredictedFaces`."""

    @property
    def unit(self) -> NDArray[np.float32]: ...
    @property
    def scores(self) -> NDArray[np.float32]: ...
    @property
    def confidence(self) -> NDArray[np.float32]: ...


class FacePredictor(Protocol):
    """What annotation needs of `kpcli.predictor.Predictor`."""

    card: ModelCard

    def predict(self, crops: Pixels) -> Faces:
        """Landmarks of crops (B, S, S, 3) uint8 RGB."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A face box of one of the batch's frames, and its crop."""

    frame: int
    box: FaceBox
    transform: CropTransform
    crop: Pixels


class FaceAnnotator:
    """Finds the faces of frames and their landmarks, many frames at a time."""

    def __init__(
        self, detector: Detector, predictor: FacePredictor, options: AnnotateOptions
    ) -> None:
        self._detector = detector
        self._predictor = predictor
        self._options = options
        self._tracker = Tracker()
        self._tracked: Path | None = None

    def annotate(self, frames: Iterable[Frame]) -> Iterator[Annotated]:
        """Each frame with its faces by id, in the order of the frames; memory is bounded.

        Which frames share a batch depends only on the sequence of frames.
        """
        self._tracker, self._tracked = Tracker(), None
        for batch in _batches(frames):
            yield from self._annotate(batch)

    def _annotate(self, frames: Sequence[Frame]) -> Iterator[Annotated]:
        found = self._find(frames)
        faces: list[list[Prediction]] = [[] for _ in frames]
        size = max(1, self._options.batch_size)
        for start in range(0, len(found), size):
            part = found[start : start + size]
            predicted = self._predictor.predict(np.stack([f.crop for f in part]))
            for i, face in enumerate(part):
                confidence = float(predicted.confidence[i])
                if confidence >= self._options.min_confidence:
                    points = face.transform.to_frame(predicted.unit[i])
                    faces[face.frame].append(
                        _prediction(
                            frames[face.frame], face.box, points, predicted.scores[i], confidence
                        )
                    )
        for frame, mine in zip(frames, faces, strict=True):
            yield frame, self._numbered(frame, self._best(mine))

    def _find(self, frames: Sequence[Frame]) -> list[_Found]:
        card = self._predictor.card
        boxes = self._detector.detect(
            [f.pixels for f in frames], [(f.source, f.index) for f in frames]
        )
        found = []
        for i, (frame, mine) in enumerate(zip(frames, boxes, strict=True)):
            for box in mine:
                if math.isfinite(box.side) and box.side > 0:
                    transform = CropTransform.from_box(box, card.input_size, card.crop_scale)
                    found.append(_Found(i, box, transform, transform.to_crop(frame.pixels)))
        return found

    def _best(self, faces: list[Prediction]) -> list[Prediction]:
        limit = self._options.max_faces
        if not limit or len(faces) <= limit:
            return faces
        order = sorted(range(len(faces)), key=lambda i: (-faces[i].confidence, i))
        return [faces[i] for i in sorted(order[:limit])]

    def _numbered(self, frame: Frame, faces: list[Prediction]) -> tuple[Prediction, ...]:
        """Ids: of a still picture by the detector's order, of a video by its tracks."""
        if not frame.moving:
            return tuple(replace(face, track=i) for i, face in enumerate(faces))
        if frame.source != self._tracked:
            self._tracker, self._tracked = Tracker(), frame.source
        ids = self._tracker.update([face.face for face in faces], frame.seconds)
        numbered = [replace(f, track=i) for f, i in zip(faces, ids, strict=True)]
        return tuple(sorted(numbered, key=lambda face: face.track))


def _batches(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    batch: list[Frame] = []
    held = 0
    for frame in frames:
        batch.append(frame)
        held += frame.pixels.shape[0] * frame.pixels.shape[1]
        if len(batch) >= MAX_FRAMES or held >= MAX_HELD_PIXELS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _prediction(
    frame: Frame,
    box: FaceBox,
    points: NDArray[np.float32],
    scores: NDArray[np.float32],
    confidence: float,
) -> Prediction:
    return Prediction(
        frame.source, frame.index, frame.seconds, box, points, scores, confidence, track=0
    )
