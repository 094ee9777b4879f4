"""Groups of faces whose error is told apart: subsets, attributes, sizes, and what is asked for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from kpcli.dataset_csv import with_landmark_box
from kpcli.errors import UsageError
from kpcli.images import upright_size
from kpcli.inference.head_pose import head_pose
from kpcli.metrics import Floats, Score, score
from kpcli.schemes import can_convert, convert_points
from kpcli.types import Sample
from kpcli.workflows.evaluate.result import Evaluation

SIZES = (0, 32, 64, 96, 128, 256, math.inf)
"""Edges in pixels of the landmark box's side: the far and the near face."""
YAWS = (0, 15, 30, 45, 60, 90)
"""Edges in degrees of the turn to either side."""
MOST_VALUES = 20
"""Most values of an attribute whose groups are tabled; with more it is a name or an angle."""
PARTS = 4
"""Groups of equally many faces into which an attribute of many numbers is cut."""

Scores = Mapping[str, Score]

SIZE_NAMES = [
    f"{low}-{high} px" if math.isfinite(high) else f"from {low} px"
    for low, high in itertools.pairwise(SIZES)
]


def score_of(evaluation: Evaluation, errors: Floats) -> Score:
    """Metrics of these errors by the evaluation's options."""
    options = evaluation.options
    return score(errors, evaluation.protocol.cut, resamples=options.bootstrap, seed=options.seed)


def by_name(evaluation: Evaluation, names: Sequence[str], order: Iterable[str] = ()) -> Scores:
    """Scores of the faces that share a name; faces without a name are left out."""
    keys = [k for k in order if k in names] or sorted(set(names) - {""})
    labels = np.array(names)
    return {key: score_of(evaluation, evaluation.errors[labels == key]) for key in keys}


def subset_names(evaluation: Evaluation) -> list[str]:
    """The subset of each face, with its dataset where the split mixes several."""
    samples = [face.sample for face in evaluation.faces]
    several = len({s.dataset for s in samples}) > 1
    if several:
        return [f"{s.dataset}/{s.subset}" if s.subset else s.dataset for s in samples]
    return [s.subset for s in samples]


def sizes(evaluation: Evaluation) -> list[str]:
    """The class of `SIZES` that each face belongs to."""
    return [size_name(face.sample) for face in evaluation.faces]


def size_name(sample: Sample) -> str:
    """The class of `SIZES` that a face belongs to."""
    box = with_landmark_box(sample).face
    side = box.side if box is not None else 0.0
    return SIZE_NAMES[int(np.searchsorted(SIZES[1:-1], side, side="right"))]


def attributes(evaluation: Evaluation) -> Scores:
    """Scores by every attribute of few values."""
    scores: dict[str, Score] = {}
    for name in _attribute_names(evaluation):
        column = [face.sample.attributes.get(name, "") for face in evaluation.faces]
        there = [value for value in column if value]
        alone = len(there) > 1 and len(set(there)) == len(there)  # a time, a name: no groups
        if len(set(column)) <= MOST_VALUES and not alone:
            scores |= by_name(evaluation, [f"{name}={v}" if v else "" for v in column])
    return scores


def _attribute_names(evaluation: Evaluation) -> list[str]:
    return list(dict.fromkeys(n for face in evaluation.faces for n in face.sample.attributes))


def chosen_groups(evaluation: Evaluation) -> Scores:
    """Scores by all that the option ``by`` names, as ``NAME=VALUE``.

    ``dataset``, ``subset``, ``group`` (a person, a video), ``size``, ``yaw`` (of 68-point labels,
    in degrees to either side) or an attribute; one of many numbers is cut into quarters.

    Raises
    ------
    UsageError
        If there are too many values of one.
    """
    scores: dict[str, Score] = {}
    for name in evaluation.options.by:
        values, order = _values(evaluation, name)
        if len(set(values)) > MOST_VALUES:
            raise UsageError(
                f"--by {name}: too many groups",
                expected=f"at most {MOST_VALUES} values",
                actual=str(len(set(values))),
            )
        named = [f"{name}={value}" if value else "" for value in values]
        scores |= by_name(evaluation, named, [f"{name}={value}" for value in order])
    return scores


def check_names(samples: Sequence[Sample], names: Iterable[str]) -> None:
    """Raise UsageError if the rows have nothing of such a name; before anything is scored."""
    there = list(dict.fromkeys(name for sample in samples for name in sample.attributes))
    for name in names:
        if name not in (*_KNOWN, *there):
            raise UsageError(
                f"--by {name}: the rows have no such name", expected=", ".join([*_KNOWN, *there])
            )


def _values(evaluation: Evaluation, name: str) -> tuple[list[str], list[str]]:
    """The value of each face ("" where it has none), and the values in their order."""
    samples = [face.sample for face in evaluation.faces]
    if any(name in s.attributes for s in samples):
        return _quarters([s.attributes.get(name, "") for s in samples])
    values = [_KNOWN[name](s) for s in samples]
    order = {"size": SIZE_NAMES, "yaw": _YAW_NAMES}.get(name, sorted({*values} - {""}))
    return values, order


_YAW_NAMES = [f"{low}-{high} degrees" for low, high in itertools.pairwise(YAWS)]


def _yaw_name(sample: Sample) -> str:
    if not can_convert(sample.scheme, "ibug68"):
        return ""
    points = convert_points(sample.points, sample.scheme, "ibug68")
    yaw = abs(head_pose(points, *upright_size(sample.image)).yaw)
    if not math.isfinite(yaw):
        return ""
    return _YAW_NAMES[min(int(np.searchsorted(YAWS[1:], yaw)), len(_YAW_NAMES) - 1)]


_KNOWN: Mapping[str, Callable[[Sample], str]] = {
    "dataset": lambda s: s.dataset, "subset": lambda s: s.subset, "group": lambda s: s.group,
    "size": size_name, "yaw": _yaw_name,
}  # fmt: skip


def _quarters(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Values as they are, or, where there are many numbers, the quarter of the faces each is in."""
    if len(set(texts)) <= MOST_VALUES:
        return list(texts), sorted(set(texts) - {""})
    try:
        numbers = np.array([float(t) if t else math.nan for t in texts])
    except ValueError:
        return list(texts), sorted(set(texts) - {""})
    edges = np.nanquantile(numbers, np.linspace(0, 1, PARTS + 1))
    names = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
    places = np.searchsorted(edges[1:-1], numbers, side="right")
    return ["" if math.isnan(v) else names[i] for v, i in zip(numbers, places, strict=True)], names
