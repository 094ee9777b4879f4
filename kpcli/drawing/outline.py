"""The outline of a face, from jaw to forehead, and soft masks of outlines."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.drawing.places import places
from kpcli.drawing.warp import Region
from kpcli.schemes import LandmarkScheme

NEEDED_BY_OUTLINE = ("jaw", "left_brow", "right_brow")
_SHIFT = 4  # cv2 fills polygons with 1/16 pixel precision


def with_forehead(
    points: NDArray[np.float64], scheme: LandmarkScheme, height: float
) -> NDArray[np.float64]:
    """The points (N, 2), and those of the brows once more, higher up.

    ``height`` is in distances from the chin to the brows.
    """
    known = places(scheme)
    jaw = known["jaw"]
    brows = points[[*known["left_brow"], *known["right_brow"]]]
    up = brows.mean(axis=0) - points[jaw[len(jaw) // 2]]
    return np.vstack([points, brows + height * up])


def outline(
    points: NDArray[np.float64], scheme: LandmarkScheme, forehead: float
) -> NDArray[np.float64]:
    """The convex polygon (K, 2) around jaw, brows and forehead; empty where a point is missing."""
    known = places(scheme)
    raised = with_forehead(points, scheme, forehead)
    around = raised[
        [*(i for n in NEEDED_BY_OUTLINE for i in known[n]), *range(len(points), len(raised))]
    ]
    if not np.isfinite(around).all():
        return np.empty((0, 2))
    hull = cv2.convexHull(around.astype(np.float32))
    return np.asarray(hull, np.float64).reshape(-1, 2)


def soft_mask(
    polygon: NDArray[np.float64], region: Region, feather: float, *, inwards: bool = False
) -> NDArray[np.float32]:
    """The polygon (K, 2) of frame pixels within a region, (h, w) in 0..1.

    Parameters
    ----------
    polygon : (K, 2) array
    region : Region
    feather : float
        Pixels from 0 to 1, about.
    inwards : bool
        Nothing lies outside the polygon; else its line is where the mask is 1/2.
    """
    mask = np.zeros((region.bottom - region.top, region.right - region.left), np.uint8)
    corners = np.rint((polygon - region.origin) * (1 << _SHIFT)).clip(-(2**26), 2**26)
    cv2.fillPoly(mask, [corners.astype(np.int32)], (255,), cv2.LINE_AA, _SHIFT)
    soft = cv2.GaussianBlur(mask, (0, 0), max(feather / 2, 0.3), borderType=cv2.BORDER_CONSTANT)
    found = np.asarray(soft, np.float32) / np.float32(255)
    return np.asarray(np.clip(2 * found - 1, 0, 1) if inwards else found, np.float32)
