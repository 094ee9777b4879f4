"""Frames in, faces with landmarks out: detection, crops, prediction in batches, ids."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.boxes import suppress
from kpcli.catalogue import DETECTORS
from kpcli.choices import checked
from kpcli.detectors import create_detector
from kpcli.errors import InputError
from kpcli.inference.appearance import thumbnail
from kpcli.inference.head_pose import head_pose
from kpcli.inference.identity import Scene, Tracker, same_scene, scene_of
from kpcli.inference.measures import measure
from kpcli.inference.propagation import Follower
from kpcli.inference.smoothing import OneEuro
from kpcli.inference.suitability import check_detector
from kpcli.inference.upright import FacePredictor, Look, landmarks
from kpcli.model_bundle import ModelBundle
from kpcli.options import NO_SMOOTHING, FaceOptions
from kpcli.plug_ins import Detector, GlancingDetector, ShrinkingDetector
from kpcli.schemes import IBUG68
from kpcli.sources import read_frames
from kpcli.sources.picture import picture_frames
from kpcli.types import Face, FaceBox, Frame, FrameFaces, Pixels

EDGE = 0.05
"""A face so near to the picture's edge, in its sides, may go on behind it."""
NESTED = 0.75
"""Share of a face's box inside another face's from which on the two are one face."""
MAX_FRAMES = 16
"""Most frames that are held for one batch."""
MAX_HELD_PIXELS = 24_000_000
"""Pixels of its frames from which on a batch is full."""

Found = tuple[Frame, tuple[Face, ...]]


class FaceFinder:
    """Finds the faces of frames and their landmarks.

    Parameters
    ----------
    options : FaceOptions, optional
    detector, predictor : optional
        Used instead of those that the options name.
    **choices
        Fields of `FaceOptions`, instead of those of ``options``.

    Attributes
    ----------
    card : ModelCard
        The model's.
    scheme : LandmarkScheme
        Of the points.
    runtime_line : str
        Which library runs the model, and on what device.

    Raises
    ------
    KpcliError
        If the model or the detector cannot be used.

    Examples
    --------
    >>> finder = FaceFinder(model="large")
    >>> faces = finder.picture("portrait.jpg")
    >>> faces[0].points  # (68, 2), pixels
    >>> for frame in finder.video("clip.mp4"):
    ...     print(frame.seconds, [face.track for face in frame.faces])
    """

    def __init__(
        self,
        options: FaceOptions | None = None,
        *,
        detector: Detector | str | None = None,
        predictor: FacePredictor | None = None,
        **choices: Any,
    ) -> None:
        options = options or FaceOptions()
        if isinstance(detector, str):
            choices["detector"], detector = detector, None
        self.options = options = replace(options, **checked(FaceOptions, choices))
        self._detector = detector or create_detector(
            options.detector, options.detect_size, options.device
        )
        self._take(predictor or _predictor(options))
        self._smooth = options.smooth != NO_SMOOTHING
        # Boxes that are given are not to be improved upon, unless they are few.
        self._given = DETECTORS.load(options.detector.partition(":")[0]).GIVEN
        self._following = options.detect_every > 1 or not self._given
        # Without a cheap look, "where something changes" is every frame.
        self._glancing = self._detector if isinstance(self._detector, GlancingDetector) else None
        self._every = options.detect_every or (0 if self._glancing else 1)
        self._begin(None)

    def use_model(self, model: str) -> None:
        """Another model from the next frame on; the faces keep their ids.

        Raises
        ------
        KpcliError
            If it cannot be used; then the old one stays.
        """
        options = replace(self.options, model=model)
        predictor = _predictor(options)
        check_detector(predictor.card, options.detector)
        before = self.scheme
        self.options = options
        self._take(predictor)
        if self.scheme != before:
            self._follower = Follower(self._every, self.scheme)
            self._filters.clear()

    def _take(self, predictor: FacePredictor) -> None:
        self._predictor = predictor
        self.card = predictor.card
        self.scheme = predictor.card.landmark_scheme
        self.runtime_line = str(getattr(predictor, "runtime_line", ""))
        self._pose = self.options.pose and self.scheme.name == IBUG68.name

    def picture(self, picture: str | Path | Pixels) -> tuple[Face, ...]:
        """The faces of a file, or of pixels (H, W, 3) uint8 RGB, best first.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        if isinstance(picture, (str, Path)):
            # As `kpcli annotate` reads it; of an animation, the first frame.
            frame = next(picture_frames(Path(picture), shrink=self.shrink))
            frame = replace(frame, moving=False)
        else:
            frame = Frame.still(Path(), np.asarray(picture, np.uint8))
        ((_, faces),) = self.find([frame])
        return faces

    def video(self, path: str | Path) -> Iterator[FrameFaces]:
        """The faces of each frame of a video, one frame at a time.

        Raises
        ------
        InputError
            If the file cannot be read, or not to its end.
        """
        for frame, faces in self.find(read_frames(Path(path))):
            yield FrameFaces.of(frame, faces, str(path))

    def shrink(self, width: int, height: int) -> int:
        """At which part of its size a picture may be read; see `kpcli.sources.read_frames`.

        Faces that are then too small for the model's crops are cut from the picture read anew.
        """
        if isinstance(self._detector, ShrinkingDetector):
            return self._detector.shrink(width, height)
        return 1

    def find(self, frames: Iterable[Frame]) -> Iterator[Found]:
        """Each frame with its faces by id, in the order of the frames; memory is bounded.

        Which frames share a batch depends only on the sequence of frames.
        """
        self._begin(None)
        for batch in _batches(frames):
            found = iter(self._stills([frame for frame in batch if not self._follows(frame)]))
            for frame in batch:
                if self._follows(frame):
                    yield frame, self.follow(frame)
                else:
                    yield frame, self._given_out(frame, next(found))

    def follow(self, frame: Frame) -> tuple[Face, ...]:
        """The faces of a video's next frame, by id; a frame of another source begins anew."""
        if frame.source != self._tracked:
            self._begin(frame.source)
        if not self._follows(frame):
            (faces,) = self._stills([frame])
            return self._given_out(frame, faces)
        return self._given_out(frame, self._where_they_went(frame))

    def _begin(self, source: Path | None) -> None:
        """Forget the faces of the last video."""
        self._tracked = source
        self._tracker = Tracker()
        self._filters: defaultdict[int, OneEuro] = defaultdict(OneEuro)
        self._follower = Follower(self._every, self.scheme)
        self._scene: Scene | None = None

    def _follows(self, frame: Frame) -> bool:
        return frame.moving and self._following

    def _given_out(self, frame: Frame, faces: list[Face]) -> tuple[Face, ...]:
        """What is told of a frame: the faces that are kept, with ids and what else is wanted."""
        if frame.moving and frame.source != self._tracked:
            self._begin(frame.source)
        numbered = self._numbered(frame, self._kept(faces))
        near = _reread(frame) if numbered and self.options.measures else frame
        return tuple(self._enriched(near, face) for face in numbered)

    def _stills(self, frames: Sequence[Frame]) -> list[list[Face]]:
        """The faces of frames that are for themselves, in pixels of the pictures."""
        found = self._predict(frames, self._detect(frames))
        faces = []
        for frame, mine in zip(frames, found, strict=True):
            large = [_enlarged(face, frame.shrunk) for face in mine]
            coarse = [i for i, face in enumerate(mine) if frame.shrunk > 1 and self._coarse(face)]
            if coarse:
                (again,) = self._predict([_reread(frame)], [[large[i].box for i in coarse]])
                for i, face in zip(coarse, again, strict=True):
                    large[i] = face
            faces.append(large)
        return faces

    def _coarse(self, face: Face) -> bool:
        """Whether something that may be a face has fewer pixels than the model's crop."""
        few = face.box.side * self.card.crop_scale < self.card.input_size
        return few and face.confidence >= self.options.min_confidence / 2

    def _detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        found = self._detector.detect(frames) if frames else []
        return [[b for b in mine if math.isfinite(b.side) and b.side > 0] for mine in found]

    def _predict(
        self, frames: Sequence[Frame], boxes: Sequence[Sequence[FaceBox]]
    ) -> list[list[Face]]:
        """The faces in the boxes of each frame, in their order."""
        owners = [i for i, mine in enumerate(boxes) for _ in mine]
        looks = [Look(frames[i].pixels, box) for i, mine in enumerate(boxes) for box in mine]
        faces: list[list[Face]] = [[] for _ in frames]
        found = landmarks(self._predictor, looks, self.options.batch_size)
        for i, face in zip(owners, found, strict=True):
            faces[i].append(face)
        return faces

    def _where_they_went(self, frame: Frame) -> list[Face]:
        """The faces of a video's next frame: where the last ones went, and new ones."""
        scene, seconds = scene_of(frame.pixels), frame.seconds
        if self._scene is not None and not same_scene(self._scene, scene):
            self._follower = Follower(self._every, self.scheme)
        self._scene = scene
        follower = self._follower
        lost: set[int] = set()
        if not follower.due(seconds) and not self._changed(frame):
            faces = self._followed(frame, follower.expected())
            lost = follower.lost(faces)
            if not lost:
                return follower.saw(faces, seconds)
        (detected,) = self._detect([frame])
        faces = self._followed(frame, follower.joined(detected, seconds, lost))
        return follower.saw(faces, seconds)

    def _followed(self, frame: Frame, boxes: Sequence[FaceBox]) -> list[Face]:
        """The faces where the follower says that they should be."""
        looks = [
            Look(frame.pixels, box, points=hint.points, sides=hint.sides)
            for box, hint in zip(boxes, self._follower.hints(), strict=True)
        ]
        return landmarks(self._predictor, looks, self.options.batch_size)

    def _changed(self, frame: Frame) -> bool:
        """Whether a cheap look, where one is due, sees what the last frames did not."""
        if self._glancing is None or not self._follower.glance_due(frame.seconds):
            return False
        (boxes,) = self._glancing.glance([frame])
        return self._follower.glanced(boxes, frame.seconds)

    def _kept(self, faces: list[Face]) -> list[Face]:
        """Those that are sure enough, one a face, and of them the surest, in their order."""
        faces = [f for f in faces if f.confidence >= self.options.min_confidence]
        if not self._given:
            faces = _one_each(faces)
        limit = self.options.max_faces
        if not limit or len(faces) <= limit:
            return faces
        order = sorted(range(len(faces)), key=lambda i: (-faces[i].confidence, i))
        return [faces[i] for i in sorted(order[:limit])]

    def _numbered(self, frame: Frame, faces: list[Face]) -> list[Face]:
        """Ids: of a still picture by the detector's order, of a video by its tracks."""
        if not frame.moving:
            return [replace(face, track=i) for i, face in enumerate(faces)]
        scene = scene_of(frame.pixels) if self._scene is None else self._scene
        looks = [thumbnail(frame.pixels, face.points, self.scheme) for face in faces]
        cut = [_cut_off(face.box, frame.pixels) for face in faces]
        ids = self._tracker.update([f.box for f in faces], frame.seconds, scene, looks, cut)
        numbered = [replace(f, track=i) for f, i in zip(faces, ids, strict=True)]
        return sorted(numbered, key=lambda face: face.track)

    def _enriched(self, frame: Frame, face: Face) -> Face:
        """The face with its pose, its smoothed points and its measures, where they are wanted."""
        if self._pose:
            width, height = frame.size
            face = replace(face, pose=head_pose(face.points, width, height))
        if self._smooth:
            points = face.points
            if frame.moving:
                points = self._filters[face.track](points, face.box.side, frame.seconds)
            face = replace(face, smoothed=points)
        if self.options.measures:
            face = replace(face, measures=measure(face, self.scheme, frame.pixels))
        return face


def _predictor(options: FaceOptions) -> FacePredictor:
    from kpcli.inference.predictor import Predictor

    bundle = ModelBundle.open(options.model)
    return Predictor(bundle, options.runtime, tta=options.tta, device=options.device)


def find_faces(picture: str | Path | Pixels, **choices: Any) -> tuple[Face, ...]:
    """The faces of one picture: a file, or pixels (H, W, 3) uint8 RGB.

    For many pictures make a `FaceFinder` once and call its `picture`.

    Parameters
    ----------
    picture : str, Path or array
    **choices
        Fields of `kpcli.FaceOptions`, such as ``model="large"`` or ``detector="haar"``.

    Raises
    ------
    KpcliError
        If the picture, the model or the detector cannot be used.

    Examples
    --------
    >>> faces = find_faces("portrait.jpg")
    >>> faces[0].points.shape
    (68, 2)
    """
    return FaceFinder(**choices).picture(picture)


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


def _reread(frame: Frame) -> Frame:
    """The frame with all its pixels; enlarged, if its file can no longer be read.

    That it has changed is told where it was read.
    """
    try:
        return frame.whole()
    except InputError:
        pixels = frame.pixels.repeat(frame.shrunk, axis=0).repeat(frame.shrunk, axis=1)
        return Frame(frame.source, frame.index, frame.seconds, pixels, frame.moving)


def _enlarged(face: Face, times: int) -> Face:
    """The face in a picture of so many times the size."""
    if times == 1:
        return face
    points = ((face.points + 0.5) * times - 0.5).astype(np.float32)
    left, top, right, bottom = ((corner + 0.5) * times - 0.5 for corner in face.box.corners)
    box = FaceBox(left, top, right, bottom, face.box.score)
    return replace(face, box=box, points=points)


def _cut_off(box: FaceBox, pixels: Pixels) -> bool:
    """Whether the picture's edge cuts a face: the points behind it are guesses, so is its look."""
    height, width = pixels.shape[:2]
    near = EDGE * box.side
    inside = box.left > near and box.top > near
    return not (inside and box.right < width - 1 - near and box.bottom < height - 1 - near)


def _one_each(faces: Sequence[Face]) -> list[Face]:
    """One of two whose boxes lie within each other: the surer, for a part may look like a whole."""
    boxes = np.array([face.box.corners for face in faces]).reshape(-1, 4)
    sure = np.array([f.confidence for f in faces])
    kept = suppress(boxes, sure, limit=1.0, nested=NESTED)
    return [faces[i] for i in sorted(kept)]
