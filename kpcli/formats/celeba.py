"""CelebA: list files of 5 points, boxes and the partition; in the wild or aligned.

Kaggle's copy has CSVs (without the count, with commas) and a folder within a folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kpcli.errors import InputError
from kpcli.formats.layout import find_files, folder_near, holds, is_count
from kpcli.formats.reading import read_text
from kpcli.types import FaceBox, Reject, Sample

_WILD, _ALIGNED = "list_landmarks_celeba", "list_landmarks_align_celeba"
_LISTS = tuple(f"{name}{ending}" for name in (_WILD, _ALIGNED) for ending in (".txt", ".csv"))
_IMAGES = "image_id"
"""First column of a header line of Kaggle's CSV lists."""
_SPLITS = {"0": "train", "1": "val", "2": "test"}


def sniff(root: Path) -> bool:
    """Whether CelebA's landmark list stands at or near ``root``."""
    return holds(root, *_LISTS, depth=2)


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a line of the landmark list whose pictures are there."""
    path, images, aligned = _landmark_list(root)
    # The boxes are those of the pictures in the wild; aligned ones have none.
    boxes = {} if aligned else _table(root, "list_bbox_celeba")
    splits = _table(root, "list_eval_partition")
    people = _table(root, "identity_CelebA")
    try:
        lines = read_text(path).splitlines()
    except InputError as e:
        yield Reject(str(path), "damaged file", e.actual)
        return
    is_csv = path.suffix.lower() == ".csv"
    heads = 1 if is_csv else 2
    rows = [
        (n, _cells(line)) for n, line in enumerate(lines, start=1) if n > heads and line.strip()
    ]
    promised = lines[0].strip() if lines else ""
    if is_csv:
        pass  # no count to hold it to
    elif not is_count(promised):
        yield Reject(f"{path}:1", "damaged list", "line 1 must be the number of faces")
    elif int(promised) != len(rows):
        detail = f"line 1 promises {promised} faces, {len(rows)} are there"
        yield Reject(f"{path}:1", "damaged list", detail)
    for number, values in rows:
        name, origin = values[0], f"{path}:{number}"
        try:
            split = _split(splits, name)
            face = _box(boxes, name)
            if len(values) != 11:
                raise ValueError(f"expected a name and 10 numbers, found {len(values)} values")
            points = np.array([float(v) for v in values[1:]], np.float32).reshape(5, 2)
        except ValueError as e:
            yield Reject(origin, "damaged label", str(e))
            continue
        yield Sample(
            image=_picture(images, name),
            face=face,
            points=points,
            visible=np.ones(5, bool),
            scheme="celeba5",
            dataset="celeba",
            split=split,
            group=f"celeba/{people[name][0] if people.get(name) else Path(name).stem}",
            box_source="file" if face else "",
            origin=origin,
        )


def _landmark_list(root: Path) -> tuple[Path, Path, bool]:
    """The landmark list, its folder of pictures, and whether it is the aligned one."""
    lists = {p.stem.lower(): p for p in find_files(root, *_LISTS, depth=2)}
    for name, folders in (
        (_WILD, ("img_celeba",)),
        (_ALIGNED, ("img_align_celeba", "img_align_celeba_png")),
    ):
        if name in lists:
            images = folder_near(lists[name].parent, *folders, levels=3)
            if images:
                twice = images / images.name
                return lists[name], twice if twice.is_dir() else images, name == _ALIGNED
    # No pictures: the samples' pictures are reported missing, one by one.
    name, path = next(iter(lists.items()))
    return path, path.parent / "img_celeba", name == _ALIGNED


def _table(root: Path, name: str) -> dict[str, list[str]]:
    """A list file as name to values; empty where there is none."""
    base = root if root.is_dir() else root.parent.parent
    rows = (
        _cells(line)
        for path in find_files(base, f"{name}.txt", f"{name}.csv", depth=2)
        for line in read_text(path).splitlines()
    )
    return {row[0]: row[1:] for row in rows if len(row) > 1 and row[0] != _IMAGES}


def _cells(line: str) -> list[str]:
    return line.replace(",", " ").split()


def _split(splits: dict[str, list[str]], name: str) -> str:
    if not splits:
        return "train"
    number = splits.get(name, [""])[0]
    if number not in _SPLITS:
        raise ValueError(f"{name} has no split in list_eval_partition (0, 1 or 2)")
    return _SPLITS[number]


def _box(boxes: dict[str, list[str]], name: str) -> FaceBox | None:
    """The box in the list, which may be 0x0; None where there is none."""
    if name not in boxes:
        return None
    left, top, width, height = (float(v) for v in boxes[name])
    return FaceBox.from_xywh(left, top, width, height)


def _picture(images: Path, name: str) -> Path:
    """The picture; the PNG copy of the aligned set keeps ``.jpg`` names in its lists."""
    path = images / name
    return path.with_suffix(".png") if images.name.endswith("_png") else path
