"""AFLW2000-3D (``NAME.mat`` with ``pt3d_68``) and 300W-LP (``NAME_pts.mat`` with ``pts_2d``).

Coordinates are taken as they stand. The jaw is that of a 3D face: hidden parts included.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.formats.layout import find_files
from kpcli.formats.matlab import read_arrays
from kpcli.formats.pictures import PicturesBeside
from kpcli.types import Points, Reject, Sample

_POSES = re.compile(r"(_\d{1,2})?_\d+\Z")
_POINTS = {"pts_2d": False, "pt3d_68": True, "pt2d": True}
"""Variables with the points, the surest first, and whether they are transposed."""
_POSE = "Pose_Para"


def sniff(root: Path) -> bool:
    """Whether ``_pts.mat`` files, or ``.mat`` files with pictures beside them, are there."""
    picture_beside = PicturesBeside()
    return any(
        _is_pts(path) or picture_beside(path).exists()
        for path in find_files(root, "*.mat", depth=4)
        if not path.name.lower().startswith("cofw")
    )


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a file; where there are ``_pts.mat`` files, the other ``.mat`` are no labels."""
    picture_beside = PicturesBeside()
    files = list(find_files(root, "*.mat"))
    if any(_is_pts(path) for path in files):
        files = [path for path in files if _is_pts(path)]
    for path in files:
        try:
            values = read_arrays(path, (*_POINTS, _POSE))
        except (OSError, ValueError) as e:
            yield Reject(str(path), "damaged file", str(e))
            continue
        try:
            points = _points(values)
            if _is_pts(path):
                sample = _lp_sample(path, points, picture_beside)
            else:
                sample = _sample(path, points, values, picture_beside(path))
        except ValueError as e:
            yield Reject(str(path), "damaged label", str(e))
            continue
        yield sample


def _is_pts(path: Path) -> bool:
    return path.stem.endswith("_pts")


def _points(values: Mapping[str, NDArray[Any]]) -> Points:
    """The points (68, 2) of a .mat file's variables."""
    for name, transposed in _POINTS.items():
        if name in values:
            with np.errstate(over="ignore"):
                found = values[name].astype(np.float32)
            points = found.T if transposed else found
            if points.ndim == 2 and points.shape[0] == 68 and points.shape[1] >= 2:
                return np.ascontiguousarray(points[:, :2])
    shapes = {name: value.shape for name, value in values.items()}
    raise ValueError(f"expected pt3d_68 (3, 68) or pts_2d (68, 2), found {shapes}")


def _lp_sample(path: Path, points: Points, picture_beside: PicturesBeside) -> Sample:
    """300W-LP: labels in ``landmarks/SET/``, pictures in ``SET/``; ``SET_Flip`` is mirrored."""
    stem = path.stem.removesuffix("_pts")
    image = picture_beside(path.with_name(f"{stem}.mat"))
    if path.parent.parent.name == "landmarks":
        folder = path.parent.parent.parent / path.parent.name
        if folder.is_dir():
            image = picture_beside(folder / f"{stem}.mat")
    return Sample(
        image=image,
        face=None,
        points=points,
        visible=np.ones(68, bool),
        scheme="ibug68",
        dataset="300w-lp",
        split="train",
        group=f"300w-lp/{_POSES.sub('', stem)}",
        attributes={"source": path.parent.name},
        origin=str(path),
    )


def _sample(path: Path, points: Points, values: Mapping[str, NDArray[Any]], image: Path) -> Sample:
    """AFLW2000-3D, a test set; its pose gives the subset by yaw."""
    subset, attributes = "", {}
    pose = np.ravel(values.get(_POSE, ()))
    if len(pose) >= 3:
        degrees = [math.degrees(float(v)) for v in pose[:3]]
        attributes = {
            name: f"{v:.2f}" for name, v in zip(("pitch", "yaw", "roll"), degrees, strict=True)
        }
        turned = abs(degrees[1])
        subset = "yaw 0-30" if turned <= 30 else "yaw 30-60" if turned <= 60 else "yaw 60-90"
    return Sample(
        image=image,
        face=None,
        points=points,
        visible=np.ones(68, bool),
        scheme="ibug68",
        dataset="aflw2000",
        split="test",
        group=f"aflw2000/{path.stem}",
        subset=subset,
        attributes=attributes,
        origin=str(path),
    )
