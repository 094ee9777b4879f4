"""Pictures of faces of every size for a detector: crops of boxed pictures, mosaics of faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.boxes import areas
from kpcli.geometry import CropTransform, tight_box
from kpcli.letterbox import Letterbox
from kpcli.options import AugmentOptions
from kpcli.progress import progress
from kpcli.training.augment import Rng, blur, colour, gray, jpeg, photometric
from kpcli.training.faces import FaceStore, Region, labelled_picture
from kpcli.types import FaceBox, Pixels, Sample

Boxes = NDArray[np.float32]
LEAST_SHOWN = 7.0
"""Pixels to which a face is brought at least where a crop is made for it."""
TILES = ((1, 0.4), (2, 0.25), (3, 0.15), (4, 0.13), (6, 0.07))
"""Faces along a side of a mosaic, and the share of mosaics that have so many."""


@dataclass(frozen=True)
class Scene:
    """A picture with all its labelled faces: boxes (F, 4) and those to ignore (I, 4)."""

    image: Path
    faces: Boxes
    ignored: Boxes


def scenes(samples: Sequence[Sample]) -> list[Scene]:
    """Rows of boxes as one scene a picture; faces marked ``invalid=1`` are to ignore."""
    found = []
    for image, rows in groupby(sorted(samples, key=lambda s: s.image), key=lambda s: s.image):
        faces: list[tuple[float, ...]] = []
        ignored: list[tuple[float, ...]] = []
        for row in rows:
            if row.face is not None:
                corners = (row.face.left, row.face.top, row.face.right, row.face.bottom)
                (ignored if row.attributes.get("invalid") == "1" else faces).append(corners)
        found.append(Scene(image, _array(faces), _array(ignored)))
    return found


def _array(boxes: Sequence[Sequence[float]]) -> Boxes:
    return np.array(boxes, np.float32).reshape(-1, 4)


class SceneStore:
    """Scenes with their pictures, kept in memory up to a bound, else decoded when needed.

    Pictures whose long side is more than ``largest`` are scaled down to it, boxes with them.
    """

    def __init__(self, scenes: Sequence[Scene], cache_mb: int, largest: int = 0) -> None:
        self.scenes = list(scenes)
        """As they were given, never scaled."""
        self._largest = largest
        self._kept: dict[int, tuple[Scene, Pixels]] = {}
        room = cache_mb * 2**20
        with ThreadPoolExecutor(4) as pool:
            for first in progress(range(0, len(self.scenes), 64), "loading", unit="batch"):
                indices = range(first, min(first + 64, len(self.scenes)))
                for i, one in zip(indices, pool.map(self._read, indices), strict=True):
                    if one[1].nbytes <= room:
                        room -= one[1].nbytes
                        self._kept[i] = one
                if room < 2**18:
                    break

    def __len__(self) -> int:
        return len(self.scenes)

    def some(self, count: int) -> SceneStore:
        """So many of the scenes at most, spread over all, with what is in memory of them."""
        chosen = np.linspace(0, len(self) - 1, min(count, len(self))).astype(int)
        part = SceneStore([], 0, self._largest)
        part.scenes = [self.scenes[i] for i in chosen]
        part._kept = {n: self._kept[i] for n, i in enumerate(chosen) if i in self._kept}
        return part

    def __getitem__(self, index: int) -> tuple[Scene, Pixels]:
        """A scene and its picture (H, W, 3), in the size in which it is kept."""
        return self._kept[index] if index in self._kept else self._read(index)

    def pixels(self, index: int) -> Pixels:
        """The picture (H, W, 3) of a scene."""
        return self[index][1]

    def _read(self, index: int) -> tuple[Scene, Pixels]:
        scene = self.scenes[index]
        pixels = labelled_picture(scene.image, "a picture of the CSV")
        if not self._largest or max(pixels.shape[:2]) <= self._largest:
            return scene, pixels
        small = Letterbox.fit(pixels, self._largest, 1)
        faces, ignored = (
            small.to_letterbox(boxes).astype(np.float32) for boxes in (scene.faces, scene.ignored)
        )
        return Scene(scene.image, faces, ignored), small.pixels


@dataclass(frozen=True)
class Canvas:
    """One training picture: faces (F, 4), and where background may not be learnt."""

    pixels: Pixels
    faces: Boxes
    ignored: Boxes
    landmark: bool
    """Whether the boxes are tight around the landmarks (else as WIDER FACE has them)."""
    only_near: bool = False
    """Background is known around the faces only."""


def moved(boxes: Boxes, transform: CropTransform) -> Boxes:
    """Boxes (F, 4) of the frame as boxes of the crop: of the ellipse within, when it is turned."""
    centre = transform.to_crop_pixels((boxes[:, :2] + boxes[:, 2:]) / 2)
    radii = (boxes[:, 2:] - boxes[:, :2]) / 2
    half = np.sqrt(radii.astype(np.float64) ** 2 @ (transform.matrix[:, :2] ** 2).T)
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def random_turn(rng: Rng, limit: float) -> float:
    """Degrees: mostly upright within the limit, some sideways, few upside down."""
    kind = rng.random()
    if kind < 0.05:
        return float(rng.uniform(-180, 180))
    if kind < 0.15:
        return float(rng.uniform(-3 * limit, 3 * limit))
    return float(np.clip(rng.normal(0, limit / 2.5), -limit, limit))


def crop_scene(rng: Rng, scene: Scene, pixels: Pixels, size: int, turn: float) -> Canvas:
    """A random square of a scene, scaled so that faces of every size come up."""
    view = random_view(rng, scene, pixels.shape[1], pixels.shape[0], size)
    transform = CropTransform.from_box(
        view, size, 1.0, rotation=random_turn(rng, turn), mirror=bool(rng.random() < 0.5)
    )
    canvas = transform.to_crop(pixels)
    for probability, step in ((0.7, colour), (0.15, gray), (0.15, jpeg), (0.1, blur)):
        if rng.random() < probability:
            canvas = step(rng, canvas)
    faces, cut = _within(moved(scene.faces, transform), size)
    ignored, cut2 = _within(moved(scene.ignored, transform), size)
    return Canvas(canvas, faces, np.concatenate([cut, ignored, cut2]), landmark=False)


def random_view(rng: Rng, scene: Scene, width: int, height: int, size: int) -> FaceBox:
    """The square of a picture to show: any, or around one face, brought to a size of its own."""
    whole = size / max(height, width)
    scale = whole * math.exp(rng.uniform(math.log(0.9), math.log(2.8)))
    middle = rng.uniform((0, 0), (width, height))
    sides = np.sqrt(areas(scene.faces))
    large = np.flatnonzero(sides >= 5)
    if len(large) and rng.random() < 0.6:
        face = int(rng.choice(large))
        wanted = math.exp(rng.uniform(math.log(LEAST_SHOWN), math.log(0.8 * size)))
        scale = float(np.clip(wanted / sides[face], 0.8 * whole, max(3.0, whole)))
        spread = size / scale * 0.4
        middle = scene.faces[face].reshape(2, 2).mean(0) + rng.uniform(-spread, spread, 2)
    half = size / scale / 2
    extent = np.array([width, height])
    reach = np.minimum(0.85 * half, extent / 2)  # of the view, mostly picture and little black
    middle = np.clip(middle, reach, extent - reach)
    return FaceBox(middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)


def side_by_side(canvases: Sequence[Canvas], size: int) -> Canvas:
    """Four equal canvases as one of ``size``, for faces smaller than in their pictures."""
    pixels = np.zeros((size, size, 3), np.uint8)
    faces, ignored = [], []
    for i, canvas in enumerate(canvases):
        side = canvas.pixels.shape[0]
        left, top = i % 2 * side, i // 2 * side
        pixels[top : top + side, left : left + side] = canvas.pixels
        shift = np.array([left, top, left, top], np.float32)
        faces.append(canvas.faces + shift)
        ignored.append(canvas.ignored + shift)
    return Canvas(pixels, np.concatenate(faces), np.concatenate(ignored), canvases[0].landmark)


def _within(boxes: Boxes, size: int) -> tuple[Boxes, Boxes]:
    """Boxes clipped to the crop: those of which more than half is seen, and the others."""
    clipped = np.clip(boxes, -0.5, size - 0.5)
    seen = areas(clipped) / np.maximum(areas(boxes), 1e-9)
    return clipped[seen > 0.5], clipped[(seen <= 0.5) & (seen > 0)]


def mosaic(rng: Rng, faces: FaceStore, size: int, augment: AugmentOptions) -> Canvas:
    """Landmarked faces side by side, one a tile, with the boxes of their points."""
    counts, shares = zip(*TILES, strict=True)
    count = int(rng.choice(counts, p=np.array(shares) / sum(shares)))
    edges = np.linspace(0, size, count + 1).astype(int)
    canvas = np.zeros((size, size, 3), np.uint8)
    boxes = []
    for top, bottom in pairwise(edges):
        for left, right in pairwise(edges):
            side = int(min(right - left, bottom - top))
            pixels, box = _tile(rng, faces[int(rng.integers(len(faces)))], side, augment)
            canvas[top : top + side, left : left + side] = pixels
            shift = np.array([left, top])
            boxes.append((*(np.array(box[:2]) + shift), *(np.array(box[2:]) + shift)))
    return Canvas(canvas, _array(boxes), _array([]), landmark=True, only_near=True)


def _tile(
    rng: Rng, region: Region, side: int, augment: AugmentOptions
) -> tuple[Pixels, tuple[float, ...]]:
    """One face, its landmark box between half and all of the tile."""
    scale = math.exp(rng.uniform(math.log(1.0), math.log(2.2)))
    slack = max(0.0, scale - 1) / 2 * 0.8
    transform = CropTransform.from_box(
        region.box, side, scale, rotation=random_turn(rng, augment.rotation),
        mirror=bool(rng.random() < 0.5),
        shift=(float(rng.uniform(-slack, slack)), float(rng.uniform(-slack, slack))),
    )  # fmt: skip
    box = tight_box(transform.to_crop_pixels(region.points))
    pixels = photometric(rng, transform.to_crop(region.pixels), augment)
    return pixels, (box.left, box.top, box.right, box.bottom)
