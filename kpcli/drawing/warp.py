"""Move pictures onto faces: similarity, triangles, and the laying of one picture over another.

All pictures that are warped are premultiplied RGBA (H, W, 4) uint8: edges stay soft and take no
colour from what is transparent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.geometry import Matrix
from kpcli.types import Pixels

Points64 = NDArray[np.float64]
Triangles = NDArray[np.int64]
"""(T, 3) numbers of points."""

FAR = 20.0
"""A picture is not drawn that would come out larger than so many frames."""

THIN = 1e-3
"""A triangle that is this much narrower than the others is seen from the side."""


@dataclass(frozen=True)
class Region:
    """A rectangle of whole pixels, right and bottom excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def empty(self) -> bool:
        return self.right <= self.left or self.bottom <= self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def origin(self) -> Points64:
        return np.array([self.left, self.top], np.float64)


def region_of(points: Points64, pixels: Pixels, margin: float = 1.0) -> Region:
    """What of the frame lies around points (N, 2); empty where nothing does."""
    height, width = pixels.shape[:2]
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    if not np.isfinite([low, high]).all() or (high - low).max() > FAR * max(width, height):
        return Region(0, 0, 0, 0)
    left, top = (max(0, math.floor(v)) for v in low)
    right, bottom = min(width, math.ceil(high[0]) + 1), min(height, math.ceil(high[1]) + 1)
    return Region(left, top, right, bottom)


class Layered:
    """A picture (H, W, 4) and, where it is shrunk, its halves, quarters ..: no aliasing."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    @cached_property
    def levels(self) -> list[NDArray[np.uint8]]:
        found = [self.pixels]
        while min(found[-1].shape[:2]) >= 8:
            height, width = found[-1].shape[:2]
            half = (max(1, width // 2), max(1, height // 2))
            found.append(
                np.asarray(cv2.resize(found[-1], half, interpolation=cv2.INTER_AREA), np.uint8)
            )
        return found

    def level(self, scale: float) -> tuple[NDArray[np.uint8], Points64]:
        """The picture for a drawing of this scale, and its width and height over the full ones."""
        number = max(0, math.floor(math.log2(1 / max(scale, 1e-6)) + 0.25))
        chosen = self.levels[min(number, len(self.levels) - 1)]
        ratio = np.array(chosen.shape[1::-1]) / self.pixels.shape[1::-1]
        return chosen, ratio


def premultiplied(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Straight alpha (H, W, 4) as premultiplied."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    colour = np.rint(rgba[..., :3] * alpha).astype(np.uint8)
    return np.concatenate([colour, rgba[..., 3:]], axis=2)


def over(pixels: Pixels, layer: NDArray[np.uint8], region: Region, opacity: float = 1.0) -> None:
    """Lay a premultiplied picture of the region's size over the frame, in place."""
    under = pixels[region.slices]
    weight = 1 - layer[..., 3:].astype(np.float32) * (opacity / 255)
    mixed = under * weight + layer[..., :3] * np.float32(opacity)
    pixels[region.slices] = np.rint(mixed).clip(0, 255).astype(np.uint8)


def warp_affine(picture: Layered, matrix: Matrix, region: Region) -> NDArray[np.uint8]:
    """The part of the frame with the picture drawn by ``matrix`` (2, 3), picture to frame."""
    chosen, ratio = picture.level(_scale(matrix[:, :2]))
    to_full = _rescale(ratio)
    moved = np.vstack([matrix, [0, 0, 1]]) @ to_full
    moved[:2, 2] -= region.origin
    size = (region.right - region.left, region.bottom - region.top)
    return np.asarray(cv2.warpAffine(chosen, moved[:2], size, flags=cv2.INTER_LINEAR), np.uint8)


def warp_triangles(
    picture: Layered, source: Points64, target: Points64, triangles: Triangles, region: Region
) -> NDArray[np.uint8]:
    """As `warp_affine`, where each triangle of the source points goes to that of the target's.

    What lies in no triangle, or in one that is turned over, stays transparent.
    """
    shape = (region.bottom - region.top, region.right - region.left)
    kept = triangles[turned_over(source, target, triangles) == 0]
    if not len(kept):
        return np.zeros((*shape, 4), np.uint8)
    matrices = triangle_matrices(target - region.origin, source, kept)
    owner = np.full(shape, -1, np.int32)
    corners = np.rint((target - region.origin)[kept] * 16).clip(-(2**26), 2**26).astype(np.int32)
    for number, triangle in enumerate(corners):
        cv2.fillConvexPoly(owner, triangle, (number,), cv2.LINE_8, 4)
    rows, columns = np.nonzero(owner >= 0)
    scale = float(np.median([_scale(m[:, :2]) for m in matrices]))
    chosen, ratio = picture.level(1 / max(scale, 1e-6))
    mine = matrices[owner[rows, columns]]
    at = mine[:, :, 0] * columns[:, None] + mine[:, :, 1] * rows[:, None] + mine[:, :, 2]
    x, y = np.full((2, *shape), -10, np.float32)
    x[rows, columns], y[rows, columns] = ((at + 0.5) * ratio - 0.5).T
    return np.asarray(cv2.remap(chosen, x, y, cv2.INTER_LINEAR), np.uint8)


def triangle_matrices(source: Points64, target: Points64, triangles: Triangles) -> Points64:
    """Affine maps (T, 2, 3) that take each triangle of the source points to the target's."""
    corners = np.concatenate([source[triangles], np.ones((len(triangles), 3, 1))], axis=2)
    return np.asarray(np.linalg.solve(corners, target[triangles]).transpose(0, 2, 1))


def turned_over(source: Points64, target: Points64, triangles: Triangles) -> NDArray[np.bool_]:
    """Which triangles (T,) the target shows from behind, or as a line."""
    before, after = _areas(source, triangles), _areas(target, triangles)
    mean = np.abs(after).sum() / max(float(np.abs(before).sum()), 1e-12)
    return np.asarray(after * np.sign(before) <= THIN * mean * np.abs(before))


def triangulate(points: Points64) -> Triangles:
    """Delaunay triangles (T, 3) of points (N, 2); of several at one place, the first counts.

    Raises
    ------
    ValueError
        If the points lie on a line.
    """
    low, span = points.min(axis=0), float(np.ptp(points, axis=0).max())
    if not np.isfinite(span) or span <= 0:
        raise ValueError("the points coincide")
    # OpenCV keeps corners as float32: whole numbers come back as they are.
    places = np.rint((points - low) / span * 4000).astype(int)
    first: dict[tuple[int, int], int] = {}
    for i, (x, y) in enumerate(places):
        first.setdefault((int(x), int(y)), i)
    grid = cv2.Subdiv2D((-10, -10, 4021, 4021))
    for x, y in first:
        grid.insert((float(x), float(y)))
    corners = np.rint(grid.getTriangleList()).astype(int).reshape(-1, 3, 2)
    found = [[first.get((int(x), int(y)), -1) for x, y in three] for three in corners]
    triangles = np.array([three for three in found if min(three) >= 0], np.int64).reshape(-1, 3)
    triangles = triangles[np.abs(_areas(points, triangles)) > 1e-6 * span**2]
    if not len(triangles):
        raise ValueError("the points lie on a line")
    return triangles


def _areas(points: Points64, triangles: Triangles) -> Points64:
    """Twice the signed areas (T,)."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    u, v = b - a, c - a
    return np.asarray(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])


def _scale(linear: Points64) -> float:
    return math.sqrt(abs(float(np.linalg.det(linear))))


def _rescale(ratio: Points64) -> Points64:
    """From pixels of a shrunk picture to those of the full one, centres at whole numbers."""
    (x, y) = 1 / ratio
    return np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])
