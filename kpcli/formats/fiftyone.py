"""FiftyOne's own layout: ``samples.json`` beside ``data/``, key points in 0..1 of the picture.

(Its COCO export, ``labels.json`` beside ``data/``, is read as COCO.) The dataset's skeletons, in
``metadata.json`` or the samples, name the points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.errors import InputError, UsageError
from kpcli.formats.layout import find_files, label_split, place, split_of
from kpcli.formats.pictures import named
from kpcli.formats.reading import encoding_of, head, read_json
from kpcli.images import upright_size
from kpcli.schemes import scheme_for_count, scheme_of_names
from kpcli.types import Reject, Sample

_LISTS = ("samples.json", "labels.json")


def sniff(root: Path) -> bool:
    """Whether a ``samples.json`` with key points stands at or near ``root``."""
    return any(_is_ours(path) for path in find_files(root, *_LISTS, depth=2))


def _is_ours(path: Path) -> bool:
    start = head(path, 1 << 20)
    text = start.decode(encoding_of(start), "replace")
    return '"samples"' in text and '"filepath"' in text and '"Keypoint' in text


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a Keypoint with a place."""
    for path in find_files(root, *_LISTS, depth=2):
        if not _is_ours(path):
            continue
        try:
            content = read_json(path)
            names, edges = _skeleton(path, content)
            listed = list(content["samples"])
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            yield Reject(str(path), "damaged file", repr(e))
            continue
        for number, entry in enumerate(listed, start=1):
            origin = f"{path}: sample {number}"
            try:
                image = named(path.parent, entry["filepath"])
                tags = [split_of(str(tag)) for tag in entry.get("tags") or []]
                split = next(filter(None, tags), None) or label_split(image, root, path)
                for keypoint in _keypoints(entry):
                    sample = _sample(keypoint, image, names, edges, root, path)
                    if sample is not None:
                        yield replace(sample, split=split, origin=origin)
            except InputError as e:
                missing = not image.exists()
                reason = "picture missing" if missing else "picture cannot be decoded"
                yield Reject(origin, reason, str(image) if missing else e.actual or e.what)
            except (ValueError, KeyError, TypeError, AttributeError) as e:
                yield Reject(origin, "damaged label", repr(e))


def _keypoints(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The Keypoint values of all fields of a sample."""
    for value in entry.values():
        if isinstance(value, dict) and value.get("_cls") == "Keypoints":
            yield from value.get("keypoints") or []
        elif isinstance(value, dict) and value.get("_cls") == "Keypoint":
            yield value


def _skeleton(path: Path, content: Mapping[str, Any]) -> tuple[list[str], list[tuple[int, int]]]:
    """The labels and edges of the dataset's skeleton; none where it has none."""
    about: Any = content
    beside = path.with_name("metadata.json")
    if beside.is_file():
        about = read_json(beside)
    skeletons = [about.get("default_skeleton"), *(about.get("skeletons") or {}).values()]
    for skeleton in filter(None, skeletons):
        chains = skeleton.get("edges") or []
        edges = [(int(a), int(b)) for chain in chains for a, b in pairwise(chain)]
        return [str(label) for label in skeleton.get("labels") or []], edges
    return [], []


def _sample(
    keypoint: Mapping[str, Any],
    image: Path,
    names: list[str],
    edges: list[tuple[int, int]],
    root: Path,
    path: Path,
) -> Sample | None:
    width, height = upright_size(image)
    rows = [[float("nan") if v is None else _float(v) for v in p] for p in keypoint["points"]]
    if not rows:
        return None
    points = (np.array(rows, np.float64).reshape(-1, 2) * (width, height)).astype(np.float32)
    labelled = ~np.isnan(points).any(axis=1)
    points[~labelled] = np.nan
    if not labelled.any():
        return None
    scheme = scheme_for_count(len(points))
    if len(names) == len(points):
        with suppress(UsageError):  # names that are none
            scheme = scheme_of_names(names, edges)
    where = place(image, root)
    return Sample(
        image=image,
        face=None,
        points=points,
        visible=np.asarray(labelled, bool),
        scheme=scheme,
        dataset=where.dataset,
        split="train",
        group=where.group(image.stem),
    )


def _float(value: Any) -> float:
    """A number, or what FiftyOne writes for one that is none: {"$numberDouble": "NaN"}."""
    return float(value["$numberDouble"] if isinstance(value, dict) else value)
