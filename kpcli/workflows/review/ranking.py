"""Which faces deserve a look first: signals between 0 and 1, what they add up to, and variety."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kpcli.inference.measures import DOUBT
from kpcli.types import Face, FrameFaces, Points

CONFIDENCE, POINTS, JUMP = "low confidence", "doubtful points", "jump"
COPIES, UNLIKE, ERROR, SHAPE = (
    "copies disagree",
    "unlike training",
    "far from the label",
    "odd shape",
)
LOST, EMPTY = "face lost", "no face"
STEADY, JUMPED = 0.02, 0.10
"""How far a face's points are out of the way between the frames before and after, in box sides:
what is usual, and what is surely a jump."""
AGREED, DISAGREED = 0.015, 0.06
"""Mean distance of the points of mirrored and turned copies, in box sides; likewise."""
TOGETHER = 1.0
"""Seconds of a video of which at most one frame of a face is shown."""
SAME_FACE, SAME_FILE = 0.6, 0.85
"""What a candidate is worth for each chosen one of its face, and of its file."""


@dataclass(frozen=True)
class Candidate:
    """A face to look at, or (``face`` "") a frame in which one may be missing."""

    file: str
    frame: int
    seconds: float
    face: str
    moving: bool = False
    signals: Mapping[str, float] = field(default_factory=dict)

    @property
    def priority(self) -> float:
        """0..1: the chance that something is wrong, were the signals independent."""
        return 1 - math.prod(1 - min(max(s, 0.0), 1.0) for s in self.signals.values())

    @property
    def reasons(self) -> list[str]:
        """Names of the signals that count, the strongest first."""
        strong = sorted(self.signals, key=lambda name: -self.signals[name])
        return [name for name in strong if self.signals[name] >= 0.15] or strong[:1]

    def noting(self, name: str, value: float) -> Candidate:
        """The candidate with one more signal."""
        return replace(self, signals={**self.signals, name: value})


def ramp(value: float, low: float, high: float) -> float:
    """0 up to ``low``, 1 from ``high`` on."""
    return min(max((value - low) / (high - low), 0.0), 1.0) if math.isfinite(value) else 1.0


def of_frames(frames: Iterable[FrameFaces]) -> list[Candidate]:
    """The candidates of annotate's table, of each face at most one a second of a video."""
    best: dict[tuple[str, str, int], Candidate] = {}
    for candidate in _all(frames):
        second = int(candidate.seconds // TOGETHER) if candidate.moving else 0
        key = candidate.file, candidate.face, second
        if key not in best or candidate.priority > best[key].priority:
            best[key] = candidate
    return list(best.values())


@dataclass
class _Held:
    """A face that waits for the next frame."""

    candidate: Candidate
    points: Points
    side: float
    before: Points | None
    step: int


def _all(frames: Iterable[FrameFaces]) -> Iterator[Candidate]:
    held: dict[int, _Held] = {}
    file, last_seen = "", -math.inf
    for frame in frames:
        if frame.file != file:
            yield from (h.candidate for h in held.values())
            held, file, last_seen = {}, frame.file, -math.inf
        if not frame.faces:
            lost = frame.seconds - last_seen <= TOGETHER
            signals = {LOST: 0.55} if lost else {EMPTY: 0.35 if frame.moving else 0.5}
            yield Candidate(file, frame.index, frame.seconds, "", frame.moving, signals)
        for face in frame.faces:
            before = held.pop(face.track, None)
            if before is not None:
                yield _with_jump(before, frame.index, face.points)
            held[face.track] = _Held(
                Candidate(file, frame.index, frame.seconds, str(face.track), frame.moving,
                          _own(face)),
                face.points, face.box.side,
                before.points if before is not None else None,
                frame.index - before.candidate.frame if before is not None else 0,
            )  # fmt: skip
            last_seen = frame.seconds
    yield from (h.candidate for h in held.values())


def _own(face: Face) -> dict[str, float]:
    """What a face tells by itself."""
    weak = float((face.point_confidences < DOUBT).mean()) if len(face.points) else 0.0
    return {CONFIDENCE: ramp(1 - face.confidence, 0.1, 0.9), POINTS: 0.8 * weak}


def _with_jump(held: _Held, frame: int, after: Points) -> Candidate:
    """The candidate, now that the next frame is known.

    A frame that leaps is out of the way; one beside it is as far away as its neighbours are from
    each other, and so is one of a face that moves.
    """
    candidate = held.candidate
    if held.before is None or frame - candidate.frame != held.step or not held.side > 0:
        return candidate
    middle = (held.before + after) / 2
    away = float(np.linalg.norm(held.points - middle, axis=1).mean())
    apart = float(np.linalg.norm(after - held.before, axis=1).mean())
    return candidate.noting(JUMP, ramp((away - apart / 2) / held.side, STEADY, JUMPED))


def chosen(candidates: Sequence[Candidate], n: int) -> list[Candidate]:
    """The first n by priority, where each is worth less for what is chosen of its face and file."""
    files: Counter[str] = Counter()
    faces: Counter[tuple[str, str]] = Counter()

    def worth(c: Candidate) -> float:
        return c.priority * SAME_FACE ** faces[c.file, c.face] * SAME_FILE ** files[c.file]

    heap = [(-c.priority, i) for i, c in enumerate(candidates)]
    heapq.heapify(heap)
    found: list[Candidate] = []
    while heap and len(found) < n:
        _, i = heapq.heappop(heap)
        value = -worth(candidates[i])
        if heap and value > heap[0][0]:  # it is worth less by now: in line again
            heapq.heappush(heap, (value, i))
            continue
        found.append(candidates[i])
        files[candidates[i].file] += 1
        faces[candidates[i].file, candidates[i].face] += 1
    return found


def unlikeness(shapes: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each of B shapes (B, N, 2) is from its nearest known one, 0 usual to 1.

    Shapes are in unit coordinates of their boxes. Usual is how far the known ones are from each
    other (their 95th percentile).
    """
    own = _nearest(known, known, skip=True)
    usual = float(np.nanpercentile(own, 95)) if len(own) > 1 else 0.1
    found = _nearest(shapes, known, skip=False)
    return np.asarray(np.clip((found / max(usual, 1e-6) - 1) / 1.5, 0, 1))


def _nearest(
    shapes: NDArray[np.float64], known: NDArray[np.float64], *, skip: bool
) -> NDArray[np.float64]:
    least = np.full(len(shapes), np.nan)
    for i, shape in enumerate(shapes):
        apart = np.nanmean(np.linalg.norm(known - shape, axis=2), axis=1)
        if skip:
            apart[i] = np.inf
        least[i] = np.nanmin(apart) if np.isfinite(apart).any() else np.nan
    return least
