"""Points and rectangles that an annotation tool keeps loose in a picture, as faces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kpcli.types import FaceBox


@dataclass(frozen=True, slots=True)
class Spot:
    """A named point; ``group`` is what ties it to its face, empty where nothing does."""

    name: str
    x: float
    y: float
    visible: bool = True
    group: str = ""


@dataclass(slots=True)
class Shapes:
    """All that is drawn in one picture."""

    spots: list[Spot] = field(default_factory=list)
    boxes: list[tuple[str, FaceBox]] = field(default_factory=list)
    """(group, rectangle)."""


@dataclass(slots=True)
class Face:
    """One face's points by name, and its rectangle."""

    points: dict[str, tuple[float, float, bool]] = field(default_factory=dict)
    box: FaceBox | None = None


def faces(shapes: Shapes) -> list[Face]:
    """The faces of a picture: by the tool's groups, else by rectangles, else all points are one.

    Raises
    ------
    ValueError
        If points of one name stand twice, and nothing tells which face they belong to.
    """
    found: dict[str, Face] = {}
    for group, box in shapes.boxes:
        if group and group not in found:
            found[group] = Face(box=box)
    for spot in shapes.spots:
        if spot.group:
            _add(found.setdefault(spot.group, Face()), spot)
    loose = [spot for spot in shapes.spots if not spot.group]
    boxes = [box for group, box in shapes.boxes if not group]
    rest = _loose_faces(loose, boxes)
    return [face for face in (*found.values(), *rest) if face.points or face.box]


def _loose_faces(spots: list[Spot], boxes: list[FaceBox]) -> list[Face]:
    if len(boxes) < 2 and len({spot.name for spot in spots}) == len(spots):
        one = Face(box=boxes[0] if boxes else None)
        for spot in spots:
            _add(one, spot)
        return [one]
    made = [Face(box=box) for box in sorted(boxes, key=lambda b: b.area)]
    for spot in spots:
        around = [face for face in made if face.box and _inside(spot, face.box)]
        free = [face for face in around if spot.name not in face.points]
        if not free:
            raise ValueError(
                f"several points named {spot.name[:60]!r}, and no group or rectangle around them"
                if not around
                else f"the point {spot.name[:60]!r} stands twice in one face"
            )
        _add(free[0], spot)
    return made


def _add(face: Face, spot: Spot) -> None:
    if spot.name in face.points:
        raise ValueError(f"the point {spot.name[:60]!r} stands twice in one face")
    face.points[spot.name] = (spot.x, spot.y, spot.visible)


def _inside(spot: Spot, box: FaceBox) -> bool:
    return box.left <= spot.x <= box.right and box.top <= spot.y <= box.bottom


def bounding(places: Iterable[tuple[float, float]]) -> FaceBox:
    """The rectangle around some places, as which tools write one by two or four corners."""
    xs, ys = zip(*places, strict=True)
    return FaceBox(min(xs), min(ys), max(xs), max(ys))
