"""kpcli info: a model's card in plain words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kpcli.catalogue import EXPORTERS
from kpcli.model_bundle import LANDMARKS, ModelBundle, ModelCard, embedded_names
from kpcli.options import TrainOptions
from kpcli.runtimes import usable

_LABEL = 14


def info(name: str | None, say: Callable[[str], None] = print) -> None:
    """Say one model's card, or list the embedded models.

    Raises
    ------
    ModelError
        If there is no such bundle or its card is damaged.
    """
    for line in listing() if name is None else describe(ModelBundle.open(name)):
        say(line)


def listing() -> list[str]:
    """One line an embedded model."""
    names = embedded_names()
    if not names:
        return ["no model comes with this kpcli; make one with `kpcli train`"]
    bundles = [ModelBundle.open(name) for name in names]
    width = max(map(len, names))
    lines = [f"{n:{width}}  {_headline(b.card)}" for n, b in zip(names, bundles, strict=True)]
    return [*lines, "more of one: kpcli info NAME"]


def _headline(card: ModelCard) -> str:
    parts = [card.task]
    if card.task == LANDMARKS:
        parts[0] += f", {card.landmark_scheme.name}"
    parts.append(card.architecture)
    if "parameters" in card.training:
        parts.append(f"{card.training['parameters']:,} parameters")
    return ", ".join(parts)


def describe(bundle: ModelBundle) -> list[str]:
    """The card, a line a fact."""
    card = bundle.card
    lines = [f"{card.name}: {_headline(card)}", _line("folder", bundle.path)]
    lines += [_line("input", _input(card)), _line("outputs", ", ".join(card.outputs))]
    lines += _data(card)
    lines.append(_line("terms", card.licence))
    lines += _many("figures", (f"{k}: {_facts(v)}" for k, v in card.metrics.items()))
    if card.calibration:
        lines.append(_line("calibration", _facts(card.calibration)))
    lines += _many("exports", _exports(bundle))
    lines.append(_line("runs here by", ", ".join(usable(bundle)) or "nothing"))
    lines += _many("weak spots", card.notes)
    return lines


def _input(card: ModelCard) -> str:
    if card.task != LANDMARKS:
        return f"{card.colour} pictures, long side {card.input_size}, values 0..255"
    box = "box around the landmarks" if card.face_box == "landmarks" else "dataset's face box"
    return (
        f"{card.input_size} x {card.input_size} {card.colour}, values 0..255; the crop is "
        f"{card.crop_scale:g} times the {box}"
    )


def _data(card: ModelCard) -> list[str]:
    training = card.training
    lines = []
    if "faces" in training:
        by_set = ", ".join(f"{k} {v}" for k, v in training.get("datasets", {}).items())
        text = f"{training['faces']} faces" + (f" ({by_set})" if by_set else "")
        if "validation_faces" in training:
            text += f", {training['validation_faces']} more to validate"
        lines.append(_line("data", text))
    known = ("faces", "datasets", "validation_faces", "parameters", "options")
    rest = {k: v for k, v in training.items() if k not in known}
    if rest:
        lines.append(_line("training", _facts(rest)))
    options = _changed(training.get("options", {}))
    if options:
        lines.append(_line("options", _facts(options)))
    return lines


def _changed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Training options that are not the defaults, and those that have none."""
    usual = json.loads(json.dumps(asdict(TrainOptions(csv=Path(), out=Path())), default=str))
    return {k: v for k, v in options.items() if k in ("csv", "out") or v != usual.get(k)}


def _exports(bundle: ModelBundle) -> Iterable[str]:
    for name in EXPORTERS:
        file = EXPORTERS.load(name).FILE
        entry = bundle.card.exports.get(name)
        if not (bundle.path / file).exists():
            continue
        if entry is None:
            yield f"{name}: {file}, unchecked"
            continue
        weights = "" if entry["quantize"] == "none" else f", {entry['quantize']}"
        yield f"{name}: {file}{weights}, {entry['bytes'] / 1e6:.2f} MB; {_facts(entry['checks'])}"


def _facts(values: Any) -> str:
    """A mapping as ``name value`` pairs; what is None is left out."""
    if not isinstance(values, Mapping):
        return _value(values)
    pairs = (
        f"{key} ({_facts(value)})" if isinstance(value, Mapping) else f"{key} {_value(value)}"
        for key, value in values.items()
        if value is not None
    )
    return ", ".join(pairs)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _line(label: str, value: object) -> str:
    return f"  {label:{_LABEL}}{value}"


def _many(label: str, values: Iterable[str]) -> list[str]:
    return [_line(label if i == 0 else "", value) for i, value in enumerate(values)]
