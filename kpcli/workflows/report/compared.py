"""The page that sets two evaluations, or two tables of annotate, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.errors import InputError
from kpcli.metrics import Floats, bootstrap_interval
from kpcli.schemes import LandmarkScheme
from kpcli.workflows.report import charts
from kpcli.workflows.report.agreement import LEAST_IOU, Agreement
from kpcli.workflows.report.evaluated import (
    GROUPS,
    METRICS,
    SCORES,
    Scored,
    ced_plot,
    number,
    protocol,
)
from kpcli.workflows.report.markup import Markup, name, section, table, tag
from kpcli.workflows.report.page import page
from kpcli.workflows.results import scheme_of
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS

CHANGED = 100
"""Most faces in the table of those that changed most."""
_SAME = ("csv", "split", "protocol", "normaliser", "cut", "boxes", "box_source", "detect_size",
         "scheme")  # fmt: skip


def compared_page(a: Path, b: Path) -> Markup:
    """The page of two folders of a kind, or of two landmarks.csv."""
    if (a / METRICS).is_file() and (b / METRICS).is_file():
        return _evals(Scored.open(a), Scored.open(b))
    return _tables(*(_table(path) for path in (a, b)))


def _table(path: Path) -> Path:
    found = path / LANDMARKS if path.is_dir() else path
    if not found.is_file():
        raise InputError(
            f"{path}: nothing to compare",
            expected="two outputs of kpcli eval, or two of kpcli annotate (or two landmarks.csv)",
        )
    return found


def _tables(a: Path, b: Path) -> Markup:
    agreement = Agreement()
    agreement.read(a, b)
    sections = [
        ("agreement", "Agreement", _agreement(agreement, a, b)),
        ("points", "By point", _points(agreement, scheme_of(a))),
        ("frames", "By frame", _frames(agreement)),
        ("files", "By file", _files(agreement)),
    ]
    return page(f"{a.parent.name or a} against {b.parent.name or b}", _names(a, b), sections)


def _names(a: Path, b: Path) -> Markup:
    return tag("p", "A: ", name(str(a)), " · B: ", name(str(b)), class_="dim")


def _agreement(agreement: Agreement, a: Path, b: Path) -> Markup:
    whole = agreement.whole
    tiles = [
        (number(whole.mean), "% of the face's size between the points, mean"),
        (number(whole.median()), "% median"),
        (f"{whole.both:,}", "faces in both"),
        (f"{whole.only_a:,}", "faces only in A"),
        (f"{whole.only_b:,}", "faces only in B"),
    ]
    words = (
        "Distance of the same point in A and B, in percent of the size of A's face (square root of "
        "its box's area), mean over its points. Faces are one where boxes overlap by an IoU of "
        f"{LEAST_IOU} or more; face ids play no part."
    )
    lost = [f"{n} files of {x} are not in {y}." for n, x, y in
            ((agreement.missing[0], "A", "B"), (agreement.missing[1], "B", "A")) if n]  # fmt: skip
    plot = charts.histogram("Distances of the faces", "percent of the face's size",
                            agreement.histogram.edges, agreement.histogram.counts, doubtful=-1,
                            )  # fmt: skip
    return section("agreement", "Agreement", tag("p", words, class_="dim"),
                   tag("p", " ".join(lost), class_="note") if lost else None,
                   tag("ul", [tag("li", tag("b", x), y) for x, y in tiles], class_="tiles"),
                   tag("div", plot, class_="plots"))  # fmt: skip


def _points(agreement: Agreement, scheme: LandmarkScheme) -> Markup:
    found = agreement.by_point()
    if found is None:
        return section("points", "By point", tag("p", "No face is in both."))
    places, distances = found
    most = max(float(distances.max()), 1e-6)
    names = [scheme.point_names[i] for i in range(len(distances))]
    words = [f"{i} {n}: {d:.2f} %" for i, (n, d) in enumerate(zip(names, distances, strict=True))]
    rows = [(n, i, number(float(distances[i]))) for i, n in enumerate(names)]
    face = charts.face_map("Mean distance of each point: larger and redder, farther apart", places,
                           distances / most, words)  # fmt: skip
    listed = table(("point", "number", "mean distance, %"), rows, "Mean distance of each point",
                   numbers=(1, 2), sortable=True)  # fmt: skip
    return section("points", "By point", tag("div", face, listed, class_="plots"))


def _frames(agreement: Agreement) -> Markup:
    rows = [
        (name(file), frame, track, number(mean)) for file, frame, track, mean in agreement.frames
    ]
    return section("frames", "By frame", table(
        ("file", "frame", "face id in A", "distance, %"), rows,
        f"The {len(rows)} faces that lie farthest apart", numbers=(1, 2, 3), sortable=True,
    ))  # fmt: skip


def _files(agreement: Agreement) -> Markup:
    rows = [
        (name(f.file), f.both, f.only_a, f.only_b, number(f.mean), number(f.median()),
         number(f.worst), f.worst_frame or "-")
        for f in agreement.files
    ]  # fmt: skip
    caption = f"{len(rows)} of {agreement.files.count} files, those that differ most first"
    head = (
        "file",
        "faces in both",
        "only A",
        "only B",
        "mean %",
        "median %",
        "worst %",
        "in frame",
    )
    listed = table(head, rows, caption, numbers=range(1, 8), sortable=True)
    return section("files", "By file", listed)


def _evals(a: Scored, b: Scored) -> Markup:
    sections = [
        ("scores", "Scores", _scores(a, b)),
        ("curves", "Errors", section("curves", "Errors", ced_plot(
            min(a.cut, b.cut),
            [(f"{label}: {s.metrics.get('model')}", *s.curve(s.errors))
             for label, s in (("A", a), ("B", b))],
        ))),
        ("faces", "Face by face", _faces(a, b)),
    ]  # fmt: skip
    title = f"{a.metrics.get('model')} against {b.metrics.get('model')}"
    return page(title, _names(a.folder, b.folder), sections)


def _scores(a: Scored, b: Scored) -> Markup:
    other = [f"{k}: {a.metrics.get(k)} and {b.metrics.get(k)}" for k in _SAME
             if a.metrics.get(k) != b.metrics.get(k)]  # fmt: skip
    note = "The two were not measured alike, so that the scores do not compare: " + "; ".join(other)
    rows = _rows("all faces", a.metrics, b.metrics)
    for kind in GROUPS:
        left, right = a.metrics.get(kind) or {}, b.metrics.get(kind) or {}
        for label in left:
            if label in right:
                rows += _rows(f"{kind[:-1]} {label}", left[label], right[label])
    head = ["group", *(f"{label} {x}" for label in ("faces", "NME %", "FR %", "AUC %")
                       for x in ("A", "B")), "NME B - A"]  # fmt: skip
    listed = table(head, rows, "A and B, group by group", numbers=range(1, 10), sortable=True)
    warning = tag("p", note, class_="note") if other else None
    how = tag("p", protocol(a.metrics), class_="dim")
    return section("scores", "Scores", how, warning, listed)


def _rows(label: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[list[str]]:
    keys = [key for key, _ in SCORES if key in ("faces", "nme_mean", "failure_rate", "auc")]
    values = [number(side.get(key)) for key in keys for side in (a, b)]
    pair = a.get("nme_mean"), b.get("nme_mean")
    both = all(isinstance(v, int | float) for v in pair)
    difference = f"{float(pair[1]) - float(pair[0]):+.2f}" if both else "-"  # type: ignore[arg-type]
    return [[label, *values, difference]]


def _faces(a: Scored, b: Scored) -> Markup:
    """The same labels scored by both: the paired difference, and where it is largest."""
    there = {face: i for i, face in enumerate(b.faces)}
    pairs = [(i, there[face]) for i, face in enumerate(a.faces) if face in there]
    first = a.errors[[i for i, _ in pairs]] if pairs else np.zeros(0)
    second = b.errors[[j for _, j in pairs]] if pairs else np.zeros(0)
    difference: Floats = np.full(len(pairs), math.nan)
    known = np.isfinite(first) & np.isfinite(second)
    difference[known] = second[known] - first[known]
    order = np.argsort(-np.abs(np.nan_to_num(difference)), kind="stable")[:CHANGED]
    rows = [
        [name(a.faces[pairs[i][0]][0]), number(float(first[i])), number(float(second[i])),
         f"{difference[i]:+.2f}"]
        for i in order if math.isfinite(difference[i])
    ]  # fmt: skip
    return section("faces", "Face by face", tag("p", _paired(difference[known], len(pairs))), table(
        ("picture", "NME % A", "NME % B", "B - A"), rows,
        "Faces whose error differs most", numbers=(1, 2, 3), sortable=True,
    ))  # fmt: skip


def _paired(difference: Floats, pairs: int) -> str:
    if not len(difference):
        return f"{pairs} labels are in both; none was found by both."
    low, high = bootstrap_interval(difference)
    better = float((difference < 0).mean())
    clear = "" if low <= 0 <= high else "; the interval leaves out 0"
    return (
        f"{pairs} labels are in both, {len(difference)} of them found by both. NME of B less that "
        f"of A, face by face: {difference.mean():+.3f} points, "
        f"95 % interval {low:+.3f} to {high:+.3f}"
        f"{clear}. B is better on {better:.0%} of them."
    )
