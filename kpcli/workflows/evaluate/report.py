"""The report of `kpcli eval`: table, metrics.json, per_face.csv; plots are beside this module."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kpcli.dataset_csv import with_landmark_box
from kpcli.files import CsvRows, atomic_path
from kpcli.metrics import INTERVAL, Score
from kpcli.workflows.evaluate.groups import (
    SIZE_NAMES,
    Scores,
    attributes,
    by_name,
    chosen_groups,
    score_of,
    sizes,
    subset_names,
)
from kpcli.workflows.evaluate.plots import write_ced, write_worst
from kpcli.workflows.evaluate.result import LABELS, Evaluation

FILES = ("metrics.json", "per_face.csv", "ced.png", "worst.png")


def write_report(evaluation: Evaluation, folder: Path, say: Callable[[str], None]) -> None:
    """Say the table and write metrics.json, per_face.csv, ced.png and worst.png."""
    whole = score_of(evaluation, evaluation.errors)
    groups = {
        "subsets": by_name(evaluation, subset_names(evaluation)),
        "attributes": attributes(evaluation),
        "regions": {k: score_of(evaluation, v) for k, v in evaluation.region_errors.items()},
        "sizes": by_name(evaluation, sizes(evaluation), SIZE_NAMES),
    }
    asked = {"groups": chosen_groups(evaluation)} if evaluation.options.by else {}
    _write_json(folder / "metrics.json", metrics(evaluation, whole, {**groups, **asked}))
    _write_faces(folder / "per_face.csv", evaluation)
    write_ced(folder / "ced.png", evaluation, subset_names(evaluation))
    write_worst(folder / "worst.png", evaluation)
    for line in table(evaluation, whole, asked or groups):
        say(line)
    for item in evaluation.unreadable:
        say(f"not scored: {item.reason}")


def metrics(evaluation: Evaluation, whole: Score, groups: Mapping[str, Scores]) -> dict[str, Any]:
    """What metrics.json holds; errors and rates in percent."""
    options, protocol = evaluation.options, evaluation.protocol
    return {
        "protocol": protocol.name,
        "boxes": options.boxes,
        "split": options.split,
        **_values(whole),
        "normaliser": protocol.normaliser,
        "cut": protocol.cut,
        "box_source": evaluation.box_source,
        "detect_size": None if options.boxes == LABELS else options.detect_size,
        "model": options.model,
        "runtime": options.runtime,
        "tta": options.tta,
        "csv": str(options.csv),
        "scheme": evaluation.scheme.name,
        "unreadable": len(evaluation.unreadable),
        "unscored": evaluation.unscored,
        **{
            kind: {name: _row(evaluation, values) for name, values in scores.items()}
            for kind, scores in groups.items()
        },
    }


def _row(evaluation: Evaluation, values: Score) -> dict[str, Any]:
    return {
        "protocol": evaluation.protocol.name,
        "normaliser": evaluation.protocol.normaliser,
        "cut": evaluation.protocol.cut,
        "boxes": evaluation.options.boxes,
        **_values(values),
    }


def _values(values: Score) -> dict[str, Any]:
    return {
        "faces": values.faces,
        "missed": values.missed,
        "nme_mean": values.nme_mean,
        "nme_median": values.nme_median,
        "interval": list(values.interval),
        "failure_rate": values.failure_rate,
        "auc": values.auc,
    }


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    with atomic_path(path) as temporary:
        text = json.dumps(_valid(values), indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _valid(value: Any) -> Any:
    """JSON knows neither NaN nor infinity: they become null; others are rounded to 1e-6."""
    if isinstance(value, Mapping):
        return {k: _valid(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_valid(v) for v in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _write_faces(path: Path, evaluation: Evaluation) -> None:
    regions = evaluation.region_errors
    header = [
        "image", "origin", "dataset", "subset", "side", "missed", "nme", "confidence",
        "left", "top", "right", "bottom", *(f"nme_{name}" for name in regions),
    ]  # fmt: skip
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = CsvRows(file)
        writer.writerow(header)
        for i, face in enumerate(evaluation.faces):
            sample, truth = face.sample, with_landmark_box(face.sample).face
            box = face.box
            corners = (box.left, box.top, box.right, box.bottom) if box else (math.nan,) * 4
            writer.writerow(
                [
                    sample.image, sample.origin, sample.dataset, sample.subset,
                    _text(truth.side if truth else math.nan), int(box is None),
                    _text(float(evaluation.errors[i])),
                    _text(face.confidence if box else math.nan),
                    *(_text(v) for v in corners),
                    *(_text(float(errors[i])) for errors in regions.values()),
                ]
            )  # fmt: skip


def _text(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else ""


def table(evaluation: Evaluation, whole: Score, groups: Mapping[str, Scores]) -> list[str]:
    """The printed table, a row a group of faces."""
    protocol, options = evaluation.protocol, evaluation.options
    rows = [("all faces", whole)]
    for kind, scores in groups.items():
        prefix = "" if kind == "groups" else f"{kind[:-1]} "
        rows += [(f"{prefix}{name}", values) for name, values in scores.items()]
    width = max(len(name) for name, _ in rows)
    lines = [
        f"{options.model} on {options.csv}, split {options.split}",
        f"NME in percent of the {protocol.normaliser} ({protocol.name}); failed above "
        f"{protocol.cut:g} %; boxes: {evaluation.box_source}",
        f"{'':{width}} {'faces':>6} {'missed':>6} {'NME':>6} {'median':>6} "
        f"{f'{INTERVAL:.0%} interval':>14} {'FR':>6} {'AUC':>6}",
    ]
    lines += [f"{name:{width}} {_cells(values)}" for name, values in rows]
    if evaluation.unscored:
        lines.append(f"{evaluation.unscored} faces lack the points that {protocol.name} needs")
    return lines


def _cells(values: Score) -> str:
    low, high = values.interval
    interval = f"{_cell(low)} - {_cell(high)}"
    return (
        f"{values.faces:6} {values.missed:6} {_cell(values.nme_mean):>6} "
        f"{_cell(values.nme_median):>6} {interval:>14} "
        f"{_cell(values.failure_rate):>6} {_cell(values.auc):>6}"
    )


def _cell(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"
