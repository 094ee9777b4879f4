"""Share of labelled faces that anonymise leaves bare, by size, and what is covered needlessly.

A face is bare if less than half of its labelled box is covered.

wider     WIDER FACE val, faces not marked invalid; size is the root of the box's area in pixels of
          the picture as it is here. Thresholds of the score are compared in one run. Every second
          picture (from the first) is for choosing, the others are for telling: ``wider-choose``.
composed  Clips made here of faces with known points (300-W, helen test): they enter a textured
          picture from the left, grow, turn on their side, shrink, are smeared, and leave. The copy
          itself is read back: covered is what is black in it.
dark      The same clips, smaller, dark and noisy: faces of 10 to 25 pixels, hard to see.
videos    Clips without labels: a face is what annotate finds with a confidence of 0.6.

Usage: python tests/benchmarks/anonymise_leaks.py WHAT ../shared/data [EVERY]   (of wider's
       pictures, of the clips' faces: only every so many)
"""

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from detector_data import landmarked, report, wider

import kpcli
from kpcli.detectors.builtin import LEAST_SCORE
from kpcli.options import AnonymiseOptions
from kpcli.sources import read_frames
from kpcli.types import FaceBox
from kpcli.workflows.anonymise.covers import covered_mask, head_box
from kpcli.workflows.anonymise.looks import Seeker

BARE = 0.5
SIZES = (0, 12, 24, 48, 96, 10000)
SCORES = (0.013, AnonymiseOptions.least_score, 0.03, 0.05, 0.1, 0.2, LEAST_SCORE)
BLACK = 24
"""Gray level, after the video's encoder, below which a pixel is covered."""


def share(mask: np.ndarray, box: np.ndarray) -> float:
    """Of a box's pixels within the picture, how many are covered."""
    height, width = mask.shape
    left, top, right, bottom = (round(float(v)) for v in box)
    part = mask[max(top, 0) : min(bottom + 1, height), max(left, 0) : min(right + 1, width)]
    return float(part.mean()) if part.size else 1.0


def stills(shared: Path, first: int, every: int) -> None:
    options = AnonymiseOptions((), Path())
    seeker = Seeker(options)
    pictures = wider(shared / "widerface", "val")[first :: 2 * every]
    sizes: list[float] = []
    bare: dict[float, list[bool]] = {score: [] for score in SCORES}
    needless = dict.fromkeys(SCORES, 0.0)
    false = dict.fromkeys(SCORES, 0)
    begun = time.process_time()
    for picture in pictures:
        found = seeker.picture(picture.pixels)
        truth = picture.boxes[~picture.invalid]
        sizes += [float(np.sqrt(np.prod(box[2:] - box[:2]))) for box in truth]
        shape = picture.pixels.shape[:2]
        labelled = [head_box(FaceBox(*map(float, box)), 0.5) for box in picture.boxes]
        faces = covered_mask(shape, labelled, "fill")
        for score in SCORES:
            boxes = [box for box in found if box.score >= score]
            mask = covered_mask(shape, [head_box(b, 1 - b.score) for b in boxes], options.how)
            bare[score] += [share(mask, box) < BARE for box in truth]
            needless[score] += float((mask & ~faces).mean())
            false[score] += sum(share(faces, np.array(b.corners)) < BARE for b in boxes)
    seconds = (time.process_time() - begun) / max(1, len(pictures))
    size = np.array(sizes)
    rows = []
    for score in SCORES:
        row: dict[str, object] = {"score": score}
        for low, high in itertools.pairwise(SIZES):
            chosen = (size >= low) & (size < high)
            name = f"{low}+" if high == SIZES[-1] else f"{low}-{high}"
            row[f"bare, {name} px"] = _percent(np.array(bare[score])[chosen])
        row["bare, 24+ px"] = _percent(np.array(bare[score])[size >= 24])
        row["needless area"] = f"{100 * needless[score] / len(pictures):.2f} %"
        row["needless covers a picture"] = round(false[score] / len(pictures), 2)
        rows.append(row)
    print(f"{len(pictures)} pictures, {seconds:.2f} processor seconds each")
    report(rows)


def _percent(values: np.ndarray) -> str:
    return f"{100 * values.mean():.2f} % of {len(values)}" if len(values) else "-"


COUNT, SIZE, RATE = 60, (480, 360), 25


def film(pixels: np.ndarray, box: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames of a clip, and the corners (4, 2) of the face in them."""
    generator = np.random.default_rng(seed)
    noise = generator.integers(40, 200, (SIZE[1] // 8, SIZE[0] // 8, 3)).astype(np.uint8)
    back = cv2.resize(noise, SIZE, interpolation=cv2.INTER_CUBIC)
    height, width = pixels.shape[:2]
    speed, tilt = generator.uniform(6, 12), generator.uniform(-60, 60)
    for i in range(COUNT):
        scale = 0.35 + 0.45 * np.sin(np.pi * i / COUNT)
        angle = tilt * np.sin(2 * np.pi * i / COUNT)
        x, y = -80 + speed * i, SIZE[1] / 2 + 60 * np.sin(i / 9)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
        matrix[:, 2] += (x - width / 2, y - height / 2)
        frame, mask = back.copy(), np.full((height, width), 255, np.uint8)
        face = cv2.warpAffine(pixels, matrix, SIZE, flags=cv2.INTER_AREA)
        there = cv2.warpAffine(mask, matrix, SIZE) > 127
        frame[there] = face[there]
        if i % 20 > 14:
            frame = cv2.blur(frame, (1 + int(speed), 1))  # it moves while the shutter is open
        corners = np.array([[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]])
        yield frame, corners @ matrix[:, :2].T + matrix[:, 2]


def dimmed(
    frames: Iterator[tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The film, small in a mirrored surrounding, dark and noisy."""
    generator = np.random.default_rng(0)
    scale, left, top = 0.3, 100, 60
    for frame, corners in frames:
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = small.shape[:2]
        around = ((top, SIZE[1] - top - height), (left, SIZE[0] - left - width), (0, 0))
        large = np.pad(small, around, mode="reflect")
        dark = 30 + 0.22 * large + generator.normal(0, 4, large.shape)
        yield dark.clip(0, 255).astype(np.uint8), corners * scale + (left, top)


def composed(shared: Path, every: int, *, dark: bool = False) -> None:
    from helpers.media import write_video  # tests/helpers

    faces = landmarked(shared / "300w/helen/testset")[::every]
    bare, total, late = 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in", Path(folder) / "out"
        truth: dict[str, list[np.ndarray]] = {}
        for i, face in enumerate(faces):
            clip = film(face.pixels, face.boxes[0], i)
            frames = list(dimmed(clip) if dark else clip)
            path = write_video(
                source / f"{i:03d}.mp4", frames=[f for f, _ in frames],
                pts=[n * 600 // RATE for n in range(COUNT)],
            )  # fmt: skip
            truth[path.name] = [corners for _, corners in frames]
        print(kpcli.anonymise(source, out=out, how="fill").summary())
        for name, corners in truth.items():
            for i, frame in enumerate(read_frames(out / "copies" / name)):
                known = np.zeros(frame.pixels.shape[:2], np.uint8)
                cv2.fillPoly(known, [np.rint(corners[i]).astype(np.int32)], 1)
                area = float(cv2.contourArea(corners[i].astype(np.float32)))
                if known.sum() < 0.5 * area:  # for the greater part outside
                    continue
                total += 1
                black = frame.pixels.max(axis=2) < BLACK
                open_ = black[known == 1].mean() < BARE
                bare += open_
                late += open_ and i < COUNT / 3
    print(f"{len(faces)} clips, {total} faces in frames: {bare} bare ({100 * bare / total:.2f} %), "
          f"{late} of them while they enter")  # fmt: skip


def videos(shared: Path) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((shared / "videos").iterdir()):
            out = Path(folder) / path.stem
            begun = time.process_time()
            kpcli.anonymise(path, out=out, how="fill", workers=1)
            seconds = time.process_time() - begun
            copy = next((out / "copies").iterdir())
            bare, total = 0, 0
            found = kpcli.FaceFinder().video(path)
            for frame, faces in zip(read_frames(copy), found, strict=True):
                black = frame.pixels.max(axis=2) < BLACK
                for face in faces.faces:
                    if face.confidence >= 0.6:
                        total += 1
                        bare += share(black, np.array(face.box.corners)) < BARE
            rows.append({
                "file": path.name, "frames": frame.index, "faces": total, "bare": bare,
                "processor seconds": round(seconds, 1),
            })  # fmt: skip
    report(rows)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    what, data = sys.argv[1], Path(sys.argv[2])
    step = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    if what.startswith("wider"):
        stills(data, int(what == "wider"), step)
    else:
        videos(data) if what == "videos" else composed(data, step, dark=what == "dark")
