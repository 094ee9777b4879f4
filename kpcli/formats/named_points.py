"""Faces as annotation tools keep them: points by name, in no order, some of them missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kpcli.dataset_csv import BOXES
from kpcli.errors import UsageError
from kpcli.formats.layout import label_split, natural, place
from kpcli.scheme_definition import is_point_name
from kpcli.schemes import SCHEMES, scheme_of_names
from kpcli.types import FaceBox, Reject, Sample

RARE = 0.01
"""Least share of a source's faces that must have a name for it to be a point's."""
FEW = 4
"""Number of faces from which on a name that only one of them has is taken for a mistake."""


@dataclass(slots=True)
class NamedFace:
    """One labelled face; ``points`` is name to (x, y, visible) in pixels."""

    image: Path
    label: Path
    origin: str
    points: dict[str, tuple[float, float, bool]] = field(default_factory=dict)
    box: FaceBox | None = None
    size: tuple[int, int] | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    split: str = ""
    group: str = ""
    """Where it is more than the picture: a video, a person."""


def samples(
    faces: Sequence[NamedFace],
    root: Path,
    order: Sequence[str] = (),
    edges: Iterable[tuple[str, str]] = (),
    *,
    of_many: bool = True,
) -> Iterator[Sample | Reject]:
    """The faces of a source with their points in one order, and those that have odd ones.

    Parameters
    ----------
    faces : sequence of NamedFace
    root : Path
        The source.
    order : sequence of str
        The points' order where the tool knows it; else a known scheme's, or numbers and names
        in their natural order.
    edges : iterable of (str, str)
        Points to join.
    of_many : bool
        Whether a label file holds the labels of many pictures.
    """
    names = point_order(faces, order)
    joined = [(names.index(a), names.index(b)) for a, b in edges if a in names and b in names]
    try:
        scheme = scheme_of_names(names, joined) if names else BOXES
    except UsageError as e:
        yield Reject(str(root), "damaged label", e.actual)
        return
    known = set(names)
    for face in faces:
        odd = sorted(face.points.keys() - known)
        if odd:
            detail = f"the other faces have no part named {odd[0][:60]!r}"
            yield Reject(face.origin, "damaged label", detail)
        elif face.points or face.box is not None:
            yield _sample(face, names, scheme, root, of_many)


def point_order(faces: Sequence[NamedFace], order: Sequence[str] = ()) -> list[str]:
    """The names that a source's points have, ordered; one odd name of thousands is none."""
    counts = Counter(name for face in faces for name in face.points)
    with_points = sum(bool(face.points) for face in faces)
    least = max(RARE * with_points, 2 if with_points >= FEW else 1)
    names = {name for name in counts if counts[name] >= least and is_point_name(name)}
    if names and names <= set(order):
        return [name for name in order if is_point_name(name)]
    for scheme in SCHEMES.values():
        if names == set(scheme.point_names):
            return list(scheme.point_names)
    return sorted(names, key=natural)


def _sample(
    face: NamedFace, names: Sequence[str], scheme: str, root: Path, of_many: bool
) -> Sample:
    n = len(names)
    points = np.full((n, 2), np.nan, np.float32)
    visible = np.zeros(n, bool)
    for i, name in enumerate(names):
        if name in face.points:
            x, y, seen = face.points[name]
            points[i], visible[i] = (x, y), seen
    where = place(face.image, root)
    if not where.source:  # pictures that lie elsewhere, or are yet to be found
        where = place(face.label, root)
    return Sample(
        image=face.image,
        face=face.box,
        points=points,
        visible=visible,
        scheme=scheme,
        dataset=where.dataset,
        split=face.split or label_split(face.image, root, face.label, of_many=of_many),
        group=where.group(face.image.stem) if not face.group else f"{where.dataset}/{face.group}",
        subset=where.subset,
        box_source="file" if face.box else "",
        attributes={**where.attributes, **face.attributes},
        origin=face.origin,
        size=face.size,
    )
