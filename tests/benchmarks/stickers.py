"""How steady and how quick the embedded stickers are, and whether any jumps or changes faces.

Usage: python tests/benchmarks/stickers.py OUT   (of kpcli annotate, of videos, 68 points)

Jitter is the median length of the second difference over three frames in a row, in percent of the
face's side: of single landmarks, and of the sticker's own middle as it is drawn. A jump is a frame
in which the sticker moves 10 % of the face's side further than the landmarks' mean does.
Processor time is of one sticker on a face of 200 pixels in a frame of 640x480.
"""

import sys
import time
from pathlib import Path

import numpy as np

import kpcli
from kpcli.drawing import Sticker, Style, draw
from kpcli.drawing.fitting import bent, fitted, yaw_of
from kpcli.drawing.mean_shapes import MEAN_SHAPES
from kpcli.drawing.places import place
from kpcli.drawing.stickers import sticker_names
from kpcli.geometry import tight_box
from kpcli.schemes import IBUG68
from kpcli.types import Face, HeadPose


def face_at(points: np.ndarray, yaw: float) -> Face:
    ones = np.ones(len(points), np.float32)
    return Face(tight_box(points), points, ones, 1.0, 0, HeadPose(yaw, 0.0, 0.0))


def middle(sticker: Sticker, face: Face) -> np.ndarray:
    """Where the middle of the sticker's picture is drawn."""
    targets = np.array([place(face.points, IBUG68, a.to) for a in sticker.anchors])
    if sticker.fit == "triangles":
        return bent(sticker, targets)[1].mean(axis=0)
    matrix = fitted(sticker, targets, yaw_of(face, IBUG68))
    return matrix[:, :2] @ sticker.corners.mean(axis=0) + matrix[:, 2]


table = kpcli.read_landmarks(sys.argv[1])
table = table[(table["success"] == 1) & table["file"].str.endswith((".mp4", ".mov"))]
stickers = {name: Sticker.open(name) for name in sticker_names()}
found: dict[str, list[float]] = {name: [] for name in ("landmarks", *stickers)}
jumps = dict.fromkeys(stickers, 0)
for _, rows in table.groupby(["file", "face_id"]):
    xy = [rows[[f"{axis}_{i}" for i in range(68)]].to_numpy() for axis in "xy"]
    points = np.stack(xy, axis=2).astype(np.float32)
    faces = [face_at(p, y) for p, y in zip(points, rows["yaw"], strict=True)]
    side = np.array([face.box.side for face in faces])
    in_a_row = np.diff(rows["frame"].to_numpy(), 2) == 0
    if len(faces) < 3:
        continue

    def second(track: np.ndarray, side: np.ndarray = side, keep: np.ndarray = in_a_row) -> list:
        moved = np.linalg.norm(np.diff(track, 2, axis=0), axis=-1).T / side[1:-1]
        return list(100 * moved.T[keep].ravel())

    found["landmarks"] += second(points.astype(float))
    for name, sticker in stickers.items():
        track = np.array([middle(sticker, face) for face in faces])
        found[name] += second(track)
        apart = np.diff(track - points.mean(axis=1), axis=0)
        jumps[name] += int((np.linalg.norm(apart, axis=1) > 0.1 * side[1:]).sum())
frame = np.full((480, 640, 3), 90, np.uint8)
face = face_at((MEAN_SHAPES["ibug68"] * 200 + [320, 300]).astype(np.float32), 10.0)
print(f"{len(table)} faces in {table['file'].nunique()} videos: {Path(sys.argv[1])}")
print(f"landmarks  jitter {np.median(found['landmarks']):.2f} %")
for name in stickers:
    style = Style.of([f"stickers:{name}"])
    draw(frame, [face], IBUG68, style)
    start = time.process_time()
    for _ in range(20):
        draw(frame, [face], IBUG68, style)
    spent = (time.process_time() - start) / 20 * 1000
    steady = f"jitter {np.median(found[name]):.2f} %, jumps {jumps[name]}"
    print(f"{name:<10} {steady}, {spent:.1f} ms of processor time")
