"""The values that flow through kpcli.

Pixels; origin at the centre of the top-left pixel; (x, y) order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""

Points = NDArray[np.float32]
"""(N, 2) float32, (x, y)."""


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face box in float pixels; ``right - left`` is its width."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 1.0

    @classmethod
    def from_xywh(
        cls, x: float, y: float, width: float, height: float, score: float = 1.0
    ) -> FaceBox:
        """The box of a corner, a width and a height."""
        return cls(x, y, x + width, y + height, score)

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def side(self) -> float:
        """Side of the box's square: the larger of width and height."""
        return max(self.width, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    def iou(self, other: FaceBox) -> float:
        """Intersection over union with another box, 0..1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        inter = width * height
        return inter / (self.area + other.area - inter)


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled face: one row of the normalised CSV.

    ``points`` is (N, 2) float32 in pixels, NaN where a point is unlabelled;
    ``visible`` is (N,) bool, False where a point is known to be occluded.
    ``group`` (a person, a video, a picture) never straddles two splits.
    ``origin`` is where the label stands (``file:line``), for messages.
    A sample without points (N = 0) is a box for a detector; with no box either,
    it is a picture known to hold no face.
    ``pixels`` is the picture where it stands inside the dataset's own file (COFW, Kaggle);
    ``image`` is then a relative name, and `kpcli prepare` writes the picture to disk.
    ``size`` is the picture's (width, height) as the label file has it, None where it does not say.
    """

    image: Path
    face: FaceBox | None
    points: Points
    visible: NDArray[np.bool_]
    scheme: str
    dataset: str
    split: str
    group: str
    subset: str = ""
    box_source: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    pixels: Pixels | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What a format made of labels that could be read otherwise: for the summary, counted."""

    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Reject:
    """A label that cannot be used.

    ``origin`` is where it stands (``file:line`` or the file); ``reason`` is one of a few fixed
    phrases, so that rejects can be counted by it; ``detail`` says the rest.
    """

    origin: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture or video frame, upright, of square pixels, (H, W, 3) uint8 RGB.

    ``index`` counts from 1; ``moving`` says that the source has several frames in time. Of a
    picture that was read at a 2nd, 4th or 8th of its size, ``shrunk`` is that number, ``full`` its
    own (width, height), and ``reread`` reads all of it; see `kpcli.sources.read_frames`.
    """

    source: Path
    index: int
    seconds: float
    pixels: Pixels
    moving: bool = False
    shrunk: int = 1
    full: tuple[int, int] | None = None
    reread: Callable[[], Pixels] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture itself."""
        return self.full or (self.pixels.shape[1], self.pixels.shape[0])

    def whole(self) -> Frame:
        """The same frame with all of its pixels, read once more if need be.

        Raises
        ------
        InputError
            If the file has changed and can no longer be read.
        """
        if self.reread is None:
            return self
        return Frame(self.source, self.index, self.seconds, self.reread(), self.moving)

    @classmethod
    def still(cls, source: Path, pixels: Pixels) -> Frame:
        """A picture: its only frame."""
        return cls(source, 1, 0.0, pixels)


class HeadPose(NamedTuple):
    """Degrees: to the right, up and clockwise of the picture; see `kpcli.inference.head_pose`."""

    yaw: float
    pitch: float
    roll: float


class Measures(NamedTuple):
    """Numbers of one face in one frame, by `kpcli.inference.measures`; NaN where there is none.

    ``ear_*``: height of the eye over its width; open eyes have 0.25 to 0.4, closed ones below
    0.15. ``mouth_open``: gap between the lips over the width of the mouth's inside, 0 closed.
    ``mouth_width``, ``brow_*`` (brow above the eye's middle) and ``asymmetry`` (mean distance
    between points and the mirrored points of the other side) are in inter-ocular distances.
    ``eye_distance`` (between the eyes' middles) and ``face_size`` (side of a square of the box's
    area) are in pixels. ``sharpness`` is a variance of gray levels, ``brightness`` a mean, 0 to
    255. ``doubtful`` is the share of points of a confidence below `kpcli.inference.measures.DOUBT`.
    """

    ear_left: float
    ear_right: float
    mouth_open: float
    mouth_width: float
    brow_left: float
    brow_right: float
    asymmetry: float
    eye_distance: float
    face_size: float
    sharpness: float
    brightness: float
    doubtful: float

    @property
    def ear(self) -> float:
        """Of both eyes; of one where the other has none."""
        values = [v for v in (self.ear_left, self.ear_right) if math.isfinite(v)]
        return sum(values) / len(values) if values else math.nan


@dataclass(frozen=True, slots=True)
class Face:
    """One face of one frame, in frame pixels.

    ``point_confidences`` is (N,) float32 in 0..1, one a point; ``confidence`` is the face's;
    ``track`` is its id within the file; ``crop`` the name of its picture in the output folder, ""
    where none was written. ``pose``, ``smoothed`` (N, 2) and ``measures`` are None where they were
    not asked for, or the scheme does not allow them.
    """

    box: FaceBox
    points: Points
    point_confidences: NDArray[np.float32]
    confidence: float
    track: int = 0
    pose: HeadPose | None = None
    smoothed: Points | None = None
    measures: Measures | None = None
    crop: str = ""


@dataclass(frozen=True, slots=True)
class FrameFaces:
    """All faces found in one frame: what writers write.

    ``file`` is the source's name relative to the annotated folder (posix); ``width`` and
    ``height`` are the upright frame's, in pixels; ``moving`` is `Frame`'s.
    """

    file: str
    index: int
    seconds: float
    width: int
    height: int
    faces: tuple[Face, ...]
    moving: bool = False
    output: str = ""

    @property
    def stem(self) -> str:
        """What names of outputs begin with: the file's, unless two files' would be the same."""
        return self.output or self.file

    @classmethod
    def of(cls, frame: Frame, faces: tuple[Face, ...], file: str) -> FrameFaces:
        """The faces of a frame whose source is called ``file``."""
        width, height = frame.size
        return cls(file, frame.index, frame.seconds, width, height, faces, frame.moving)
