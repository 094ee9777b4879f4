"""Measures of a face: eye and mouth opening, brows, asymmetry, size, sharpness, doubt.

Lengths are counted in inter-ocular distances (between the outer eye corners), so that they do not
depend on how large the face is; "left" is the picture's left, as in the point names. Where the
head's pose is known, lengths are divided by what the turn shortens them by, as a mean 3-D face
tells (`kpcli.inference.head_pose.MEAN_FACE`). That holds for moderate turns only: beyond
`HONEST_YAW` or `HONEST_PITCH` degrees there is no value, and the asymmetry, which no turn can be
taken out of, has none beyond `SYMMETRIC_YAW`. A lowered gaze closes the upper lid like a blink
does: no correction tells them apart.

Sources: eye aspect ratio, Soukupova and Cech, "Real-time eye blink detection using facial
landmarks", CVWW 2016; asymmetry, Klingenberg, Barluenga and Meyer, "Shape analysis of symmetric
structures", Evolution 56 (2002); sharpness, Pech-Pacheco et al., "Diatom autofocusing in
brightfield microscopy", ICPR 2000 (variance of the Laplacian).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.inference.head_pose import MEAN_FACE, rotation_of
from kpcli.schemes import IBUG51, IBUG68, WFLW98, WFLW98_TO_IBUG68, LandmarkScheme, five_points
from kpcli.types import Face, FaceBox, HeadPose, Measures, Pixels, Points

HONEST_YAW = 30.0
"""Degrees to either side up to which a turn is taken out of the measures of shape.

Of 2,342 labelled faces of 300-W the farther eye's median ratio is 0.316 below 5 degrees and 0.394
from 25 to 30; corrected, 0.316 and 0.311, and still 0.296 from 30 to 40.
Command: tests/benchmarks/measures_by_turn.py ../shared/data/300w
"""
HONEST_PITCH = 20.0
"""Degrees up or down up to which the head's pitch is taken out of the measures of shape. Brow
height of 300-W's labelled faces, between level and turned ones: 0.158 to 0.227, corrected 0.192 to
0.211 (tests/benchmarks/measures_by_turn.py ../shared/data/300w).
"""
SYMMETRIC_YAW = 10.0
"""Degrees of yaw up to which the asymmetry says more about the face than about its turn. Median of
300-W's labelled faces: 0.031 below 5 degrees, 0.027 to 10, 0.043 to 15, 0.065 to 20
(tests/benchmarks/measures_by_turn.py ../shared/data/300w).
"""
DOUBT = 0.5
"""Confidence below which a point is doubtful."""
LOOKED_AT = 128
"""Side in pixels of the square at which a face's sharpness is measured, so that faces of all sizes
compare.
"""

INNER: dict[str, NDArray[np.intp]] = {
    IBUG68.name: np.arange(17, 68),
    IBUG51.name: np.arange(51),
    WFLW98.name: np.array(WFLW98_TO_IBUG68[17:]),
}
"""Schemes with measures of shape: which of their points are the 51 of ibug51."""

# Of the 51 points.
_BROWS = (slice(0, 5), slice(5, 10))
_EYES = (slice(19, 25), slice(25, 31))
_OUTER, _MOUTH, _GAPS = (19, 28), (31, 37), ((44, 50), (45, 49), (46, 48))
_LIPS = (43, 47)
_FLIP = np.array(IBUG51.flip_order)


_Shape = tuple[float, float, float, float, float, float, float]
_NO_SHAPE: _Shape = (math.nan,) * 7


def measure(face: Face, scheme: LandmarkScheme, pixels: Pixels | None = None) -> Measures:
    """All measures of a face.

    Parameters
    ----------
    face : Face
    scheme : LandmarkScheme
        Of its points; shape is measured of ibug68, ibug51 and wflw98.
    pixels : (H, W, 3) uint8 array, optional
        The frame; without it sharpness and brightness are NaN.
    """
    inner = INNER.get(scheme.name)
    shape = _NO_SHAPE if inner is None else _shape(face.points[inner], face.pose)
    look = (math.nan, math.nan) if pixels is None else appearance(pixels, face.box)
    doubtful = float(np.mean(face.point_confidences < DOUBT))
    size = math.sqrt(face.box.area)
    distance = _eye_distance(face.points, scheme)
    return Measures._make(map(float, (*shape, distance, size, *look, doubtful)))


def _eye_distance(points: Points, scheme: LandmarkScheme) -> float:
    five = five_points(points, scheme)
    return math.nan if five is None else _length(five[1] - five[0])


def _shape(points: Points, pose: HeadPose | None) -> _Shape:
    """From ``ear_left`` to ``asymmetry``, of the 51 points."""
    values = np.asarray(points, np.float64)
    turn = np.eye(3)
    if pose is not None:
        if not (abs(pose.yaw) <= HONEST_YAW and abs(pose.pitch) <= HONEST_PITCH):
            return _NO_SHAPE
        turn = rotation_of(pose.yaw, pose.pitch, 0.0)
    ocular = _length(values[_OUTER[1]] - values[_OUTER[0]]) / _length(turn[:2, 0])
    if not ocular > 0:
        return _NO_SHAPE
    upright = abs(turn[1, 1])
    lips = _length(values[_LIPS[1]] - values[_LIPS[0]]) / _length(turn[:2, 0])
    gap = sum(_length(values[b] - values[a]) for a, b in _GAPS) / len(_GAPS) / upright
    width = _length(values[_MOUTH[1]] - values[_MOUTH[0]]) / _length(turn[:2, 0])
    turned = pose is not None and abs(pose.yaw) > SYMMETRIC_YAW
    return (
        _eye_aspect(values[_EYES[0]], MEAN_FACE[_EYES[0]], turn),
        _eye_aspect(values[_EYES[1]], MEAN_FACE[_EYES[1]], turn),
        gap / lips if lips > 0 else math.nan,
        width / ocular,
        _brow(values, 0, ocular, turn),
        _brow(values, 1, ocular, turn),
        math.nan if turned else asymmetry(values) / ocular,
    )


def _eye_aspect(
    eye: NDArray[np.float64], mean: NDArray[np.float64], turn: NDArray[np.float64]
) -> float:
    """Soukupova and Cech's ratio of 6 points; each length over what the turn leaves of it."""
    across = mean[3] - mean[0]
    shortened = _length((turn @ across)[:2]) / _length(across[:2])
    width = _length(eye[3] - eye[0]) / shortened
    height = (_length(eye[5] - eye[1]) + _length(eye[4] - eye[2])) / 2 / abs(turn[1, 1])
    return height / width if width > 0 else math.nan


def _brow(
    points: NDArray[np.float64], side: int, ocular: float, turn: NDArray[np.float64]
) -> float:
    """How far the brow's middle lies above the eye's, along the face's own vertical.

    The brow lies before the eye: a nod moves it down by that depth, which is taken from the mean
    face.
    """
    across = points[_OUTER[1]] - points[_OUTER[0]]
    up = np.array([across[1], -across[0]]) / _length(across)
    seen = (points[_BROWS[side]].mean(axis=0) - points[_EYES[side]].mean(axis=0)) @ up / ocular
    depth = float(MEAN_FACE[_BROWS[side], 2].mean() - MEAN_FACE[_EYES[side], 2].mean())
    return float((seen + turn[1, 2] * depth) / turn[1, 1])


def asymmetry(points: NDArray[np.float64]) -> float:
    """Mean distance, in pixels, between 51 points and their mirror image about the own midline.

    The midline is the one about which the points and the flipped ones differ least (least
    squares): of all reflections the one by the angle whose double has the tangent b / a.
    """
    here = points - points.mean(axis=0)
    there = here[_FLIP]
    a = float((here[:, 0] * there[:, 0] - here[:, 1] * there[:, 1]).sum())
    b = float((here[:, 0] * there[:, 1] + here[:, 1] * there[:, 0]).sum())
    size = math.hypot(a, b)
    if not size > 0:
        return math.nan
    reflection = np.array([[a, b], [b, -a]]) / size
    return float(np.linalg.norm(here - there @ reflection, axis=1).mean())


def appearance(pixels: Pixels, box: FaceBox) -> tuple[float, float]:
    """Sharpness and brightness of what the box shows of the frame; NaN where that is nothing.

    Sharpness is the variance of the Laplacian of the gray picture at `LOOKED_AT` pixels a side.
    """
    height, width = pixels.shape[:2]
    left, right = (round(min(max(v, 0), width)) for v in (box.left, box.right))
    top, bottom = (round(min(max(v, 0), height)) for v in (box.top, box.bottom))
    if right - left < 2 or bottom - top < 2:
        return math.nan, math.nan
    gray = cv2.cvtColor(np.ascontiguousarray(pixels[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    shrinks = min(gray.shape) > LOOKED_AT
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    square = cv2.resize(gray, (LOOKED_AT, LOOKED_AT), interpolation=way)
    return float(cv2.Laplacian(square, cv2.CV_64F).var()), float(square.mean())


def _length(vector: NDArray[np.floating]) -> float:
    return math.hypot(float(vector[0]), float(vector[1]))
