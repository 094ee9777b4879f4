"""Frames in, faces with landmarks out: detection, crops, prediction in batches, ids."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kpcli.catalogue import Detector
from kpcli.geometry import CropTransform
from kpcli.head_pose import head_pose
from kpcli.model_bundle import ModelCard
from kpcli.options import NO_SMOOTHING, AnnotateOptions
from kpcli.schemes import IBUG68
from kpcli.smoothing import OneEuro
from kpcli.tracking import Tracker
from kpcli.types import FaceBox, Frame, Pixels, Prediction
from kpcli.writers.landmark_csv import Extra

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


def extras(options: AnnotateOptions, card: ModelCard) -> tuple[Extra, ...]:
    """The optional columns of a run; head pose is known of 68-point schemes only."""
    pose = options.pose and card.landmark_scheme.name == IBUG68.name
    wanted = {Extra.POSE: pose, Extra.SMOOTH: options.smooth != NO_SMOOTHING}
    return tuple(extra for extra in Extra if wanted[extra])


@dataclass(frozen=True, slots=True)
class _Found:
    """A face box of one of the batch's frames, and its crop."""

    frame: int
    box: FaceBox
    transform: CropTransform
    crop: Pixels


class FaceAnnotator:
    """Finds the faces of frames and their landmarks, many frames at a time.

    Attributes
    ----------
    scheme : LandmarkScheme
        Of the points.
    extras : tuple of Extra
        What the faces carry besides.
    runtime_line : str
        Which library runs the model, and on what device.
    """

    def __init__(
        self, detector: Detector, predictor: FacePredictor, options: AnnotateOptions
    ) -> None:
        self._detector = detector
        self._predictor = predictor
        self._options = options
        self.scheme = predictor.card.landmark_scheme
        self.extras = extras(options, predictor.card)
        self.runtime_line = str(getattr(predictor, "runtime_line", ""))
        self._begin(None)

    def _begin(self, source: Path | None) -> None:
        """Forget the faces of the last video."""
        self._tracked = source
        self._tracker = Tracker()
        self._filters: defaultdict[int, OneEuro] = defaultdict(OneEuro)

    def annotate(self, frames: Iterable[Frame]) -> Iterator[Annotated]:
        """Each frame with its faces by id, in the order of the frames; memory is bounded.

        Which frames share a batch depends only on the sequence of frames.
        """
        self._begin(None)
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
            numbered = self._numbered(frame, self._best(mine))
            yield frame, tuple(self._enriched(frame, face) for face in numbered)

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

    def _numbered(self, frame: Frame, faces: list[Prediction]) -> list[Prediction]:
        """Ids: of a still picture by the detector's order, of a video by its tracks."""
        if not frame.moving:
            return [replace(face, track=i) for i, face in enumerate(faces)]
        if frame.source != self._tracked:
            self._begin(frame.source)
        ids = self._tracker.update([face.face for face in faces], frame.seconds)
        numbered = [replace(f, track=i) for f, i in zip(faces, ids, strict=True)]
        return sorted(numbered, key=lambda face: face.track)

    def _enriched(self, frame: Frame, face: Prediction) -> Prediction:
        """The face with what the optional columns need."""
        if not self.extras:
            return face
        extra: dict[str, object] = {}
        if Extra.POSE in self.extras:
            height, width = frame.pixels.shape[:2]
            extra[Extra.POSE.value] = head_pose(face.points, width, height)
        if Extra.SMOOTH in self.extras:
            points = face.points
            if frame.moving:
                points = self._filters[face.track](points, face.face.side, frame.seconds)
            extra[Extra.SMOOTH.value] = points
        return replace(face, extra=extra)


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
