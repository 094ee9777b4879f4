"""Videos by default against searching every frame: delays, right faces, distance, processor time.

Composed clips (25 frames a second, 640x360, 12 seconds) have portraits of sample_images on a
background that drifts: they enter by the edge or appear, move, grow, leave by the edge or vanish,
at times that are known. The figures of real clips have no such truth: there the distance and the
number of faces are against the search of every frame.

Usage: taskset -c 0 python tests/benchmarks/video_following.py [CLIP ...]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kpcli.images import read_image
from kpcli.inference.finder import FaceFinder
from kpcli.runtimes import limit_threads
from kpcli.sources import read_frames
from kpcli.types import Face, Frame, Pixels

REPO = Path(__file__).resolve().parents[2]
RATE, SECONDS, SIZE = 25, 12, (640, 360)
SHOWN = 0.6
"""Share of a face's box in the picture from which on it should be found."""


@dataclass
class Actor:
    """A portrait (H, W, 3) with its face box, and where its face's centre is at a time."""

    pixels: Pixels
    box: np.ndarray
    start: float
    end: float
    side: tuple[float, float]
    path: tuple[tuple[float, float], tuple[float, float]]

    def at(self, seconds: float) -> tuple[float, float, float] | None:
        """Centre and side of the face's box, None before and after."""
        if not self.start <= seconds < self.end:
            return None
        t = (seconds - self.start) / (self.end - self.start)
        (x0, y0), (x1, y1) = self.path
        side = self.side[0] + (self.side[1] - self.side[0]) * t
        return x0 + (x1 - x0) * t, y0 + (y1 - y0) * t, side

    def draw(self, frame: Pixels, x: float, y: float, side: float) -> None:
        scale = side / (self.box[2] - self.box[0])
        centre = (self.box[:2] + self.box[2:]) / 2
        matrix = np.array([[scale, 0, x - scale * centre[0]], [0, scale, y - scale * centre[1]]])
        # The head and shoulders, with a soft edge.
        mask = np.zeros(self.pixels.shape[:2], np.float32)
        width = self.box[2] - self.box[0]
        cv2.ellipse(mask, (round(centre[0]), round(centre[1] + 0.05 * width)),
                    (round(0.8 * width), round(1.05 * width)), 0, 0, 360, 1.0, -1)  # fmt: skip
        size = frame.shape[1], frame.shape[0]
        shown = cv2.warpAffine(self.pixels, matrix, size, flags=cv2.INTER_AREA)
        alpha = cv2.GaussianBlur(cv2.warpAffine(mask, matrix, size), (0, 0), 2)[..., None]
        frame[:] = (shown * alpha + frame * (1 - alpha)).astype(np.uint8)


def actors() -> list[Actor]:
    finder = FaceFinder(pose=False)
    people = []
    for path in sorted((REPO / "sample_images" / "portraits").iterdir()):
        pixels = read_image(path)
        scale = 700 / max(pixels.shape)
        pixels = np.asarray(
            cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        )
        people.append(
            (pixels, np.array(max(finder.picture(pixels), key=lambda f: f.box.side).box.corners))
        )
    plan = [
        (0, 0.0, 12.0, (70, 90), ((140, 180), (200, 170))),  # there all the time
        (1, 2.0, 5.0, (60, 60), ((700, 160), (420, 200))),  # enters by the edge, vanishes
        (2, 3.52, 9.0, (44, 44), ((520, 90), (380, 110))),  # appears, vanishes
        (3, 6.0, 10.0, (80, 80), ((420, 200), (720, 220))),  # appears, leaves by the edge
        (1, 10.48, 12.0, (34, 34), ((560, 300), (540, 290))),  # a small one appears late
    ]
    return [Actor(*people[i % len(people)], *rest) for i, *rest in plan]


def composed(cast: list[Actor]) -> Iterator[tuple[Frame, list[tuple[float, float, float]]]]:
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 255, (500, 900, 3), np.uint8), (0, 0), 9)
    texture = cv2.normalize(texture, None, 40, 200, cv2.NORM_MINMAX)
    for i in range(RATE * SECONDS):
        seconds = i / RATE
        dx = round(60 + 50 * np.sin(seconds / 3))
        pixels = np.ascontiguousarray(texture[40 : 40 + SIZE[1], dx : dx + SIZE[0]])
        there = []
        for actor in cast:
            place = actor.at(seconds)
            if place is not None:
                actor.draw(pixels, *place)
                there.append(place)
        noise = rng.normal(0, 3, pixels.shape)
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
        yield Frame(Path("composed"), i + 1, seconds, pixels, moving=True), there


def share_shown(x: float, y: float, side: float) -> float:
    wide = min(x + side / 2, SIZE[0]) - max(x - side / 2, 0)
    high = min(y + side / 2, SIZE[1]) - max(y - side / 2, 0)
    return max(wide, 0) * max(high, 0) / side**2


def matches(face: Face, place: tuple[float, float, float]) -> bool:
    (x, y), (px, py, side) = face.box.centre, place
    return np.hypot(x - px, y - py) < 0.35 * side and 0.6 < face.box.side / side < 1.7


def run(frames: list[Frame], every: int) -> tuple[list[tuple[Face, ...]], float]:
    """Faces of each frame, and processor milliseconds a frame."""
    finder = FaceFinder(detect_every=every, pose=False)
    begun = time.process_time()
    found = [faces for _, faces in finder.find(iter(frames))]
    return found, 1000 * (time.process_time() - begun) / len(frames)


def delays(found, truth, cast: list[Actor]) -> str:
    """Seconds from a face's showing to its first row, and from its going to its last."""
    late, stale, right = [], [], 0
    for faces, there in zip(found, truth, strict=True):
        due = [p for p in there if share_shown(*p) >= SHOWN]
        may = [p for p in there if share_shown(*p) < SHOWN]
        seen = all(any(matches(f, p) for f in faces) for p in due)
        extra = [f for f in faces if not any(matches(f, p) for p in due + may)]
        right += seen and not extra
    for actor in cast:
        places = [actor.at(i / RATE) for i in range(len(found))]
        shown = [i for i, p in enumerate(places) if p and share_shown(*p) >= SHOWN]
        hits = [i for i in shown if any(matches(f, places[i]) for f in found[i])]
        late.append(((hits[0] if hits else len(found)) - shown[0]) / RATE)
        last, place = shown[-1], places[shown[-1]]
        after = range(last + 1, min(len(found), last + RATE))
        gone = [i for i in after if places[i] is None]
        left = [i for i in gone if any(matches(f, place) for f in found[i])]
        stale.append((left[-1] + 1 - gone[0]) / RATE if left else 0.0)
    return (
        f"enters after {np.round(late, 2).tolist()} s, gone after {np.round(stale, 2).tolist()} s, "
        f"right faces in {100 * right / len(found):.1f} % of frames"
    )


def distance(first, other) -> float:
    """Mean distance of the points from those of the first run, percent of the box's side."""
    values = []
    for mine, theirs in zip(first, other, strict=True):
        for face in mine:
            near = [np.linalg.norm(face.points - f.points, axis=1).mean() for f in theirs]
            if near and min(near) < 0.5 * face.box.side:
                values.append(min(near) / face.box.side)
    return 100 * float(np.mean(values))


def main() -> None:
    cv2.setNumThreads(1)
    limit_threads(1)
    cast = actors()
    clip = list(composed(cast))
    frames, truth = [f for f, _ in clip], [t for _, t in clip]
    clips = {"composed": frames}
    clips |= {Path(p).name: list(read_frames(Path(p)))[:300] for p in sys.argv[1:]}
    for name, frames in clips.items():
        first = None
        for every in (1, 10, 0):
            found, cost = run(frames, every)
            first = first or found
            faces = sum(map(len, found))
            line = f"{name}: every {every or 'auto'}: {cost:.2f} ms a frame, {faces} faces"
            line += f", distance {distance(first, found):.2f} %"
            print(
                line + (f"; {delays(found, truth, cast)}" if name == "composed" else ""), flush=True
            )


if __name__ == "__main__":
    main()
