"""Whether the values of a card.json can be those of a model: strangers make cards too."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from kpcli.options import FACE_BOXES
from kpcli.schemes import LandmarkScheme

LARGEST_INPUT = 1024
"""Pixels of a crop's side, or of a detector's picture: 64 crops of it take 800 MB as floats."""
MOST_POINTS = 2000
LONGEST_TEXT = 4000
"""Characters of one text in a card."""
DEEPEST = 12
"""Levels of lists and mappings within each other."""
CROP_SCALES = (0.1, 10.0)
LARGEST_CALIBRATION = 1000.0
TASKS = ("landmarks", "detection")
COLOURS = ("rgb", "gray")


def check_card(values: Mapping[str, Any]) -> None:
    """Raise ValueError, with the field's name, for a value that no model's card has."""
    _clean(values, "the card", 0)
    for name in ("name", "architecture", "licence"):
        if name in values and not (isinstance(values[name], str) and values[name]):
            raise ValueError(f"{name}: not a text: {values[name]!r}")
    for name, known in (("task", TASKS), ("colour", COLOURS), ("face_box", FACE_BOXES)):
        if values.get(name) not in known:
            raise ValueError(f"{name}: {values.get(name)!r}, expected {' or '.join(known)}")
    _whole(values.get("input_size"), "input_size", 8, LARGEST_INPUT)
    _number(values.get("crop_scale"), "crop_scale", *CROP_SCALES)
    for name in ("scheme", "training", "metrics", "exports", "calibration"):
        if not isinstance(values.get(name, {}), Mapping):
            raise ValueError(f"{name}: not a mapping")
    for name, value in values.get("calibration", {}).items():
        _number(value, f"calibration.{name}", -LARGEST_CALIBRATION, LARGEST_CALIBRATION)
    _check_outputs(values)
    _check_facts(values)


def check_scheme(scheme: LandmarkScheme) -> None:
    """Raise ValueError for a scheme whose numbers are none of its points."""
    n = scheme.n_points
    _whole(n, "scheme.point_names", 1, MOST_POINTS)
    if any(not isinstance(name, str) or not name for name in scheme.point_names):
        raise ValueError("scheme.point_names: a name that is no text")
    if scheme.flip_order and sorted(scheme.flip_order) != list(range(n)):
        raise ValueError("scheme.flip_order: not each point once")
    if len(scheme.five) not in (0, 5):
        raise ValueError(f"scheme.five: {len(scheme.five)} groups")
    groups = {
        "edges": scheme.edges, "regions": scheme.regions.values(), "five": scheme.five,
        **{f"normalisers.{name}": pair for name, pair in scheme.normalisers.items()},
    }  # fmt: skip
    for name, members in groups.items():
        _within(members, f"scheme.{name}", n)
    if scheme.default_normaliser not in (*scheme.normalisers, "box"):
        raise ValueError(f"scheme.default_normaliser: {scheme.default_normaliser!r} is none")


def _within(groups: Iterable[Iterable[int]], name: str, n: int) -> None:
    for group in groups:
        points = list(group)
        if not points or not all(0 <= i < n for i in points):
            raise ValueError(f"{name}: {points} are no points of {n}")


def _check_outputs(values: Mapping[str, Any]) -> None:
    """Landmark models give points, detectors say where their cells are."""
    outputs = values.get("outputs", ("points",))
    if not isinstance(outputs, tuple) or not all(isinstance(o, str) for o in outputs):
        raise ValueError(f"outputs: not a list of names: {outputs!r}")
    strides = values.get("strides", ())
    if not isinstance(strides, tuple) or len(strides) > 8:
        raise ValueError(f"strides: not a short list of whole numbers: {strides!r}")
    for stride in strides:
        _whole(stride, "strides", 1, 256)
    if values["task"] == "detection":
        if not strides:
            raise ValueError("strides: missing, and a detector needs them")
        return
    if "points" not in outputs:
        raise ValueError(f"outputs: {outputs!r} without points")
    try:
        scheme = LandmarkScheme.from_json(values.get("scheme", {}))
    except (KeyError, ValueError, TypeError, AttributeError) as e:
        raise ValueError(f"scheme: damaged, {type(e).__name__}: {e}") from e
    check_scheme(scheme)


def _check_facts(values: Mapping[str, Any]) -> None:
    """What `kpcli info` prints must be of the kind that it expects."""
    training = values.get("training", {})
    for name in ("datasets", "options"):
        if not isinstance(training.get(name, {}), Mapping):
            raise ValueError(f"training.{name}: not a mapping")
    if "parameters" in training:
        _whole(training["parameters"], "training.parameters", 0, 10**12)
    for name, entry in values.get("exports", {}).items():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("checks"), Mapping):
            raise ValueError(f"exports.{name}: not what `kpcli export` writes")
        if not isinstance(entry.get("quantize"), str):
            raise ValueError(f"exports.{name}.quantize: not a text")
        _number(entry.get("bytes"), f"exports.{name}.bytes", 0, 1e15)


def _clean(value: Any, name: str, depth: int) -> None:
    """No text that steers a terminal, none without end, and no endless nesting."""
    if depth > DEEPEST:
        raise ValueError(f"{name}: nested too deep")
    if isinstance(value, str):
        steering = any(unicodedata.category(c) == "Cc" and c != "\n" for c in value)
        if len(value) > LONGEST_TEXT or steering:
            raise ValueError(f"{name}: a text with control characters, or too long")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _clean(key, f"a name in {name}", depth + 1)
            _clean(item, key, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _clean(item, name, depth + 1)


def _whole(value: Any, name: str, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name}: {value!r}, expected a whole number of {least} to {most}")


def _number(value: Any, name: str, least: float, most: float) -> None:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not known or not math.isfinite(value) or not least <= value <= most:
        raise ValueError(f"{name}: {value!r}, expected a number of {least:g} to {most:g}")
