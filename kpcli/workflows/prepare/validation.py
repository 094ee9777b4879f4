"""The one place that decides whether a label can be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpcli.dataset_csv import BOXES, FARTHEST, SMALLEST, n_points_of
from kpcli.schemes import five_points, get_scheme
from kpcli.types import FaceBox, Points, Reject, Sample

FAR_OUTSIDE = 2.0
"""Distance outside the picture, in `face_radius` (about 0.7 face widths), beyond which a point is
wrong.
"""
SMALLEST_FACE = 2.0
"""Extent in pixels within which all points lie of what is no face."""
THINNEST_FACE = 0.06
"""Least ratio of a face's two spreads: below it the points lie on one line."""
SWAP_MARGIN = 0.35
"""Width of eyes or mouth in the wrong direction, in lengths from eyes to mouth, that counts as
swapped. Frontal faces have 0.9 and 0.7 in the right one, full profiles about 0."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is known of a picture: its upright size, or why it cannot be used.

    ``stored`` is (width, height) before EXIF's ``orientation`` (1: none) turns it.
    """

    width: int = 0
    height: int = 0
    missing: bool = False
    problem: str = ""
    stored: tuple[int, int] = (0, 0)
    orientation: int = 1
    lacking: str = ""
    """What is wrong with the end of a picture that is read all the same."""
    rows: int = 0
    """Rows of such a picture that are there; those below show nothing."""


Found = tuple[str, str] | None
"""A reason and its detail."""


def check(sample: Sample, picture: PictureFacts) -> Reject | None:
    """The first reason why the sample cannot be used, or None."""
    for rule in (_picture, _size, _end, _number, _finite, _outside, _degenerate, _box, _swapped):
        found = rule(sample, picture)
        if found:
            return Reject(sample.origin, *found)
    return None


def _picture(sample: Sample, picture: PictureFacts) -> Found:
    if picture.missing:
        return "picture missing", str(sample.image)
    if picture.problem:
        return "picture cannot be decoded", f"{sample.image}: {picture.problem}"
    return None


def _size(sample: Sample, picture: PictureFacts) -> Found:
    """A picture that was resized after it was labelled has all its points elsewhere."""
    if sample.size is None or sample.size in ((picture.width, picture.height), picture.stored):
        return None
    told = f"the label file says {sample.size[0]} x {sample.size[1]}"
    detail = f"the picture is {picture.width} x {picture.height}, {told}"
    return "size differs from the label file's", detail


def _end(sample: Sample, picture: PictureFacts) -> Found:
    """What a picture cut short does not show cannot be labelled."""
    if not picture.lacking or sample.face is None:
        return None
    y = sample.points[:, 1]
    lowest = float(np.nanmax(y)) if np.isfinite(y).any() else sample.face.bottom
    if lowest <= picture.rows:
        return None
    return "picture ends above the face's end", f"{picture.rows} of {picture.height} rows are there"


def _number(sample: Sample, picture: PictureFacts) -> Found:
    expected = n_points_of(sample.scheme)
    if len(sample.points) != expected:
        return "wrong number of points", f"expected {expected}, found {len(sample.points)}"
    return None


def _finite(sample: Sample, picture: PictureFacts) -> Found:
    """An unlabelled point is NaN and not visible; any other NaN or infinity is damage."""
    if sample.scheme == BOXES:
        return None
    unlabelled = np.isnan(sample.points).all(axis=1) & ~sample.visible
    bad = ~np.isfinite(sample.points).all(axis=1) & ~unlabelled
    if bad.any():
        return "coordinate is not a number", f"point {int(bad.argmax())}"
    if unlabelled.all():
        return "no point is labelled", ""
    return None


def _box(sample: Sample, picture: PictureFacts) -> Found:
    box = sample.face
    if box is None:
        return None
    corners = (box.left, box.top, box.right, box.bottom)
    detail = " ".join(f"{v:g}" for v in corners)
    if not all(abs(v) <= FARTHEST for v in corners):  # nor is a NaN
        return "box far outside the picture", detail
    if sample.attributes.get("invalid") == "1" and sample.scheme == BOXES:
        return None
    if box.area <= 0 or box.side < SMALLEST:
        return "box without area", detail
    frame = FaceBox(-0.5, -0.5, picture.width - 0.5, picture.height - 0.5)
    if sample.scheme == BOXES and box.iou(frame) == 0:
        return "box outside the picture", f"a picture of {picture.width} x {picture.height}"
    return None


def _degenerate(sample: Sample, picture: PictureFacts) -> Found:
    points = _known(sample)
    if len(points) < 3:
        return None
    span = float(np.ptp(points, axis=0).max())
    if span < SMALLEST_FACE:
        return "points in a degenerate cluster", f"all within {span:.2g} pixels"
    distinct = len(np.unique(points, axis=0))
    if distinct <= len(points) / 2:
        detail = f"{len(points)} points at {distinct} places"
        return "points in a degenerate cluster", detail
    if len(points) >= 5:
        spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if spread[1] < THINNEST_FACE * spread[0]:
            return "points in a degenerate cluster", "all on one line"
        if face_radius(points) < 0.02 * span:
            return "points in a degenerate cluster", "half of them at one place"
    return None


def face_radius(points: Points) -> float:
    """Median distance of the points from their median: a size that one stray point leaves alone."""
    return float(np.median(np.linalg.norm(points - np.median(points, axis=0), axis=1)))


def _outside(sample: Sample, picture: PictureFacts) -> Found:
    points = _known(sample)
    if not len(points):
        return None
    last = np.array([picture.width - 0.5, picture.height - 0.5])
    beyond = np.maximum(np.maximum(-0.5 - points, points - last), 0).max(axis=1)
    allowed = FAR_OUTSIDE * face_radius(points)
    if beyond.max() > allowed:
        x, y = points[int(beyond.argmax())]
        detail = f"({x:.1f}, {y:.1f}) in a picture of {picture.width} x {picture.height}"
        return "point far outside the picture", detail
    if (beyond > 0).mean() > 0.5:
        detail = f"{(beyond > 0).sum()} of {len(points)} points"
        return "point far outside the picture", detail
    return None


def _swapped(sample: Sample, picture: PictureFacts) -> Found:
    """Left and right exchanged: the face is a mirror image of any face, however turned.

    Walking from the left eye to the right one, the mouth lies to the right hand on a picture
    (y down), upside-down faces included. In profiles the eyes nearly coincide and the sign
    means nothing, so only a clear violation counts.
    """
    if sample.scheme == BOXES:
        return None
    five = five_points(sample.points, get_scheme(sample.scheme))
    if five is None or np.isnan(five[[0, 1, 3, 4]]).any():
        return None
    eyes = (five[1] - five[0]).astype(np.float64)
    mouth = (five[4] - five[3]).astype(np.float64)
    down = (five[3] + five[4] - five[0] - five[1]).astype(np.float64) / 2
    length = float(np.hypot(*down))
    if length == 0:
        return None
    # Widths of eyes and mouth across the face's downward axis, in lengths of that axis.
    across = np.array([down[1], -down[0]]) / length**2
    for name, width in (("eyes", eyes @ across), ("mouth corners", mouth @ across)):
        if width < -SWAP_MARGIN:
            return "left and right swapped", f"the {name} run from right to left"
    return None


def _known(sample: Sample) -> Points:
    return sample.points[~np.isnan(sample.points).any(axis=1)]
