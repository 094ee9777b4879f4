"""Faces that fill the picture, infrared and screens: how many are found, and how exactly.

Made from labelled faces (their test split): pictures cut at so many landmark boxes' sides, gray
ones as an infrared camera gives them (the red channel, veins and pupils dark, noise), and a print
or screen photographed (a grid of pixels, glare, a turn of perspective).

Usage: python tests/benchmarks/limits.py FACES.csv [--split test] [--model default] [--every 5]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from kpcli.dataset_csv import read_dataset
from kpcli.geometry import tight_box
from kpcli.images import read_image
from kpcli.inference.finder import FaceFinder
from kpcli.metrics import nme, normalisers
from kpcli.schemes import get_scheme
from kpcli.types import Pixels, Sample

Made = tuple[Pixels, np.ndarray]
HIT = 0.3


def cut(share: float) -> Callable[[Pixels, np.ndarray], Made]:
    """The picture cut to so many sides of the landmark box, around its middle."""

    def make(pixels: Pixels, points: np.ndarray) -> Made:
        box = tight_box(points)
        half = share * box.side / 2
        x, y = box.centre
        left, top = max(0, round(x - half)), max(0, round(y - half))
        right = min(pixels.shape[1], round(x + half) + 1)
        bottom = min(pixels.shape[0], round(y + half) + 1)
        part = np.ascontiguousarray(pixels[top:bottom, left:right])
        return part, points - [left, top]

    return make


def as_it_is(pixels: Pixels, points: np.ndarray) -> Made:
    return pixels, points


def infrared(pixels: Pixels, points: np.ndarray) -> Made:
    """Skin shines evenly, lips and brows pale, pupils are dark, the lamp falls off at the edge."""
    red = pixels[..., 0].astype(np.float32) / 255
    height, width = red.shape
    y, x = np.mgrid[:height, :width]
    away = np.hypot(x / width - 0.5, y / height - 0.5)
    lit = (0.35 + 0.65 * red**0.6) * (1.05 - 0.9 * away)
    noise = np.random.default_rng(0).normal(0, 0.03, red.shape)
    gray = np.clip((lit + noise) * 255, 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2), points


def screen(pixels: Pixels, points: np.ndarray) -> Made:
    """Columns of a display, a stripe of glare, seen from one side."""
    height, width = pixels.shape[:2]
    shown = pixels.astype(np.float32)
    shown *= 0.8 + 0.2 * np.cos(np.arange(width) * 2 * np.pi / 3.3)[None, :, None]
    glare = np.clip(1 - np.abs(np.arange(width) - 0.7 * width) / (0.12 * width), 0, 1)
    shown = shown * (1 - 0.5 * glare[None, :, None]) + 128 * glare[None, :, None]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + np.array(
        [[0.08 * width, 0.05 * height], [0, 0], [0, 0], [0.08 * width, -0.05 * height]], np.float32
    )
    matrix = cv2.getPerspectiveTransform(corners, moved)
    seen = cv2.warpPerspective(np.clip(shown, 0, 255).astype(np.uint8), matrix, (width, height))
    there = cv2.perspectiveTransform(points[None].astype(np.float64), matrix)[0]
    return np.asarray(seen, np.uint8), there


CONDITIONS: dict[str, Callable[[Pixels, np.ndarray], Made]] = {
    "as it is": as_it_is, "cut to 1.6 boxes": cut(1.6), "cut to 1.3 boxes": cut(1.3),
    "cut to the box": cut(1.0), "infrared": infrared, "a screen": screen,
}  # fmt: skip


def measure(finder: FaceFinder, faces: list[Sample], make: Callable[[Pixels, np.ndarray], Made]):
    """Share found, and the median NME (ocular) of those."""
    scheme = get_scheme(faces[0].scheme)
    errors = []
    for sample in faces:
        pixels, points = make(read_image(sample.image), sample.points.astype(np.float64))
        box = tight_box(points)
        found = [face for face in finder.picture(pixels) if face.box.iou(box) > HIT]
        if found:
            best = max(found, key=lambda face: face.box.iou(box))
            lengths = normalisers(points[None], scheme, "ocular")
            errors.append(float(nme(best.points[None], points[None], lengths)[0]))
    return len(errors) / len(faces), float(np.median(errors)) if errors else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", default="default")
    parser.add_argument("--every", type=int, default=5)
    given = parser.parse_args()
    faces = read_dataset(given.csv, split=given.split)[:: given.every]
    finder = FaceFinder(model=given.model)
    print(f"| of {len(faces)} faces | found | median NME % |\n|---|---|---|")
    for name, make in CONDITIONS.items():
        share, error = measure(finder, faces, make)
        print(f"| {name} | {100 * share:.0f} % | {error:.2f} |", flush=True)


if __name__ == "__main__":
    main()
