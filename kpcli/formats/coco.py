"""COCO keypoints JSON, COCO-WholeBody's ``face_kpts``; also as Roboflow and FiftyOne lay it out.

Visibility v: 0 is unlabelled, 1 labelled but occluded, 2 visible. Some tools leave v out; then
all points are visible, but for those at (0, 0). A category's key point names and skeleton are
the scheme.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.errors import UsageError
from kpcli.formats.layout import find_files, label_split, place
from kpcli.formats.pictures import named
from kpcli.formats.reading import encoding_of, head, open_binary, read_json
from kpcli.formats.unlabelled import told
from kpcli.schemes import get_scheme, scheme_for_count, scheme_of_names
from kpcli.types import FaceBox, Note, Points, Reject, Sample

Values = Mapping[str, Any]
CVAT_EDGE = 0.5
"""CVAT counts from the first pixel's edge, we from its centre."""
_TRIED = 40
"""Pictures by which the folder of a file's pictures is found."""
_FOLDERS = ("", "images", "data", "imgs", "pictures")


def sniff(root: Path) -> bool:
    """Whether a JSON with ``annotations`` and key points stands at or near ``root``."""
    return any(_is_coco(path) for path in find_files(root, "*.json", depth=3))


def read(root: Path) -> Iterator[Sample | Reject | Note]:
    """One sample an annotation with labelled points; crowds and faceless people are left out."""
    return told(_read(root))


def _read(root: Path) -> Iterator[Sample | Reject]:
    for path in find_files(root, "*.json", depth=3):
        if _is_coco(path):
            try:
                content = read_json(path)
            except ValueError as e:
                yield Reject(str(path), "damaged file", str(e))
                continue
            shift = CVAT_EDGE if from_cvat(content) else 0.0
            yield from faces_of(content, path, root, shift)


def faces_of(
    content: Any, path: Path, root: Path, shift: float, shown: str = ""
) -> Iterator[Sample | Reject]:
    """The samples of a COCO document that stands at ``path``; ``shift`` is taken off all places.

    ``shown`` is what messages call it, where that is not its path.
    """
    shown = shown or str(path)
    try:
        images = {i["id"]: i for i in content["images"] if isinstance(i, dict) and "id" in i}
        annotations = list(content["annotations"])
        categories = {c["id"]: _scheme(c) for c in content.get("categories") or []}
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        yield Reject(shown, "damaged file", repr(e))
        return
    folder = _picture_folder(path, [str(i.get("file_name", "")) for i in images.values()])
    for number, annotation in enumerate(annotations, start=1):
        origin = f"{shown}: annotation {number}"
        try:
            image = images[annotation["image_id"]]
            sample = _sample(annotation, image, categories, folder, path, root, origin, shift)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as e:
            yield Reject(origin, "damaged label", repr(e))
            continue
        if sample is not None:
            yield sample


def _is_coco(path: Path) -> bool:
    words = ('"annotations"', '"keypoints"', '"face_kpts"', '"images"')
    start = head(path)
    if b'"shapes"' in start:
        return False  # labelme's: the picture in it may be large
    encoding = encoding_of(start).replace("-sig", "")
    if encoding == "utf-16":
        encoding = "utf-16-le" if start[:2] == b"\xff\xfe" else "utf-16-be"
    try:
        with (
            open_binary(path) as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
        ):
            rows, points, face, images = (text.find(w.encode(encoding)) >= 0 for w in words)
            return rows and images and (points or face)
    except (OSError, ValueError):  # ValueError: an empty file
        return False


def from_cvat(content: Any) -> bool:
    """Whether CVAT exported it: its licence without a name, and its attributes of shapes."""
    try:
        nameless = content["licenses"] == [{"name": "", "id": 0, "url": ""}]
        return nameless and any(
            "occluded" in (a.get("attributes") or {}) for a in content["annotations"][:50]
        )
    except (KeyError, TypeError, AttributeError):
        return False


def _picture_folder(path: Path, names: Sequence[str]) -> Path:
    """The folder that ``file_name`` is relative to: the one near the JSON that holds most."""
    subset = path.stem
    for prefix in ("person_keypoints_", "coco_wholebody_", "instances_"):
        subset = subset.removeprefix(prefix)
    subset = subset.split("_v1", 1)[0]
    tried = [name for name in names[:: max(1, len(names) // _TRIED)] if name and "\0" not in name]
    folders = [
        base / inner
        for base in (path.parent, path.parent.parent)
        for inner in (*_FOLDERS, subset, f"images/{subset}")
    ]

    def holds(folder: Path) -> int:
        return sum(_is_file(folder, name) for name in tried)

    return max(folders, key=holds)


def _is_file(folder: Path, name: str) -> bool:
    try:
        return named(folder, name).is_file()
    except (OSError, ValueError):
        return False


def _sample(
    annotation: Values,
    image: Values,
    categories: Mapping[Any, str],
    folder: Path,
    path: Path,
    root: Path,
    origin: str,
    shift: float,
) -> Sample | None:
    whole_body = "face_kpts" in annotation
    values = annotation.get("face_kpts" if whole_body else "keypoints")
    if not values or annotation.get("iscrowd"):
        return None
    if whole_body and not annotation.get("face_valid", True):
        return None
    scheme = "" if whole_body else categories.get(annotation.get("category_id"), "")
    points, visibility = _points(values, get_scheme(scheme).n_points if scheme else 0)
    if not (visibility > 0).any():
        return None
    points[visibility <= 0] = np.nan
    if not scheme or get_scheme(scheme).n_points != len(points):
        scheme = scheme_for_count(len(points))
    picture = named(folder, image["file_name"])
    where = place(picture, root)
    if not where.source:
        where = place(path, root)
    video = image.get("video")  # the frames of one are one group
    face = _box(annotation.get("face_box" if whole_body else "bbox"), shift)
    return Sample(
        image=picture,
        face=face,
        points=points - np.float32(shift),
        visible=visibility >= 2,
        scheme=scheme,
        dataset=where.dataset,
        split=label_split(picture, root, path),
        group=f"{where.dataset}/{video}" if video else where.group(picture.stem),
        box_source="file" if face else "",
        origin=origin,
        size=_size(image),
    )


def _points(values: Any, n_points: int) -> tuple[Points, Points]:
    """Points (N, 2) and their visibility (N,) of x, y, v or, from some tools, x, y each."""
    table = np.array(values, np.float32).ravel()
    if table.size % 3 == 0 and table.size != 2 * n_points:
        rows = table.reshape(-1, 3)
        if table.size == 3 * n_points or table.size % 2 or set(rows[:, 2].tolist()) <= {0, 1, 2}:
            return rows[:, :2].copy(), rows[:, 2]
    if table.size % 2 or (n_points and table.size != 2 * n_points):
        raise ValueError(f"expected x, y, v of each point, found {table.size} values")
    rows = table.reshape(-1, 2)
    return rows.copy(), np.where((rows == 0).all(axis=1), 0, 2).astype(np.float32)


def _scheme(category: Values) -> str:
    """The scheme of a category's names and skeleton (from 1); nothing where it has none."""
    names = category.get("keypoints")
    if not isinstance(names, list) or not names:
        return ""
    links = [pair for pair in category.get("skeleton") or [] if len(pair) == 2]
    first = 0 if any(0 in pair for pair in links) else 1
    edges = [(int(a) - first, int(b) - first) for a, b in links]
    try:
        return scheme_of_names([str(name) for name in names], edges)
    except UsageError:  # names that are none: only their number tells
        return scheme_for_count(len(names))


def _box(values: Sequence[float] | None, shift: float) -> FaceBox | None:
    if not values:
        return None
    left, top, width, height = (float(v) for v in values)
    return FaceBox(left - shift, top - shift, left + width - shift, top + height - shift)


def _size(image: Values) -> tuple[int, int] | None:
    """The picture's size where the file tells it; tools that do not know write 0."""
    width, height = image.get("width"), image.get("height")
    if isinstance(width, (int, float)) and isinstance(height, (int, float)):
        return (int(width), int(height)) if width >= 1 and height >= 1 else None
    return None
