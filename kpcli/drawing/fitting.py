"""A sticker on a face: where it goes, how it turns with the head, when it is hidden."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kpcli.drawing.places import place, places
from kpcli.drawing.stickers import Sticker
from kpcli.drawing.warp import Triangles, over, region_of, triangulate, warp_affine, warp_triangles
from kpcli.geometry import Matrix, similarity
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, Pixels

FADE = 10.0
"""Degrees of yaw over which a sticker fades before it is hidden: nothing blinks at the limit."""
NARROWEST = 0.2
"""Width of a flat sticker over its full one, at least."""

# By kpcli.inference.head_pose.MEAN_FACE: how far the nose's tip lies before the eyes' middles,
# over their distance.
NOSE_BEFORE_EYES = 0.58


def shown_points(face: Face) -> NDArray[np.float64]:
    """The points (N, 2) that pictures are laid on: the smoothed ones, where they were asked for."""
    return np.asarray(face.points if face.smoothed is None else face.smoothed, np.float64)


def yaw_of(face: Face, scheme: LandmarkScheme) -> float:
    """Degrees by which the head is turned to the right of the picture.

    The pose's, where there is one; else by how far the nose's tip is from between the eyes, which
    holds to about 10 degrees; 0 where even those are not known.
    """
    if face.pose is not None and math.isfinite(face.pose.yaw):
        return face.pose.yaw
    if not {"left_eye", "right_eye", "nose_tip"} <= places(scheme).keys():
        return 0.0
    points = shown_points(face)
    left, right, nose = (
        place(points, scheme, [name]) for name in ("left_eye", "right_eye", "nose_tip")
    )
    line = right - left
    square = float(line @ line)
    off = float((nose - (left + right) / 2) @ line)
    if not math.isfinite(off) or square + abs(off) == 0:
        return 0.0
    return math.degrees(math.atan2(off / NOSE_BEFORE_EYES, square))


def opacity_at(sticker: Sticker, yaw: float) -> float:
    """1 on a face that is seen, 0 on one that is turned away further than the sticker allows."""
    return min(1.0, max(0.0, (sticker.hide_beyond - abs(yaw)) / FADE))


def fitted(sticker: Sticker, targets: NDArray[np.float64], yaw: float) -> Matrix:
    """The matrix (2, 3) from the sticker's pixels to the frame's, by similarity.

    Parameters
    ----------
    sticker : Sticker
    targets : (A, 2) array
        Where its anchors go.
    yaw : float
        Degrees; the face is narrower by its cosine, and so is a flat sticker.
    """
    at = np.array([anchor.at for anchor in sticker.anchors])
    middle = at.mean(axis=0)
    narrow = np.array([max(math.cos(math.radians(yaw)), NARROWEST), 1.0])
    matrix = similarity((at - middle) * narrow, targets)
    if sticker.turn == "flat":
        matrix[:, :2] *= narrow
    matrix[:, 2] -= matrix[:, :2] @ middle
    return matrix


def draw_sticker(pixels: Pixels, face: Face, scheme: LandmarkScheme, sticker: Sticker) -> None:
    """Lay the sticker on one face of the frame (H, W, 3), in place."""
    points, yaw = shown_points(face), yaw_of(face, scheme)
    opacity = opacity_at(sticker, yaw)
    targets = np.array([place(points, scheme, anchor.to) for anchor in sticker.anchors])
    spread = float(np.ptp(targets, axis=0).max())
    if opacity <= 0 or not math.isfinite(spread) or spread <= 0:
        return
    if sticker.fit == "similarity":
        matrix = fitted(sticker, targets, yaw)
        corners = sticker.corners @ matrix[:, :2].T + matrix[:, 2]
        region = region_of(corners, pixels)
        if not region.empty:
            over(pixels, warp_affine(sticker.picture, matrix, region), region, opacity)
        return
    source, target = bent(sticker, targets)
    region = region_of(target, pixels)
    if not region.empty:
        layer = warp_triangles(sticker.picture, source, target, _triangles(sticker), region)
        over(pixels, layer, region, opacity)


def bent(
    sticker: Sticker, targets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Anchors and the picture's corners (A + 4, 2), and where they go.

    The corners go where the affine map that fits the anchors best takes them.
    """
    at = np.array([anchor.at for anchor in sticker.anchors])
    corners = sticker.corners
    affine = np.linalg.lstsq(_with_ones(at), targets, rcond=None)[0]
    return np.vstack([at, corners]), np.vstack([targets, _with_ones(corners) @ affine])


def _with_ones(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hstack([points, np.ones((len(points), 1))])


@lru_cache(maxsize=64)
def _triangles(sticker: Sticker) -> Triangles:
    at = np.array([anchor.at for anchor in sticker.anchors])
    return triangulate(np.vstack([at, sticker.corners]))
