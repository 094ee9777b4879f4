"""What the writers print of a face: numbers of fixed digits, the head's pose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.types import Face, HeadPose, Measures


def pose_of(face: Face) -> HeadPose | None:
    """The head's pose, None where it is not known."""
    return face.pose if face.pose and math.isfinite(sum(face.pose)) else None


def measured(face: Face) -> NDArray[np.float32]:
    """The face's measures, NaN where there are none."""
    return np.array(face.measures or [np.nan] * len(Measures._fields), np.float32)


def printed_numbers(values: NDArray[Any], pattern: str, none: str = "", between: str = ",") -> str:
    """Values in C order, each by the pattern; ``none`` where one is no number.

    One ``%`` for all of them: a fifth of the time of one format a value.
    """
    flat = values.ravel().tolist()
    text = between.join([pattern] * len(flat)) % tuple(flat)
    if "n" in text:  # nan or inf
        return between.join(pattern % v if math.isfinite(v) else none for v in flat)
    return text


def printed_rows(values: NDArray[Any], pattern: str, between: str = ",") -> str:
    """Rows (N, M) of numbers, each by a pattern of M places."""
    return between.join([pattern] * len(values)) % tuple(values.ravel().tolist())


def euler_xyz(pose: HeadPose) -> tuple[float, float, float]:
    """The same rotation as angles about x, y, z in radians, applied as R = Rx * Ry * Rz.

    Axes of a camera: x right, y down, z away. OpenFace gives these three (its
    ``RotationMatrix2Euler``); py-feat draws a head by them (`feat.plotting.draw_facepose`). Ours
    are angles of R = Rz * Rx * Ry about the same axes.
    """
    y, x, z = -math.radians(pose.yaw), -math.radians(pose.pitch), math.radians(pose.roll)
    sx, sy, sz = math.sin(x), math.sin(y), math.sin(z)
    cx, cy, cz = math.cos(x), math.cos(y), math.cos(z)
    right = (cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy)
    down_away, away = sz * sy - cz * sx * cy, cx * cy
    return (
        math.atan2(-down_away, away),
        math.asin(max(-1.0, min(1.0, right[2]))),
        math.atan2(-right[1], right[0]),
    )
