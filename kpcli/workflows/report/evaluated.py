"""The page of `kpcli eval`: protocol, scores of all groups, error curves, the worst faces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.errors import InputError, KpcliError
from kpcli.images import read_image
from kpcli.metrics import Floats, ced
from kpcli.model_bundle import ModelBundle
from kpcli.workflows.report import charts
from kpcli.workflows.report.about import card_part
from kpcli.workflows.report.markup import Markup, facts, name, section, table, tag
from kpcli.workflows.report.page import page
from kpcli.workflows.report.thumbnails import jpeg_uri
from kpcli.workflows.results import csv_rows, read_json, read_list

METRICS, PER_FACE, WORST = "metrics.json", "per_face.csv", "worst.png"
COMPARISON = "comparison.json"
GROUPS = ("groups", "subsets", "attributes", "regions", "sizes")
SCORES = (("faces", "faces"), ("missed", "missed"), ("nme_mean", "NME %"),
          ("nme_median", "median %"), ("failure_rate", "FR %"), ("auc", "AUC %"))  # fmt: skip
NAMED = 100
"""Most faces in the table of the worst."""
CURVES = 6
"""Most subsets with a curve of their own: those of the most faces."""
_STEPS = 160


@dataclass(frozen=True)
class Scored:
    """What `kpcli eval` left in a folder; ``errors`` (B,) in percent, infinite where missed."""

    folder: Path
    metrics: Mapping[str, Any]
    faces: Sequence[tuple[str, str]]
    """Picture and origin of each label."""
    subsets: Sequence[str]
    errors: Floats

    @classmethod
    def open(cls, folder: Path) -> Scored:
        """The evaluation in a folder.

        Raises
        ------
        InputError
            If there is none.
        """
        metrics = read_json(folder / METRICS)
        rows = [
            (row.get("image", ""), row.get("origin", ""), row.get("subset", ""), _error(row))
            for row in csv_rows(folder / PER_FACE)
        ]
        if not metrics or not rows:
            raise InputError(
                f"{folder}: holds no results of `kpcli eval`", expected=f"{METRICS}, {PER_FACE}"
            )
        return cls(folder, metrics, [row[:2] for row in rows], [row[2] for row in rows],
                   np.array([row[3] for row in rows], np.float64))  # fmt: skip

    @property
    def cut(self) -> float:
        """Percent above which a face counts as failed."""
        return float(self.metrics.get("cut") or 10)

    def curve(self, errors: Floats) -> tuple[list[float], list[float]]:
        """The cumulative error curve, thinned to what a screen shows."""
        grid, share = ced(errors[~np.isnan(errors)], self.cut)
        picked = np.linspace(0, len(grid) - 1, _STEPS).round().astype(int)
        return grid[picked].tolist(), share[picked].tolist()


def _error(row: Mapping[str, str]) -> float:
    if row.get("missed") == "1":
        return math.inf
    try:
        return float(row.get("nme") or "nan")
    except ValueError:
        return math.nan


def evaluated_page(scored: Scored) -> Markup:
    """The page of one evaluation."""
    metrics = scored.metrics
    card = card_part(_card(metrics), str(metrics.get("model")))
    sections = [
        ("scores", "Scores", _scores(scored)),
        ("curves", "Errors", _curves(scored)),
        ("groups", "Groups", _groups(metrics)),
        ("worst", "Worst faces", _worst(scored)),
        ("model", "Model", section("model", "Model", card)),
    ]
    title = f"{metrics.get('model')} on {metrics.get('csv')}, {metrics.get('split')}"
    return page(title, tag("p", protocol(metrics), class_="dim"), sections)


def protocol(metrics: Mapping[str, Any]) -> str:
    """How it was measured, in a line."""
    return (
        f"NME in percent of the {metrics.get('normaliser')} ({metrics.get('protocol')}); failed "
        f"above {metrics.get('cut')} %; boxes: {metrics.get('box_source')}"
    )


def _scores(scored: Scored) -> Markup:
    metrics = scored.metrics
    low, high = (metrics.get("interval") or [None, None])[:2]
    tiles = [
        (number(metrics.get("nme_mean")), f"NME %, 95 % interval {number(low)} to {number(high)}"),
        (number(metrics.get("nme_median")), "median NME %"),
        (number(metrics.get("failure_rate")), f"failure rate % above {metrics.get('cut')} %"),
        (number(metrics.get("auc")), "AUC %"),
        (number(metrics.get("faces")), "faces"),
        (number(metrics.get("missed")), "missed: they count as failed"),
    ]
    rows = [(k, metrics.get(k)) for k in ("csv", "split", "scheme", "boxes", "detect_size",
            "runtime", "tta", "unreadable", "unscored")]  # fmt: skip
    return section(
        "scores",
        "Scores",
        tag("ul", [tag("li", tag("b", a), b) for a, b in tiles], class_="tiles"),
        facts((k, v) for k, v in rows if v not in (None, "")),
        _comparisons(scored.folder),
    )


def _comparisons(folder: Path) -> Markup | None:
    """What ``eval --model A --model B`` found, model by model."""
    rows = [
        [row.get("b", ""), row.get("a", ""), number(row.get("faces")),
         number(row.get("difference"), 3),
         " to ".join(number(v, 3) for v in row.get("interval") or ()), number(row.get("better"), 0)]
        for row in read_list(folder / COMPARISON)
    ]  # fmt: skip
    head = ("model", "less", "faces", "NME, points", "95 % interval", "better on, %")
    caption = "Other models on the same faces; below 0 the model is better"
    return table(head, rows, caption, numbers=range(2, 6)) if rows else None


def _curves(scored: Scored) -> Markup:
    names = np.array(scored.subsets)
    counts = {str(k): int((names == k).sum()) for k in set(scored.subsets) - {""}}
    chosen = sorted(counts, key=lambda k: (-counts[k], k))[: CURVES - 1]
    groups = [("all", scored.errors)]
    groups += [(k, scored.errors[names == k]) for k in chosen if len(counts) > 1]
    return section("curves", "Errors", ced_plot(scored.cut, [
        (f"{k} ({len(e)} faces)", *scored.curve(e)) for k, e in groups
    ]), error_histogram(scored))  # fmt: skip


def ced_plot(cut: float, series: Iterable[tuple[str, list[float], list[float]]]) -> Markup:
    """Cumulative error curves."""
    frame = charts.Frame(860, 340, (0, cut), (0, 100), top=22, bottom=34)
    labels = ("NME, percent", "percent of the faces with at most this error")
    return charts.lines("Cumulative error distribution", frame, series, labels)


def error_histogram(scored: Scored) -> Markup:
    """How many faces have which error."""
    edges = np.linspace(0, 2 * scored.cut, 25)
    found = scored.errors[np.isfinite(scored.errors)]
    counts = np.histogram(np.minimum(found, edges[-1]), edges)[0]
    plot = charts.histogram("NME of the faces; the last bar holds all above", "percent",
                            edges.tolist(), counts.tolist(), doubtful=-1)  # fmt: skip
    return tag("div", plot, class_="plots")


def _groups(metrics: Mapping[str, Any]) -> Markup:
    rows = [["all faces", *(number(metrics.get(key)) for key, _ in SCORES)]]
    for kind in GROUPS:
        for label, values in (metrics.get(kind) or {}).items():
            rows.append([f"{kind[:-1]} {label}", *(number(values.get(key)) for key, _ in SCORES)])
    head = ["group", *(label for _, label in SCORES)]
    return section("groups", "Groups", table(head, rows, "Scores of each group of faces",
                   numbers=range(1, len(head)), sortable=True))  # fmt: skip


def _worst(scored: Scored) -> Markup:
    errors = np.where(np.isnan(scored.errors), -1, scored.errors)
    order = np.argsort(-errors, kind="stable")[:NAMED]
    rows = [
        [name(scored.faces[i][0]), "missed" if math.isinf(errors[i]) else number(errors[i]),
         scored.subsets[i], scored.faces[i][1]]
        for i in order
    ]  # fmt: skip
    words = "Labels in blue, the model's points in green and yellow; missed faces come last."
    return section("worst", "Worst faces", _sheet(scored.folder / WORST, words),
                   table(("picture", "NME %", "subset", "label"), rows,
                         f"The {len(rows)} worst of {len(errors)}", numbers=(1,), sortable=True),
                   )  # fmt: skip


def _sheet(path: Path, words: str) -> list[Markup]:
    try:
        uri = jpeg_uri(read_image(path), 80)
    except KpcliError:
        return []
    image = tag("img", src=Markup(uri), alt="The worst faces with labels and predictions")
    return [tag("p", words, class_="dim"), tag("div", image, class_="worst")]


def _card(metrics: Mapping[str, Any]) -> Any:
    try:
        return ModelBundle.open(str(metrics.get("model"))).card
    except (KpcliError, OSError):
        return None


def number(value: object, digits: int = 2) -> str:
    """A count as it is, other numbers of two digits, what is none as a dash."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"
