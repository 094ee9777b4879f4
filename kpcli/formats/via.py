"""VGG Image Annotator (VIA 1 and 2): its project, its JSON and its CSV of regions.

Points are named by a region attribute (the first of `NAMES`, else the only one); a further
attribute of `GROUPS` tells faces apart, else a rectangle around them. A polyline is a face whose
points are numbered.

Its numbers are whole pixels: the place of a click in the canvas, counted from 0, times the scale,
rounded (``Math.round(_via_click_x0 * _via_canvas_scale)`` of via.js). Of a picture in its own size
that is the number of the pixel that was clicked, so (0, 0) is the first one's centre.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kpcli.formats.layout import find_files
from kpcli.formats.named_points import NamedFace, samples
from kpcli.formats.pictures import named
from kpcli.formats.reading import encoding_of, head, read_json, read_rows
from kpcli.formats.shapes import Shapes, Spot, faces
from kpcli.types import FaceBox, Reject, Sample

NAMES = ("name", "label", "point", "keypoint", "landmark", "part", "type", "class", "points")
GROUPS = ("face", "face_id", "group", "group_id", "person", "instance", "track", "object_id")
_POLYLINES = ("polyline", "polygon")
_CSV = {"filename", "region_shape_attributes", "region_attributes"}


def sniff(root: Path) -> bool:
    """Whether a JSON or CSV with VIA's regions stands at or near ``root``."""
    return any(_is_json(p) for p in find_files(root, "*.json", depth=2)) or any(
        _is_csv(p) for p in find_files(root, "*.csv", depth=2)
    )


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a face."""
    found: list[NamedFace] = []
    for path in find_files(root, "*.json", "*.csv", depth=2):
        is_json = path.suffix.lower() == ".json"
        if not (_is_json(path) if is_json else _is_csv(path)):
            continue
        try:
            pictures = _of_json(path) if is_json else _of_csv(path)
        except (ValueError, OSError, KeyError, TypeError, AttributeError) as e:
            yield Reject(str(path), "damaged file", str(e) or repr(e))
            continue
        for name, regions in pictures:
            origin = f"{path}: {name[:200]}"
            try:
                found += _faces(name, regions, path, origin)
            except (ValueError, KeyError, TypeError, AttributeError) as e:
                detail = str(e) if isinstance(e, ValueError) else repr(e)
                yield Reject(origin, "damaged label", detail)
    yield from samples(found, root)


def _is_json(path: Path) -> bool:
    start = head(path, 1 << 20)
    text = start.decode(encoding_of(start), "replace")
    return '"shape_attributes"' in text and '"regions"' in text


def _is_csv(path: Path) -> bool:
    try:
        _, header = next(read_rows(path, ","), (0, []))
    except (OSError, ValueError):
        return False
    return {cell.strip().lstrip("#") for cell in header} >= _CSV


def _of_json(path: Path) -> list[tuple[str, list[Any]]]:
    content = read_json(path)
    files = content.get("_via_img_metadata", content)
    pictures = []
    for entry in files.values():
        if isinstance(entry, dict) and "regions" in entry:
            regions = entry["regions"]  # VIA 1 numbers them in an object
            listed = list(regions.values()) if isinstance(regions, dict) else list(regions)
            pictures.append((str(entry["filename"]), listed))
    return pictures


def _of_csv(path: Path) -> list[tuple[str, list[Any]]]:
    rows = read_rows(path, ",")
    _, header = next(rows)
    names = [cell.strip().lstrip("#") for cell in header]
    pictures: dict[str, list[Any]] = {}
    for line, values in rows:
        row = dict(zip(names, values, strict=False))
        try:
            region = {
                key: json.loads(row[f"region_{key}"] or "{}")
                for key in ("shape_attributes", "attributes")
            }
        except (KeyError, ValueError, RecursionError) as e:
            raise ValueError(f"line {line}: {e!r}") from e
        shape = {
            "shape_attributes": region["shape_attributes"],
            "region_attributes": region["attributes"],
        }
        pictures.setdefault(row["filename"], []).append(shape)
    return list(pictures.items())


def _faces(name: str, regions: list[Any], path: Path, origin: str) -> list[NamedFace]:
    shapes = Shapes()
    for number, region in enumerate(regions):
        shape = region["shape_attributes"]
        about = region.get("region_attributes") or {}
        group = next((f"{k} {about[k]}" for k in GROUPS if about.get(k) not in (None, "")), "")
        kind = shape.get("name")
        if kind == "point":
            spot = Spot(
                _name(about), float(shape["cx"]), float(shape["cy"]), not _hidden(about), group
            )
            shapes.spots.append(spot)
        elif kind == "rect":
            left, top, width, height = (float(shape[k]) for k in ("x", "y", "width", "height"))
            shapes.boxes.append((group, FaceBox.from_xywh(left, top, width, height)))
        elif kind in _POLYLINES:
            places = zip(shape["all_points_x"], shape["all_points_y"], strict=True)
            own = group or f"line {number}"
            shapes.spots += [
                Spot(str(i), float(x), float(y), True, own) for i, (x, y) in enumerate(places)
            ]
    image = named(path.parent, name)
    return [NamedFace(image, path, origin, f.points, f.box) for f in faces(shapes)]


def _name(about: Mapping[str, Any]) -> str:
    """The point's name: of the attributes that could be one, the likeliest."""
    texts = {k: v for k, v in about.items() if k not in GROUPS and not isinstance(v, dict)}
    for key in (*NAMES, *texts):
        for own, value in texts.items():
            if own.lower() == key.lower() and str(value) != "":
                return str(value)
    raise ValueError("a point without a name: give its region an attribute such as `name`")


def _hidden(about: Mapping[str, Any]) -> bool:
    said = about.get("occluded", about.get("hidden"))
    return str(said).lower() in ("1", "true", "yes")
