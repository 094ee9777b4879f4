"""Yaw, pitch and roll of a head from its 68 points, by a fit of a mean 3-D face.

The camera is taken for a pinhole without distortion, its axis through the middle of the frame,
its focal length the frame's long side (a field of view of 53 degrees), but at least five times
the extent of the face: nearer than that is not a near camera but a cropped picture. Angles are in
degrees against the camera's axes; a face that looks straight along the camera's axis has 0, 0, 0.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.types import HeadPose

RIGID = (*range(17, 48), 48, 54)
"""Points that expressions move least: brows, nose, eyes and mouth corners of ibug68."""

# x right, y down, z away from the camera; origin between the outer eye corners, whose distance
# is 1; upright as people look into a camera, on the average.
# Command: tests/benchmarks/mean_face.py
# fmt: off
MEAN_FACE = np.array(
    [
        [-0.665, -0.148, 0.063], [-0.563, -0.234, -0.062], [-0.422, -0.261, -0.164],
        [-0.276, -0.242, -0.241], [-0.137, -0.190, -0.294], [0.137, -0.190, -0.294],
        [0.276, -0.242, -0.241], [0.422, -0.261, -0.164], [0.563, -0.234, -0.062],
        [0.665, -0.148, 0.063], [0.000, -0.022, -0.278], [0.000, 0.115, -0.336],
        [0.000, 0.251, -0.405], [0.000, 0.391, -0.472], [-0.165, 0.485, -0.232],
        [-0.085, 0.512, -0.268], [0.000, 0.537, -0.288], [0.085, 0.512, -0.268],
        [0.165, 0.485, -0.232], [-0.500, 0.000, 0.000], [-0.413, -0.051, -0.058],
        [-0.306, -0.050, -0.077], [-0.216, 0.018, -0.067], [-0.314, 0.038, -0.067],
        [-0.420, 0.037, -0.046], [0.216, 0.018, -0.067], [0.306, -0.050, -0.077],
        [0.413, -0.051, -0.058], [0.500, 0.000, 0.000], [0.420, 0.037, -0.046],
        [0.314, 0.038, -0.067], [-0.317, 0.744, 0.057], [0.317, 0.744, 0.057],
    ]
)
# fmt: on


def head_pose(points: NDArray[np.floating], width: int, height: int) -> HeadPose:
    """Yaw, pitch, roll in degrees of one face.

    Parameters
    ----------
    points : (68, 2) array
        Of scheme ibug68, in pixels of a frame of ``width`` times ``height``.

    Returns
    -------
    HeadPose
        Yaw is positive where the face looks to the right of the picture, pitch where it looks
        up, roll where the head is turned clockwise. NaN where the points allow no fit.
    """
    image = np.asarray(points, np.float64)[list(RIGID)]
    if not np.isfinite(image).all() or np.ptp(image, axis=0).min() < 1e-3:
        return HeadPose(math.nan, math.nan, math.nan)
    extent = float(np.ptp(image, axis=0).max())
    focal = max(float(width), float(height), 5 * extent)
    camera = np.array(
        [[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]], np.float64
    )
    # The fit starts before the camera, turned as the line from the left to the right eye is.
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    roll = math.atan2(right[1] - left[1], right[0] - left[0])
    distance = focal / extent
    middle = (image.mean(axis=0) - camera[:2, 2]) / focal * distance
    start = np.array([[0.0], [0.0], [roll]])
    shift = np.array([[middle[0]], [middle[1]], [distance]])
    solved, turn, _ = cv2.solvePnP(
        MEAN_FACE, image, camera, None, start, shift, True, cv2.SOLVEPNP_ITERATIVE
    )
    rotation = np.asarray(cv2.Rodrigues(turn)[0], np.float64)
    if not solved or not np.isfinite(rotation).all():
        return HeadPose(math.nan, math.nan, math.nan)
    return angles(rotation)


def angles(rotation: NDArray[np.float64]) -> HeadPose:
    """Yaw, pitch, roll in degrees of a rotation (3, 3) of the head: first yaw, then pitch, roll."""
    yaw = math.degrees(math.atan2(rotation[2, 0], rotation[2, 2]))
    pitch = -math.degrees(math.asin(max(-1.0, min(1.0, float(rotation[2, 1])))))
    roll = math.degrees(math.atan2(-rotation[0, 1], rotation[1, 1]))
    return HeadPose(yaw, pitch, roll)


def rotation_of(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """The rotation (3, 3) of these angles; `angles` turns it back."""
    y, p, r = -math.radians(yaw), -math.radians(pitch), math.radians(roll)
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y, np.float64)
