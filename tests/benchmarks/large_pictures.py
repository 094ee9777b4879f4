"""Faces of 60 to 150 pixels in a 40-megapixel picture: how many are found, by the finest scale.

    python tests/benchmarks/large_pictures.py FOLDER_OF_FACES

The folder holds pictures of one face each (such as 300-W's); faces are pasted on gray walls.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from kpcli.detectors import builtin
from kpcli.images import read_image
from kpcli.inference.finder import FaceFinder
from kpcli.types import Pixels

WIDTH, HEIGHT, CELL = 7300, 5500, 500


def _wall(folder: Path, side: float) -> tuple[Pixels, list[tuple[float, float]]]:
    """The picture, and where the centres of its faces are."""
    finder = FaceFinder()
    wall = np.random.default_rng(0).normal(120, 6, (HEIGHT, WIDTH, 3)).clip(0, 255)
    wall = wall.astype(np.uint8)
    centres: list[tuple[float, float]] = []
    pictures = iter(sorted(folder.glob("*.jpg")) + sorted(folder.glob("*.png")))
    for top in range(0, HEIGHT - CELL, CELL):
        for left in range(0, WIDTH - CELL, CELL):
            pixels = read_image(next(pictures))
            faces = finder.picture(pixels)
            if len(faces) != 1:
                continue
            scale = side / faces[0].box.side
            small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            small = small[:CELL, :CELL]
            wall[top : top + small.shape[0], left : left + small.shape[1]] = small
            x, y = faces[0].box.centre
            centres.append((left + x * scale, top + y * scale))
    return wall, centres


def main(folder: Path) -> None:
    for side in (60, 80, 100, 150):
        wall, centres = _wall(folder, side)
        for finest in (0.001, 0.16, 0.2, 0.25, 0.3):
            builtin.FINEST = finest
            finder = FaceFinder()
            begun = time.perf_counter()
            found = [face.box.centre for face in finder.picture(wall)]
            seconds = time.perf_counter() - begun
            hits = sum(any(np.hypot(x - a, y - b) < side / 3 for a, b in found) for x, y in centres)
            others = sum(
                all(np.hypot(x - a, y - b) >= side / 3 for x, y in centres) for a, b in found
            )
            print(f"{side} px, finest {finest}: {hits}/{len(centres)} + {others}, {seconds:.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
