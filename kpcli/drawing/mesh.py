"""The triangles between a face's points."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kpcli.drawing.mean_shapes import MEAN_SHAPES
from kpcli.drawing.warp import Triangles, triangulate
from kpcli.schemes import LandmarkScheme

Edges = list[tuple[int, int]]


def mesh_edges(points: NDArray[np.floating], scheme: LandmarkScheme) -> Edges:
    """The sides of the triangles between the points (N, 2), as pairs of their numbers.

    Of known schemes they are those of the mean face, the same in every frame; else Delaunay's of
    the points that are there.
    """
    if scheme.name in MEAN_SHAPES and len(MEAN_SHAPES[scheme.name]) == len(points):
        return _known(scheme.name)
    there = np.flatnonzero(np.isfinite(points).all(axis=1))
    try:
        triangles = there[triangulate(np.asarray(points[there], np.float64))]
    except ValueError:  # fewer than three, or on a line
        return []
    return _sides(triangles)


@lru_cache(maxsize=8)
def _known(name: str) -> Edges:
    return _sides(triangulate(MEAN_SHAPES[name]))


def _sides(triangles: Triangles) -> Edges:
    ends = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    return [(int(a), int(b)) for a, b in np.unique(ends, axis=0)]
