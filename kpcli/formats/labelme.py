"""labelme: a JSON a picture, with points by label; ``group_id`` tells faces apart.

Its canvas draws the picture from (0, 0) on and keeps the places of clicks in the painter's
coordinates (``Canvas.transformPos`` of labelme/widgets/canvas.py): a pixel reaches from its number
to the next, and the first one's centre is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kpcli.formats.layout import find_files
from kpcli.formats.named_points import NamedFace, samples
from kpcli.formats.pictures import PicturesBeside, named
from kpcli.formats.reading import encoding_of, head, read_json
from kpcli.formats.shapes import Shapes, Spot, bounding, faces
from kpcli.types import Reject, Sample

EDGE = 0.5
_OCCLUDED = ("occluded", "hidden", "invisible")


def sniff(root: Path) -> bool:
    """Whether a JSON with ``shapes`` stands at or below ``root``."""
    return any(_is_labelme(path) for path in find_files(root, "*.json"))


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a face; rectangles are boxes."""
    picture_beside = PicturesBeside()
    found: list[NamedFace] = []
    for path in find_files(root, "*.json"):
        if not _is_labelme(path):
            continue
        try:
            found += _faces(read_json(path), path, picture_beside)
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            reason = "damaged label" if isinstance(e, ValueError) else repr(e)
            yield Reject(str(path), "damaged label", str(e) or reason)
    yield from samples(found, root, of_many=False)


def _is_labelme(path: Path) -> bool:
    start = head(path)
    text = start.decode(encoding_of(start), "replace")
    # ``imageData``, the picture itself, may come before ``imagePath``.
    return '"shapes"' in text and any(f'"{k}"' in text for k in ("imagePath", "flags", "version"))


def _faces(content: Any, path: Path, picture_beside: PicturesBeside) -> list[NamedFace]:
    shapes = Shapes()
    for shape in content["shapes"]:
        group = shape.get("group_id")
        key = "" if group is None else str(group)
        places = [(float(x) - EDGE, float(y) - EDGE) for x, y in shape["points"]]
        kind = shape.get("shape_type") or ("point" if len(places) == 1 else "polygon")
        if kind == "point":
            ((x, y),) = places
            shapes.spots.append(Spot(str(shape["label"]), x, y, not _occluded(shape), key))
        elif kind == "rectangle":
            shapes.boxes.append((key, bounding(places)))
    image = picture_beside(path)
    if content.get("imagePath"):
        by_name = named(path.parent, content["imagePath"])
        image = by_name if by_name.exists() or not image.exists() else image
    size = (content.get("imageWidth"), content.get("imageHeight"))
    return [
        NamedFace(
            image,
            path,
            str(path) if i == 0 else f"{path}: face {i + 1}",
            face.points,
            face.box,
            (int(size[0]), int(size[1])) if size[0] and size[1] else None,
        )
        for i, face in enumerate(faces(shapes))
    ]


def _occluded(shape: Mapping[str, Any]) -> bool:
    flags = shape.get("flags") or {}
    return any(flags.get(name) for name in _OCCLUDED)
