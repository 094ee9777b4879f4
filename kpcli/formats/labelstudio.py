"""Label Studio's JSON export: tasks with key points in percent of the picture.

Annotations that people made win over predictions. Rectangles are boxes; a point belongs to the
rectangle that is its parent (``parentID``), or else that it lies in. The labelling configuration,
where it lies beside (an XML with ``<KeyPointLabels>``), gives the order of the points.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.parsers import expat

from kpcli.formats.layout import find_files
from kpcli.formats.named_points import NamedFace, samples
from kpcli.formats.pictures import named
from kpcli.formats.reading import encoding_of, head, open_binary, read_json
from kpcli.formats.shapes import Shapes, Spot, faces
from kpcli.types import FaceBox, Reject, Sample

EDGE = 0.5
"""Label Studio counts from the first pixel's edge, we from its centre."""
_FACE = re.compile(r"\A(?:face|person|head)[ _#:-]*(\d+)\Z", re.IGNORECASE)
_UPLOAD = re.compile(r"\A[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of a picture that was uploaded."""


def sniff(root: Path) -> bool:
    """Whether a JSON of tasks with key points stands at or near ``root``."""
    return any(_is_ours(path) for path in find_files(root, "*.json", depth=2))


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a face of every task that has points."""
    found: list[NamedFace] = []
    for path in find_files(root, "*.json", depth=2):
        if not _is_ours(path):
            continue
        try:
            tasks = read_json(path)
        except ValueError as e:
            yield Reject(str(path), "damaged file", str(e))
            continue
        for number, task in enumerate(tasks if isinstance(tasks, list) else [tasks], start=1):
            origin = f"{path}: task {number}"
            try:
                found += _faces(task, path, origin)
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as e:
                detail = str(e) if isinstance(e, ValueError) else repr(e)
                yield Reject(origin, "damaged label", detail)
    yield from samples(found, root, _label_order(root))


def _is_ours(path: Path) -> bool:
    start = head(path, 1 << 20)
    text = start.decode(encoding_of(start), "replace")
    if '"keypointlabels"' not in text:
        return False
    whole = '"data"' in text and ('"annotations"' in text or '"predictions"' in text)
    return (whole or '"original_width"' in text) and '"categories"' not in text


def _faces(task: Any, path: Path, origin: str) -> list[NamedFace]:
    results = _results(task)
    points = [r for r in results if "keypointlabels" in r.get("value", r)]
    if not points:
        return []
    size = _size(points)
    shapes = _shapes(results, size)
    name = picture_name(task, points)
    image = named(path.parent, name)
    if not image.exists():
        image = named(path.parent, _UPLOAD.sub("", name))
    return [NamedFace(image, path, origin, face.points, face.box, size) for face in faces(shapes)]


def _results(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The regions of the task's newest annotation, else of its prediction, else (MIN) its own."""
    for key in ("annotations", "completions", "predictions"):
        for made in reversed(task.get(key) or []):
            if made.get("result") and not made.get("was_cancelled"):
                return list(made["result"])
    if "data" in task:
        return []
    lists = [v for v in task.values() if isinstance(v, list)]
    return [r for values in lists for r in values if isinstance(r, dict) and "x" in r]


def _size(points: list[Mapping[str, Any]]) -> tuple[int, int]:
    sizes = {(int(r["original_width"]), int(r["original_height"])) for r in points}
    if len(sizes) > 1 or any(not 0 < n < 10**6 for n in next(iter(sizes))):
        raise ValueError(f"the picture is said to be of the sizes {sorted(sizes)}")
    if any(r.get("image_rotation") for r in points):
        raise ValueError("the picture was turned in Label Studio, which its files are not")
    return sizes.pop()


def _shapes(results: list[Mapping[str, Any]], size: tuple[int, int]) -> Shapes:
    shapes = Shapes()
    parents = {r.get("parentID") for r in results} - {None, ""}
    for r in results:
        value = r.get("value", r)
        if not isinstance(value, dict) or "x" not in value:
            continue  # a choice, a text, a polygon
        x, y = (float(value[k]) * n / 100 - EDGE for k, n in zip("xy", size, strict=True))
        key = str(r.get("id", "")) if r.get("id") in parents else ""
        if "keypointlabels" in value:
            group = str(r["parentID"]) if r.get("parentID") else _told_face(r)
            seen = "occluded" not in str(r.get("meta", "")).lower()
            shapes.spots.append(Spot(str(value["keypointlabels"][0]), x, y, seen, group))
        elif "rectanglelabels" in value or r.get("type") in ("rectangle", "rectanglelabels"):
            width, height = (
                float(value[k]) * n / 100 for k, n in zip(("width", "height"), size, strict=True)
            )
            shapes.boxes.append((key, FaceBox.from_xywh(x, y, width, height)))
    return shapes


def _told_face(region: Mapping[str, Any]) -> str:
    """The face that a note (``face 2``) of the region names, as `kpcli annotate` writes them."""
    for text in (region.get("meta") or {}).get("text") or []:
        if _FACE.match(str(text)):
            return str(text)
    return ""


def picture_name(task: Mapping[str, Any], points: list[Mapping[str, Any]]) -> str:
    """The picture of a task: of an upload, a local file, a cloud's address or a plain name."""
    data = task.get("data", task)
    keys = (points[0].get("to_name"), "image", "img", "$undefined$")
    named_so = [data[k] for k in keys if isinstance(data.get(k), str)]
    others = [v for v in data.values() if isinstance(v, str) and "." in v]
    text = str(next(iter((*named_so, *others)), ""))
    if not text:
        raise ValueError("the task names no picture")
    if "://" not in text and not text.startswith("/data/"):
        return text
    address = urlsplit(text)
    local = parse_qs(address.query).get("d")
    if local:
        return local[0].lstrip("/")
    name = unquote(address.path).lstrip("/")
    return name.rsplit("/", 1)[-1] if name.startswith("data/upload/") else name


def _label_order(root: Path) -> list[str]:
    """The points' names in a labelling configuration's order; none where there is none."""
    names: list[str] = []
    inside = False

    def start(tag: str, values: dict[str, str]) -> None:
        nonlocal inside
        inside = inside or tag == "KeyPointLabels"
        if inside and tag == "Label" and values.get("value"):
            names.append(values["value"])

    def end(tag: str) -> None:
        nonlocal inside
        inside = inside and tag != "KeyPointLabels"

    for path in find_files(root if root.is_dir() else root.parent, "*.xml", depth=1):
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = start, end
        try:
            with open_binary(path) as file:
                parser.ParseFile(file)
        except (expat.ExpatError, OSError):
            continue
        if names:
            return list(dict.fromkeys(names))
    return []
