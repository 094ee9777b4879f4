"""COCO keypoints JSON, also COCO-WholeBody's ``face_kpts``.

Visibility v: 0 is unlabelled, 1 labelled but occluded, 2 visible.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.formats.layout import find_files, read_text, split_of
from kpcli.schemes import SCHEMES, scheme_for_count
from kpcli.types import FaceBox, Reject, Sample

Values = Mapping[str, Any]


def sniff(root: Path) -> bool:
    """Whether a JSON with ``annotations`` and key points stands at or near ``root``."""
    return any(_is_coco(path) for path in find_files(root, "*.json", depth=2))


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample an annotation with labelled points; crowds and faceless people are left out."""
    for path in find_files(root, "*.json", depth=2):
        if not _is_coco(path):
            continue
        try:
            content = json.loads(read_text(path))
            images = {image["id"]: image["file_name"] for image in content["images"]}
            annotations = list(content["annotations"])
            names = {c["id"]: c.get("keypoints", []) for c in content.get("categories", [])}
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            yield Reject(str(path), "damaged file", repr(e))
            continue
        folder = _picture_folder(path, next(iter(images.values()), ""))
        for number, annotation in enumerate(annotations, start=1):
            origin = f"{path}: annotation {number}"
            try:
                sample = _sample(annotation, images, names, folder, root, origin)
            except (ValueError, KeyError, TypeError, AttributeError) as e:
                yield Reject(origin, "damaged label", repr(e))
                continue
            if sample is not None:
                yield sample


def _is_coco(path: Path) -> bool:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            has_points = text.find(b'"keypoints"') >= 0 or text.find(b'"face_kpts"') >= 0
            return has_points and text.find(b'"annotations"') >= 0
    except (OSError, ValueError):  # ValueError: an empty file
        return False


def _picture_folder(path: Path, name: str) -> Path:
    """The folder that ``file_name`` is relative to: the first near the JSON that holds it."""
    subset = path.stem
    for prefix in ("person_keypoints_", "coco_wholebody_", "instances_"):
        subset = subset.removeprefix(prefix)
    subset = subset.split("_v1", 1)[0]
    for base in (path.parent, path.parent.parent):
        for inner in ("", "images", subset, f"images/{subset}"):
            if name and (base / inner / name).is_file():
                return base / inner
    return path.parent


def _sample(
    annotation: Values,
    images: Mapping[Any, str],
    names: Mapping[Any, list[str]],
    folder: Path,
    root: Path,
    origin: str,
) -> Sample | None:
    whole_body = "face_kpts" in annotation
    values = annotation.get("face_kpts" if whole_body else "keypoints")
    if not values or annotation.get("iscrowd"):
        return None
    table = np.array(values, np.float32)
    if table.size % 3:
        raise ValueError(f"expected x, y, v of each point, found {table.size} values")
    table = table.reshape(-1, 3)
    labelled = table[:, 2] > 0
    if not labelled.any() or (whole_body and not annotation.get("face_valid", True)):
        return None
    points = table[:, :2].copy()
    points[~labelled] = np.nan
    name = images[annotation["image_id"]]
    dataset = (root if root.is_dir() else root.parent).resolve().name
    face = _box(annotation.get("face_box" if whole_body else "bbox"))
    file = origin.split(": annotation")[0]
    return Sample(
        image=folder / name,
        face=face,
        points=points,
        visible=table[:, 2] >= 2,
        scheme=_scheme([] if whole_body else names.get(annotation.get("category_id"), []), points),
        dataset=dataset,
        split=split_of(Path(file).stem, *Path(name).parts[:-1]) or "train",
        group=f"{dataset}/{Path(name).with_suffix('').as_posix()}",
        box_source="file" if face else "",
        origin=origin,
    )


def _scheme(names: list[str], points: np.ndarray[Any, Any]) -> str:
    """The scheme with exactly these point names, else by their number."""
    for scheme in SCHEMES.values():
        if tuple(names) == scheme.point_names:
            return scheme.name
    return scheme_for_count(len(points))


def _box(values: list[float] | None) -> FaceBox | None:
    if not values:
        return None
    left, top, width, height = (float(v) for v in values)
    return FaceBox(left, top, left + width, top + height)
