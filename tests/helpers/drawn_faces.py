"""Faces that we draw, with their 68 points; and the goldens of every word of ``--draw``.

``python tests/helpers/drawn_faces.py`` writes the goldens anew: look at them before you commit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from kpcli.drawing import Style, draw
from kpcli.drawing.mean_shapes import MEAN_SHAPES
from kpcli.geometry import tight_box
from kpcli.schemes import IBUG68
from kpcli.types import Face, HeadPose, Pixels

GOLDEN = Path(__file__).resolve().parents[1] / "unit" / "drawing" / "golden"
WORDS = (
    ("none",), ("landmarks",), ("points:red",), ("mesh",), ("edges:#ffffff",), ("box",), ("ids",),
    ("names",), ("swap",), ("makeup",), ("blur-background",), ("stickers:glasses",),
    ("stickers:moustache",), ("stickers:hat",), ("stickers:mask",), ("stickers:ears",),
    ("stickers:hat", "stickers:glasses", "stickers:moustache", "points"),
)  # fmt: skip
SKINS = ((232, 190, 160), (150, 102, 72))


def points_at(x: float, y: float, side: float, roll: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """The mean face (68, 2): its box's middle, side in pixels, degrees clockwise and to the right.

    Turned, it narrows, and the nose moves: as a flat mask with a nose would.
    """
    shape = MEAN_SHAPES["ibug68"].copy()
    depth = np.zeros(68)
    depth[27:36] = 0.58 * 0.425 * np.array([0.2, 0.5, 0.8, 1, 0.5, 0.6, 0.6, 0.6, 0.5])
    turn = math.radians(yaw)
    shape[:, 0] = shape[:, 0] * math.cos(turn) + depth * math.sin(turn)
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    return (shape @ np.array([[c, s], [-s, c]]) * side + [x, y]).astype(np.float32)


def face_of(points: np.ndarray, track: int = 0, yaw: float | None = None) -> Face:
    pose = None if yaw is None else HeadPose(yaw, 0.0, 0.0)
    ones = np.ones(len(points), np.float32)
    return Face(tight_box(points), points, ones, 0.97, track, pose)


def paint(pixels: Pixels, points: np.ndarray, skin: Sequence[int]) -> None:
    """Draw a simple face at its points."""
    p = np.rint(points * 16).astype(np.int32)

    def fill(which: Sequence[int], colour: Sequence[int]) -> None:
        cv2.fillPoly(pixels, [p[list(which)]], tuple(colour), cv2.LINE_AA, 4)

    brow, chin = points[17:27].mean(axis=0), points[8]
    head = np.vstack([points[:17], points[17:27][::-1] + 0.55 * (brow - chin)])
    hull = np.rint(head * 16).astype(np.int32)
    cv2.fillPoly(pixels, [hull], tuple(skin), cv2.LINE_AA, 4)
    for eye in (range(36, 42), range(42, 48)):
        fill(eye, (250, 250, 250))
        middle = p[list(eye)].mean(axis=0).round().astype(int)
        cv2.circle(pixels, (int(middle[0]), int(middle[1])), 34, (50, 60, 40), -1, cv2.LINE_AA, 4)
    fill(range(48, 60), (188, 96, 92))
    fill(range(60, 68), (90, 30, 30))
    shade = tuple(int(v * 0.6) for v in skin)
    lines = (range(17, 22), range(22, 27), range(27, 31), range(31, 36))
    cv2.polylines(pixels, [p[list(i)] for i in lines], False, shade, 2, cv2.LINE_AA, 4)


def scene() -> tuple[Pixels, list[Face]]:
    """Two faces of different size, turn and skin before stripes (170 x 250)."""
    y, x = np.mgrid[:170, :250]
    stripes = np.stack([90 + 60 * ((x + y) // 12 % 2), 120 + 0 * x, 150 - y // 2], axis=2)
    pixels = stripes.astype(np.uint8)
    faces = [
        face_of(points_at(80, 100, 92, roll=-8), 0, 0.0),
        face_of(points_at(188, 92, 66, roll=12, yaw=20), 1, 20.0),
    ]
    for face, skin in zip(faces, SKINS, strict=True):
        paint(pixels, face.points, skin)
    return pixels, faces


def drawn(words: Sequence[str]) -> Pixels:
    """The scene, drawn on."""
    pixels, faces = scene()
    style = Style.of(words)
    style.check(IBUG68)
    draw(pixels, faces, IBUG68, style)
    return pixels


def golden_path(words: Sequence[str]) -> Path:
    return GOLDEN / (re.sub(r"[^a-z]+", "_", "_".join(words)) + ".png")


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in WORDS:
        Image.fromarray(drawn(each)).save(golden_path(each), optimize=True)
