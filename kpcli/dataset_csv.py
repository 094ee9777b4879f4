"""The normalised CSV: one row a face. This module alone knows its column names.

Columns: ``image, root, dataset, split, subset, group, scheme, box_left, box_top, box_right,
box_bottom, box_source, occluded, attributes, x_0..x_{N-1}, y_0..y_{N-1}``. ``image`` is relative
to ``root``, and ``root``, where it is not absolute, to the CSV's folder. The box is in pixels;
coordinates are normalised to the box's square (`kpcli.geometry.box_to_unit`), empty where a point
is unlabelled. ``occluded`` lists point numbers; ``attributes`` is ``name=value`` joined by ``;``.

Rows of a scheme of the user's own have a column ``scheme_definition`` besides, with all that is
known of it (`kpcli.scheme_definition`), in every row: rows may be sorted, cut and filtered.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kpcli.errors import InputError, UsageError
from kpcli.files import CsvRows, atomic_path
from kpcli.geometry import box_to_unit, landmark_box, unit_to_box
from kpcli.schemes import get_scheme, is_own, scheme_name
from kpcli.types import FaceBox, Points, Sample

META_COLUMNS = (
    "image",
    "root",
    "dataset",
    "split",
    "subset",
    "group",
    "scheme",
    "box_left",
    "box_top",
    "box_right",
    "box_bottom",
    "box_source",
    "occluded",
    "attributes",
)
DEFINITION = "scheme_definition"
"""The column of own schemes."""
BOXES = "boxes"
"""``scheme`` of rows that hold a face box and no points (or a picture without a face)."""

SPLITS = ("train", "val", "test")

FARTHEST = 1_000_000
"""Pixels that a label may be away from the picture's corner."""
SMALLEST = 0.01
"""Pixels that the box of a face with points must measure."""


def n_points_of(scheme: str) -> int:
    """Number of points of a row of this scheme; 0 for `BOXES`."""
    return 0 if scheme == BOXES else get_scheme(scheme).n_points


def write_dataset(samples: Sequence[Sample], path: Path, root: Path) -> None:
    """Write the samples, all of one scheme, under ``path`` at once or not at all.

    Raises
    ------
    ValueError
        If schemes are mixed, or a sample with points has no box.
    """
    schemes = {s.scheme for s in samples}
    if len(schemes) > 1:
        raise ValueError(f"one CSV holds one scheme, not {sorted(schemes)}")
    scheme = schemes.pop() if schemes else BOXES
    n = n_points_of(scheme)
    own = [DEFINITION] if is_own(scheme) else []
    header = [*META_COLUMNS, *own, *(f"x_{i}" for i in range(n)), *(f"y_{i}" for i in range(n))]
    root = root.resolve()
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = CsvRows(file)
        writer.writerow(header)
        names = {image: _name(image, root) for image in {s.image for s in samples}}
        for sample in samples:
            writer.writerow(_row(sample, names[sample.image], root))


def _name(image: Path, root: Path) -> str:
    image = image.parent.resolve() / image.name
    return image.relative_to(root).as_posix() if image.is_relative_to(root) else image.as_posix()


def _row(sample: Sample, name: str, root: Path) -> list[str]:
    box = sample.face
    corners = ["", "", "", ""]
    points: list[str] = []
    if box is not None:
        corners = [f"{v:.4f}" for v in (box.left, box.top, box.right, box.bottom)]
        # The box is read back from its printed corners: normalise by exactly those.
        box = FaceBox(*(float(v) for v in corners))
    if len(sample.points):
        if box is None:
            raise ValueError(f"{sample.origin}: points without a box")
        unit = box_to_unit(sample.points, box)
        points = ["" if math.isnan(v) else f"{v:.6f}" for v in unit.T.ravel()]
    occluded = " ".join(
        str(i)
        for i, (seen, p) in enumerate(zip(sample.visible, sample.points, strict=True))
        if not seen and not np.isnan(p).any()
    )
    attributes = ";".join(f"{k}={v}".replace(";", ",") for k, v in sample.attributes.items())
    return [
        name,
        root.as_posix(),
        sample.dataset,
        sample.split,
        sample.subset,
        sample.group,
        scheme_name(sample.scheme),
        *corners,
        sample.box_source,
        occluded,
        attributes,
        *([sample.scheme] if is_own(sample.scheme) else []),
        *points,
    ]


def read_dataset(path: Path, *, split: str | None = None, root: Path | None = None) -> list[Sample]:
    """Read the rows (of one split, if given) back as samples in pixels.

    Parameters
    ----------
    path : Path
        A CSV that `write_dataset` made.
    split : str, optional
        Keep only these rows.
    root : Path, optional
        Look for the pictures here instead of under the CSV's ``root``.

    Raises
    ------
    InputError
        If the file is missing, not ours, mixes schemes or is damaged; names the line.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such CSV", next_step="make one with `kpcli prepare`")
    csv.field_size_limit(10_000_000)
    samples: list[Sample] = []
    schemes: set[str] = set()
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            missing = [c for c in META_COLUMNS if c not in header]
            if missing:
                raise InputError(
                    f"{path}: not a CSV that `kpcli prepare` writes",
                    expected=f"the columns {', '.join(META_COLUMNS)}, x_0.., y_0..",
                    actual=f"without {', '.join(missing)}",
                    next_step="run `kpcli prepare` on your dataset",
                )
            for line, values in enumerate(reader, start=2):
                if not values:
                    continue
                row = dict(zip(header, values, strict=False))
                if len(values) != len(header):
                    raise InputError(
                        f"{path}:{line}: a row of another length than the header",
                        expected=f"{len(header)} values",
                        actual=f"{len(values)}",
                    )
                row["scheme"] = _scheme(row)
                schemes.add(row["scheme"])
                if split is None or row["split"] == split:
                    samples.append(_sample(row, path, line, root))
    except (UnicodeDecodeError, csv.Error) as e:
        raise InputError(f"{path}: not a readable CSV", actual=str(e)) from e
    if len(schemes) > 1:
        raise InputError(
            f"{path}: the rows mix landmark schemes",
            expected="one scheme a CSV",
            actual=", ".join(sorted(scheme_name(s) for s in schemes)),
            next_step="run `kpcli prepare` with --scheme to convert them to one",
        )
    return samples


def _scheme(row: dict[str, str]) -> str:
    """The key of a row's scheme: its name, or what stands in the column of own schemes."""
    return sys.intern(row.get(DEFINITION) or row["scheme"])


def _sample(row: dict[str, str], path: Path, line: int, root: Path | None) -> Sample:
    try:
        n = n_points_of(row["scheme"])
        corners = [row[f"box_{side}"] for side in ("left", "top", "right", "bottom")]
        box = FaceBox(*(float(v) for v in corners)) if all(corners) else None
        base = root if root is not None else path.parent / row["root"]
        points = np.zeros((0, 2), np.float32)
        if n:
            if box is None:
                raise ValueError("points without a box")
            unit = np.array(
                [[_number(row[f"{axis}_{i}"]) for axis in "xy"] for i in range(n)], np.float64
            )
            with np.errstate(over="ignore", invalid="ignore"):
                points = unit_to_box(unit, box).astype(np.float32)
        _check_sizes(box, points)
        visible = np.logical_not(np.isnan(points).any(axis=1))
        visible[[int(i) for i in row["occluded"].split()]] = False
        attributes = dict(
            item.split("=", 1) for item in row["attributes"].split(";") if "=" in item
        )
        return Sample(
            image=base / row["image"],
            face=box,
            points=points,
            visible=visible,
            scheme=row["scheme"],
            dataset=row["dataset"],
            split=row["split"],
            group=row["group"],
            subset=row["subset"],
            box_source=row["box_source"],
            attributes=attributes,
            origin=f"{path}:{line}",
        )
    except (ValueError, KeyError, IndexError, UsageError) as e:
        raise InputError(f"{path}:{line}: a damaged row", actual=str(e)) from e


def _check_sizes(box: FaceBox | None, points: Points) -> None:
    """ValueError for places and sizes that no picture has, and that arithmetic ends at."""
    corners = [] if box is None else [box.left, box.top, box.right, box.bottom]
    labelled = points[~np.isnan(points)]
    if not (np.abs([*labelled, *corners]) <= FARTHEST).all():
        raise ValueError(f"a coordinate beyond {FARTHEST} pixels")
    if box is not None and len(points) and box.side < SMALLEST:
        raise ValueError(f"a box of less than {SMALLEST} pixels")


def _number(text: str) -> float:
    return float(text) if text else math.nan


def with_landmark_box(sample: Sample) -> Sample:
    """The sample with the box that kpcli's detectors aim at, derived from its points."""
    if not len(sample.points) or sample.scheme == BOXES:
        return sample
    box = landmark_box(sample.points, get_scheme(sample.scheme))
    return replace(sample, face=box, box_source="points")


def label_box(sample: Sample, face_box: str, size: tuple[int, int]) -> FaceBox | None:
    """The label's box of the kind that a model was trained on, see TrainOptions.face_box.

    ``size`` is the width and height in pixels of the sample's upright picture.
    """
    if face_box == "image":
        return image_box(size)
    return with_landmark_box(sample).face if face_box == "landmarks" else sample.face


def image_box(size: tuple[int, int]) -> FaceBox:
    """The box of a whole picture of this width and height, from edge to edge."""
    return FaceBox(-0.5, -0.5, size[0] - 0.5, size[1] - 0.5)
