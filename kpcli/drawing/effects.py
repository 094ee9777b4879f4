"""Effects that change the faces' own pixels: face swap, make-up, background out of focus."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.drawing.fitting import shown_points, yaw_of
from kpcli.drawing.outline import outline, soft_mask, with_forehead
from kpcli.drawing.pen import Colour
from kpcli.drawing.places import place, places
from kpcli.drawing.warp import Layered, Region, region_of, triangulate, warp_triangles
from kpcli.schemes import LandmarkScheme
from kpcli.types import Face, Pixels

SWAP_FOREHEAD = 0.12
"""How far above the brows a swapped face reaches, in distances from chin to brows."""
FOREHEAD = 0.5
"""The same of the outline, up to the hair."""
FEATHER = 0.08
"""Of a swapped face's edge, in its widths."""
ROUGE = (196, 40, 72)
LIPS, CHEEKS = 0.62, 0.34
"""How much of the tint."""
CHEEK_SIZE = 0.34
"""Standard deviation of the rouge, in distances between the eyes."""
BLUR = 0.02
"""Standard deviation of the background's blur, in the frame's long sides."""

Floats = NDArray[np.float32]


def swap_faces(pixels: Pixels, faces: Sequence[Face], scheme: LandmarkScheme) -> None:
    """Let the faces change places, two by two in the order of their ids; in place.

    Each is bent onto the other by triangles and takes its brightness and colours. Of an odd
    number the last stays.
    """
    ordered = sorted(faces, key=lambda face: face.track)
    before = pixels.copy()
    for a, b in zip(ordered[::2], ordered[1::2], strict=False):
        for giver, taker in ((a, b), (b, a)):
            put_face(before, shown_points(giver), pixels, shown_points(taker), scheme)


def put_face(
    source: Pixels,
    source_points: NDArray[np.float64],
    pixels: Pixels,
    points: NDArray[np.float64],
    scheme: LandmarkScheme,
) -> None:
    """Put the face at ``source_points`` (N, 2) of one picture onto that of another, in place."""
    edge = outline(points, scheme, SWAP_FOREHEAD)
    theirs = with_forehead(source_points, scheme, SWAP_FOREHEAD)
    mine = with_forehead(points, scheme, SWAP_FOREHEAD)
    if not len(edge) or not np.isfinite(theirs).all() or not np.isfinite(mine).all():
        return
    region, cut = region_of(edge, pixels, 3), region_of(theirs, source, 3)
    if region.empty or cut.empty:
        return
    try:
        triangles = triangulate(_normal(theirs) + _normal(mine))
    except ValueError:  # a face without area
        return
    part = source[cut.slices]
    layer = Layered(np.dstack([part, np.full(part.shape[:2], 255, np.uint8)]))
    warped = warp_triangles(layer, theirs - cut.origin, mine, triangles, region)
    width = float(np.ptp(edge, axis=0).min())
    weight = soft_mask(edge, region, FEATHER * width, inwards=True)
    weight = weight * (warped[..., 3] == 255)
    under = pixels[region.slices]
    face = matched(np.ascontiguousarray(warped[..., :3]), under, weight)
    pixels[region.slices] = _mixed(under, face, weight)


def _normal(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shape without its place and size."""
    middle: NDArray[np.float64] = points - points.mean(axis=0)
    return middle / max(float(np.abs(middle).max()), 1e-9)


def matched(face: Pixels, under: Pixels, weight: Floats) -> Pixels:
    """The face with the means and spreads of colour that the picture under it has."""
    inside = weight > 0.5
    if inside.sum() < 16:
        return face
    there, here = _lab(face), _lab(under)
    mean, goal = there[inside].mean(axis=0), here[inside].mean(axis=0)
    gain = here[inside].std(axis=0) / np.maximum(there[inside].std(axis=0), 1e-3)
    return _rgb((there - mean) * gain.clip(0.5, 1.6) + goal)


def make_up(
    pixels: Pixels, face: Face, scheme: LandmarkScheme, colour: Colour | None = None
) -> None:
    """Tint lips and cheeks of a face of the frame, in place; light and shadow stay."""
    points = shown_points(face)
    known = places(scheme)
    lips = points[list(known["outer_lip"])]
    left, right = (place(points, scheme, [name]) for name in ("left_eye", "right_eye"))
    distance = float(np.linalg.norm(right - left))
    if not distance > 0:  # also where an eye is missing
        return
    cheeks = _cheeks(points, scheme, yaw_of(face, scheme))
    around = np.vstack(
        [lips, *(c + s * 3 * CHEEK_SIZE * distance for c, _ in cheeks for s in (-1, 1))]
    )
    if not np.isfinite(around).all():
        return
    region = region_of(around, pixels, 3)
    if region.empty:
        return
    tint = soft_mask(lips, region, 0.05 * distance)
    tint = tint * (1 - soft_mask(points[list(known["inner_lip"])], region, 0.02 * distance))
    tint = LIPS * tint + _rouge(region, cheeks, distance) * _within(
        points, scheme, region, distance
    )
    lab, goal = _lab(pixels[region.slices]), _lab(np.array([[colour or ROUGE]], np.uint8))[0, 0]
    strength = np.clip(tint, 0, 1)[..., None] * np.array([0.3, 1, 1], np.float32)
    shadowless = lab.copy()
    shadowless[..., 0] = np.minimum(lab[..., 0], goal[0] + 0.6 * (lab[..., 0] - goal[0]))
    shadowless[..., 1:] = goal[1:]
    pixels[region.slices] = _rgb(lab + (shadowless - lab) * strength)


def _cheeks(
    points: NDArray[np.float64], scheme: LandmarkScheme, yaw: float
) -> list[tuple[NDArray[np.float64], float]]:
    """Where the rouge goes, and how much of it is seen: the far cheek turns away."""
    nose = place(points, scheme, ["nose_tip"])
    found = []
    for side, sign in (("left", -1), ("right", 1)):
        eye = place(points, scheme, [f"{side}_eye"])
        between = (eye + place(points, scheme, [f"mouth_{side}"])) / 2
        seen = 1 - min(1.0, max(0.0, (sign * yaw - 15) / 25))
        found.append((between + 0.28 * (between - nose), seen))
    return found


def _rouge(
    region: Region, cheeks: Sequence[tuple[NDArray[np.float64], float]], distance: float
) -> Floats:
    y, x = np.mgrid[region.top : region.bottom, region.left : region.right].astype(np.float32)
    total = np.zeros(y.shape, np.float32)
    for (cx, cy), seen in cheeks:
        squares = ((x - cx) ** 2 + (y - cy) ** 2) / (CHEEK_SIZE * distance) ** 2
        total += (CHEEKS * seen * np.exp(-squares / 2)).astype(np.float32)
    return total


def _within(
    points: NDArray[np.float64], scheme: LandmarkScheme, region: Region, distance: float
) -> Floats | float:
    """No rouge beside the face, where its outline is known."""
    if not {"jaw", "left_brow", "right_brow"} <= places(scheme).keys():
        return 1.0
    edge = outline(points, scheme, 0)
    return soft_mask(edge, region, 0.2 * distance, inwards=True) if len(edge) else 1.0


def blur_background(pixels: Pixels, faces: Sequence[Face], scheme: LandmarkScheme) -> None:
    """Put all but the faces, as their outlines tell, out of focus; in place.

    The faces' colours do not run into the background.
    """
    height, width = pixels.shape[:2]
    whole = Region(0, 0, width, height)
    focus = np.zeros((height, width), np.float32)
    for face in faces:
        edge = outline(shown_points(face), scheme, FOREHEAD)
        region = region_of(edge, pixels, 0.3 * face.box.side) if len(edge) else None
        if region is not None and not region.empty:
            part = focus[region.slices]
            part[:] = np.maximum(part, soft_mask(edge, region, 0.12 * face.box.side))
    sigma = BLUR * max(width, height)
    step = max(1, int(sigma / 3))  # a blurred picture needs few pixels
    size = (max(1, width // step), max(1, height // step))
    behind = cv2.resize(1 - focus, size, interpolation=cv2.INTER_AREA) + np.float32(1e-3)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) * behind[..., None]
    blurred = cv2.GaussianBlur(small, (0, 0), sigma / step)
    weight = cv2.GaussianBlur(behind, (0, 0), sigma / step)[..., None]
    full = cv2.resize(
        np.asarray(blurred / weight, np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    )
    pixels[whole.slices] = _mixed(np.rint(full).clip(0, 255).astype(np.uint8), pixels, focus)


def _mixed(under: Pixels, above: Pixels, weight: Floats) -> Pixels:
    mixed = under + (above.astype(np.float32) - under) * weight[..., None]
    return np.asarray(np.rint(mixed).clip(0, 255), np.uint8)


def _lab(pixels: Pixels) -> Floats:
    return np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _rgb(lab: Floats) -> Pixels:
    rgb = cv2.cvtColor(np.ascontiguousarray(lab, np.float32), cv2.COLOR_LAB2RGB)
    return np.asarray(np.rint(rgb * 255).clip(0, 255), np.uint8)
