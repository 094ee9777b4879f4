"""Frames in, faces with landmarks out: detection, crops, prediction in batches, ids."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kpcli.boxes import suppress
from kpcli.catalogue import Detector, load
from kpcli.inference.head_pose import head_pose
from kpcli.inference.identity import Scene, Tracker, same_scene, scene_of
from kpcli.inference.propagation import Follower
from kpcli.inference.smoothing import OneEuro
from kpcli.inference.upright import FacePredictor, Look, Seen, landmarks
from kpcli.model_bundle import ModelCard
from kpcli.options import NO_SMOOTHING, AnnotateOptions
from kpcli.schemes import IBUG68
from kpcli.types import FaceBox, Frame, Prediction
from kpcli.writers.landmark_csv import Extra

NESTED = 0.75
"""Faces one of which has so much of its box in the other's are one."""
MAX_FRAMES = 16
"""Frames that are held for one batch."""
MAX_HELD_PIXELS = 24_000_000
"""A batch ends early where its frames hold more pixels than this."""

Annotated = tuple[Frame, tuple[Prediction, ...]]


def extras(options: AnnotateOptions, card: ModelCard) -> tuple[Extra, ...]:
    """The optional columns of a run; head pose is known of 68-point schemes only."""
    pose = options.pose and card.landmark_scheme.name == IBUG68.name
    wanted = {Extra.POSE: pose, Extra.SMOOTH: options.smooth != NO_SMOOTHING}
    return tuple(extra for extra in Extra if wanted[extra])


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
        # Boxes that are given are not to be improved upon, unless they are few.
        self._given = getattr(load("detector", options.detector.partition(":")[0]), "GIVEN", False)
        self._following = options.detect_every > 1 or not self._given
        self._begin(None)

    def _begin(self, source: Path | None) -> None:
        """Forget the faces of the last video."""
        self._tracked = source
        self._tracker = Tracker()
        self._filters: defaultdict[int, OneEuro] = defaultdict(OneEuro)
        self._follower = Follower(self._options.detect_every, self.scheme)
        self._scene: Scene | None = None

    def annotate(self, frames: Iterable[Frame]) -> Iterator[Annotated]:
        """Each frame with its faces by id, in the order of the frames; memory is bounded.

        Which frames share a batch depends only on the sequence of frames.
        """
        self._begin(None)
        for batch in _batches(frames):
            yield from self._annotate(batch)

    def _annotate(self, frames: Sequence[Frame]) -> Iterator[Annotated]:
        at_once = [frame for frame in frames if not (frame.moving and self._following)]
        found = iter(self._find(at_once))
        for frame in frames:
            if frame.moving and frame.source != self._tracked:
                self._begin(frame.source)
            faces = self._follow(frame) if frame.moving and self._following else next(found)
            numbered = self._numbered(frame, self._kept(faces))
            yield frame, tuple(self._enriched(frame, face) for face in numbered)

    def _find(self, frames: Sequence[Frame]) -> list[list[Prediction]]:
        """The faces that the detector sees in each frame."""
        return self._predict(frames, self._detect(frames))

    def _detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        sources = [(f.source, f.index) for f in frames]
        found = self._detector.detect([f.pixels for f in frames], sources)
        return [[b for b in mine if math.isfinite(b.side) and b.side > 0] for mine in found]

    def _predict(
        self, frames: Sequence[Frame], boxes: Sequence[Sequence[FaceBox]]
    ) -> list[list[Prediction]]:
        """The faces in the boxes of each frame, in their order."""
        owners = [i for i, mine in enumerate(boxes) for _ in mine]
        looks = [Look(frames[i].pixels, box) for i, mine in enumerate(boxes) for box in mine]
        faces: list[list[Prediction]] = [[] for _ in frames]
        seen = landmarks(self._predictor, looks, self._options.batch_size)
        for i, look, face in zip(owners, looks, seen, strict=True):
            faces[i].append(_prediction(frames[i], look.box, face))
        return faces

    def _follow(self, frame: Frame) -> list[Prediction]:
        """The faces of a video's next frame: where the last ones went, and new ones."""
        scene, seconds = scene_of(frame.pixels), frame.seconds
        if self._scene is not None and not same_scene(self._scene, scene):
            self._follower = Follower(self._options.detect_every, self.scheme)
        self._scene = scene
        follower = self._follower
        lost: set[int] = set()
        if not follower.due:
            (faces,) = self._predict([frame], [follower.expected()])
            lost = follower.lost(faces)
            if not lost:
                return follower.saw(faces, seconds)
        (detected,) = self._detect([frame])
        (faces,) = self._predict([frame], [follower.joined(detected, seconds, lost)])
        return follower.saw(faces, seconds)

    def _kept(self, faces: list[Prediction]) -> list[Prediction]:
        """Those that are sure enough, one a face, and of them the surest, in their order."""
        faces = [f for f in faces if f.confidence >= self._options.min_confidence]
        if not self._given:
            faces = _one_each(faces)
        limit = self._options.max_faces
        if not limit or len(faces) <= limit:
            return faces
        order = sorted(range(len(faces)), key=lambda i: (-faces[i].confidence, i))
        return [faces[i] for i in sorted(order[:limit])]

    def _numbered(self, frame: Frame, faces: list[Prediction]) -> list[Prediction]:
        """Ids: of a still picture by the detector's order, of a video by its tracks."""
        if not frame.moving:
            return [replace(face, track=i) for i, face in enumerate(faces)]
        scene = scene_of(frame.pixels) if self._scene is None else self._scene
        ids = self._tracker.update([face.face for face in faces], frame.seconds, scene)
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


def _one_each(faces: Sequence[Prediction]) -> list[Prediction]:
    """One of two whose boxes lie within each other: the surer, for a part may look like a whole."""
    boxes = np.array([(f.face.left, f.face.top, f.face.right, f.face.bottom) for f in faces])
    sure = np.array([f.confidence for f in faces])
    kept = suppress(boxes.reshape(-1, 4), sure, limit=1.0, nested=NESTED)
    return [faces[i] for i in sorted(kept)]


def _prediction(frame: Frame, box: FaceBox, face: Seen) -> Prediction:
    return Prediction(
        frame.source, frame.index, frame.seconds, box,
        face.points, face.scores, face.confidence, track=0,
    )  # fmt: skip
