"""Frame to crop and back: the one geometry of training and inference.

Pixels have their centres at whole numbers, so a picture of W columns spans -0.5 .. W - 0.5.
Unit coordinates of a square run from -1 at its left (top) edge to 1 at its right (bottom) edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.schemes import LandmarkScheme, five_points
from kpcli.types import FaceBox, Pixels, Points

Matrix = NDArray[np.float64]

# Where the five points lie in the landmark box of an upright frontal face, as fractions of the
# box's side from its centre (so -0.5..0.5): the mean of the upright training faces of 300-W,
# made symmetric.
# Command: tests/benchmarks/reference_face.py
REFERENCE_FIVE = np.array(
    [[-0.2126, -0.3006], [0.2126, -0.3006], [0.0, -0.0607], [-0.1859, 0.1524], [0.1859, 0.1524]]
)


def box_to_unit(points: NDArray[np.floating], box: FaceBox) -> NDArray[np.float64]:
    """Pixels (..., 2) to the box's square: ``(x - centre_x) / (side / 2)``, -1..1 inside it."""
    return (np.asarray(points, np.float64) - box.centre) / (box.side / 2)


def unit_to_box(points: NDArray[np.floating], box: FaceBox) -> NDArray[np.float64]:
    """The inverse of `box_to_unit`."""
    return np.asarray(points, np.float64) * (box.side / 2) + box.centre


def tight_box(points: NDArray[np.floating]) -> FaceBox:
    """Bounding box of the points (N, 2) that are not NaN; raises ValueError without any."""
    known = points[~np.isnan(points).any(axis=1)]
    if not len(known):
        raise ValueError("no labelled point to take a box from")
    left, top = (float(v) for v in known.min(axis=0))
    right, bottom = (float(v) for v in known.max(axis=0))
    return FaceBox(left, top, right, bottom)


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> Matrix:
    """Least-squares similarity (2, 3) without reflection that takes source (N, 2) to target.

    Closed form of Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", TPAMI 1991, in two dimensions.
    """
    source = np.asarray(source, np.float64)
    target = np.asarray(target, np.float64)
    ms, mt = source.mean(axis=0), target.mean(axis=0)
    s, t = source - ms, target - mt
    norm = float((s**2).sum())
    if norm == 0:
        raise ValueError("all source points coincide")
    a = float((s * t).sum()) / norm
    b = float((s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum()) / norm
    linear = np.array([[a, -b], [b, a]])
    return np.hstack([linear, (mt - linear @ ms)[:, None]])


def landmark_box(points: NDArray[np.floating], scheme: LandmarkScheme) -> FaceBox:
    """The face box that kpcli's own detectors aim at: tight around brows to chin.

    For schemes whose points do not span the face, the box of a reference face fitted through
    eyes, nose and mouth corners; where even those are missing, the tight box.
    """
    if not scheme.tight_box:
        five = five_points(np.asarray(points, np.float32), scheme)
        if five is not None:
            known = ~np.isnan(five).any(axis=1)
            if known.sum() >= 2:
                matrix = similarity(REFERENCE_FIVE[known], five[known])
                side = math.hypot(matrix[0, 0], matrix[1, 0])
                cx, cy = matrix[:, 2]
                return FaceBox(cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2)
    return tight_box(points)


@dataclass(frozen=True)
class CropTransform:
    """A similarity between frame pixels and the pixels of a square crop.

    ``matrix`` is (2, 3) float64, frame to crop; ``size`` is the crop's side in pixels.
    """

    matrix: Matrix
    size: int

    @classmethod
    def from_box(
        cls,
        box: FaceBox,
        size: int,
        scale: float,
        *,
        rotation: float = 0.0,
        shift: tuple[float, float] = (0.0, 0.0),
        mirror: bool = False,
    ) -> CropTransform:
        """Crop of ``scale`` times the box's side around its centre.

        Parameters
        ----------
        box : FaceBox
            In frame pixels; its side must be positive.
        size : int
            Side of the crop in pixels.
        scale : float
            Side of the crop over side of the box.
        rotation : float
            Degrees by which the face turns clockwise on the screen.
        shift : (float, float)
            Moves the crop's centre in the frame, in box sides.
        mirror : bool
            Mirror left and right (points then need the scheme's flip order).
        """
        if not box.side > 0:
            raise ValueError(f"the face box has no area: {box}")
        k = size / (box.side * scale)
        cx = box.centre[0] + shift[0] * box.side
        cy = box.centre[1] + shift[1] * box.side
        angle = math.radians(rotation)
        cos, sin = k * math.cos(angle), k * math.sin(angle)
        a, b = (-cos, sin) if mirror else (cos, -sin)
        middle = (size - 1) / 2
        x, y = middle - np.array([[a, b], [sin, cos]]) @ (cx, cy)
        return cls(np.array([[a, b, x], [sin, cos, y]]), size)

    @property
    def pixels_per_pixel(self) -> float:
        """Crop pixels a frame pixel: under 1 where the crop shrinks the face."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def to_crop(self, pixels: Pixels) -> Pixels:
        """The crop (size, size, 3) uint8 of a frame (H, W, 3); outside the frame it is black."""
        matrix, factor = self.matrix, int(0.75 / max(self.pixels_per_pixel, 1e-9))
        if factor >= 2:  # shrinking: average first, or warpAffine's four taps alias
            pixels, matrix = self._shrunk(pixels, factor)
        return np.asarray(
            cv2.warpAffine(pixels, matrix, (self.size, self.size), flags=cv2.INTER_LINEAR), np.uint8
        )

    def _shrunk(self, pixels: Pixels, factor: int) -> tuple[Pixels, Matrix]:
        """The part of the frame that the crop shows, averaged over factor x factor blocks."""
        corners = self.to_frame_pixels(
            np.array([[0, 0], [self.size, 0], [0, self.size], [self.size, self.size]], np.float64)
            - 0.5
        )
        height, width = pixels.shape[:2]
        left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, [width - 1, height - 1])
        right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 1, [width, height])
        part = pixels[top : max(bottom, top + 1), left : max(right, left + 1)]
        columns = max(part.shape[1] // factor, 1)
        rows = max(part.shape[0] // factor, 1)
        fx, fy = part.shape[1] / columns, part.shape[0] / rows
        small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
        # A pixel centre u of the small picture lies at (u + 0.5) * f - 0.5 + left of the frame.
        to_frame = np.array([[fx, 0, fx / 2 - 0.5 + left], [0, fy, fy / 2 - 0.5 + top], [0, 0, 1]])
        return np.asarray(small, np.uint8), self.matrix @ to_frame

    def to_crop_pixels(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Frame pixels (..., 2) to crop pixels."""
        return np.asarray(points, np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_frame_pixels(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Crop pixels (..., 2) to frame pixels."""
        inverse = np.linalg.inv(self.matrix[:, :2])
        return (np.asarray(points, np.float64) - self.matrix[:, 2]) @ inverse.T

    def to_unit(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Frame pixels (..., 2) to unit coordinates of the crop (what models learn)."""
        return (2 * self.to_crop_pixels(points) + 1) / self.size - 1

    def to_frame(self, unit: NDArray[np.floating]) -> Points:
        """Unit coordinates (..., 2) of the crop to frame pixels, float32."""
        pixels = ((np.asarray(unit, np.float64) + 1) * self.size - 1) / 2
        return self.to_frame_pixels(pixels).astype(np.float32)


def turned_box(
    points: Points, box: FaceBox, scheme: LandmarkScheme, rotation: float
) -> tuple[FaceBox, tuple[float, float]]:
    """Box with the side of the turned face's landmark box, and the shift to its centre.

    ``points`` (N, 2) and ``box`` are in frame pixels, ``rotation`` in degrees clockwise; the shift
    is in sides of the box that is returned: what `CropTransform.from_box` takes.
    """
    turn = CropTransform.from_box(box, 256, 2.0, rotation=rotation)
    turned = landmark_box(turn.to_crop_pixels(points), scheme)
    centre = turn.to_frame_pixels(np.array(turned.centre))
    side = turned.side / turn.pixels_per_pixel
    cx, cy = box.centre
    resized = FaceBox(cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2)
    return resized, (float(centre[0] - cx) / side, float(centre[1] - cy) / side)


def flip_points(points: Points, scheme: LandmarkScheme) -> Points:
    """Reorder the points (..., N, 2) of a face that was mirrored; coordinates are left alone.

    Raises
    ------
    ValueError
        If the scheme does not know its left/right pairs.
    """
    if not scheme.flip_order:
        raise ValueError(f"scheme {scheme.name} has no left/right order; it cannot be mirrored")
    return points[..., list(scheme.flip_order), :]
