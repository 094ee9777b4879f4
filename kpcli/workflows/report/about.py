"""What was run, with which versions, and the model's card with its terms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kpcli.model_bundle import ModelCard
from kpcli.options import AnnotateOptions
from kpcli.workflows.report.markup import Markup, facts, section, tag
from kpcli.workflows.results import Results

_SHOWN = 300
"""Most characters of a value that are shown."""


def when(run: Mapping[str, Any]) -> str:
    """One line: when, how long, how it ended."""
    if not run:
        return "run.json is missing: options and versions are not known."
    version = run.get("versions", {}).get("kpcli", "?")
    parts = [
        f"kpcli {version}",
        f"model {run.get('model', '?')}",
        f"begun {run.get('started', '?')}",
    ]
    if isinstance(run.get("seconds"), int | float):
        parts.append(f"{run['seconds']:.0f} s")
    return " · ".join(parts)


def run_section(results: Results) -> Markup:
    """Options that differ from the defaults, versions, and the card."""
    run = results.run
    rows = [("input", run.get("input", "")), ("output", results.folder.absolute()),
            ("begun", run.get("started", "")), ("seconds", run.get("seconds", "")),
            ("model ran on", run.get("runtime", "")), ("scheme", results.scheme.name),
            ("platform", run.get("platform", "")),
            ("ignored files", _value(run.get("ignored") or ""))]  # fmt: skip
    versions = run.get("versions", {})
    return section(
        "run",
        "Run and model",
        facts((k, v) for k, v in rows if v not in ("", None)),
        tag("h3", "Options that differ from the defaults"),
        facts(changed(run.get("options", {}))) or tag("p", "None."),
        tag("h3", "Versions"),
        facts(versions.items()) if isinstance(versions, Mapping) else None,
        card_part(results.card, str(run.get("options", {}).get("model") or run.get("model", "?"))),
    )


def changed(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Options that differ from what annotate does by itself."""
    usual = json.loads(json.dumps(asdict(AnnotateOptions(inputs=(), out=Path())), default=str))
    for key, value in options.items():
        if key in ("inputs", "shards") or (key != "out" and value != usual.get(key)):
            yield key, _value(value)


def card_part(card: ModelCard | None, model: str) -> list[object]:
    """The model's card: what it is, its terms, its data, how good it is, where it is weak."""
    title = tag("h3", f"The model {model}")
    if card is None:
        return [title, tag("p", "Its card is not here any more; `kpcli info MODEL` prints it.",
                           class_="note")]  # fmt: skip
    training = {k: v for k, v in card.training.items() if k != "options"}
    rows = [
        ("architecture", card.architecture),
        ("input", f"{card.input_size} x {card.input_size} {card.colour}, the crop "
                  f"{card.crop_scale:g} times the face box"),
        ("points", card.landmark_scheme.name if card.scheme else ""),
        ("terms", card.licence),
        *((f"training: {k}", _value(v)) for k, v in training.items()),
        *((f"figures: {k}", _value(v)) for k, v in card.metrics.items()),
    ]  # fmt: skip
    notes = [tag("h3", "Its weak spots"), tag("ul", [tag("li", note) for note in card.notes])]
    return [title, facts(rows), notes if card.notes else None]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        words = ", ".join(f"{k} {_value(v)}" for k, v in value.items() if v is not None)
    elif isinstance(value, list | tuple):
        words = ", ".join(_value(v) for v in value)
    else:
        words = f"{value:.4g}" if isinstance(value, float) else str(value)
    return words if len(words) <= _SHOWN else words[:_SHOWN] + " …"
