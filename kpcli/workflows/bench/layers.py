"""A profile's events as layers: their times, and the table of the slowest."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpcli.runtimes.litert_profile.graph import Node
from kpcli.runtimes.litert_profile.layers import layers
from kpcli.runtimes.litert_profile.run import Floats, Profile

MOST = 20
"""Layers of the table and the picture; what is left is their last row."""

HEAD = ("layer", "operators", "least ms", "median ms", "mean ms", "share", "summed", "GMac/s")

_FIGURES = (np.min, np.median, np.mean)


@dataclass(frozen=True)
class LayerTime:
    """One layer's time.

    Attributes
    ----------
    name : str
        As Keras calls it; an operator's kind and place where no layer is known.
    operators : tuple of str
        Kinds, the slowest first.
    macs : int
        Multiplications with weights or of matrices; 0: none, or not known.
    times : (calls,)
        Milliseconds.
    """

    name: str
    operators: tuple[str, ...]
    macs: int
    times: Floats

    @property
    def median(self) -> float:
        """Milliseconds in the middle of the calls.

        Other processes take their share of some calls, some milliseconds that all fall to the layer
        at work. Measured at load 6 on 2 cores, one thread: means twice too long, medians by 2 %.
        """
        return float(np.median(self.times))

    @property
    def kind(self) -> str:
        """The slowest operator, and how many more there are."""
        more = len(self.operators) - 1
        return f"{self.operators[0]} +{more}" if more else self.operators[0]


def slowest(profile: Profile, nodes: Sequence[Node], sized: bool) -> list[LayerTime]:
    """All layers, the slowest first; without ``sized`` nothing is said of their work."""
    places: dict[str, list[int]] = {}
    work: dict[str, set[int]] = {}
    for place, number in enumerate(layers(profile.events, nodes)):
        kind = _short(profile.events[place].name)
        name = f"{kind} {place}" if number is None else nodes[number].layer
        places.setdefault(name, []).append(place)
        work.setdefault(name, set()).update([] if number is None or not sized else [number])
    found = []
    for name, own in places.items():
        own.sort(key=lambda place: -np.median(profile.times[:, place]))
        kinds = dict.fromkeys(_short(profile.events[place].name) for place in own)
        macs = sum(nodes[number].macs for number in work[name])
        found.append(LayerTime(name, tuple(kinds), macs, profile.times[:, own].sum(axis=1)))
    return sorted(found, key=lambda layer: -layer.median)


def shares(found: Sequence[LayerTime]) -> list[float]:
    """Percent of the layers' time, by their medians."""
    total = sum(layer.median for layer in found) or 1.0
    return [100 * layer.median / total for layer in found]


def cut(found: Sequence[LayerTime]) -> list[LayerTime]:
    """The first `MOST`, and the others as one."""
    if len(found) <= MOST + 1:
        return list(found)
    rest = found[MOST:]
    times = np.sum([layer.times for layer in rest], axis=0)
    kinds = dict.fromkeys(kind for layer in rest for kind in layer.operators)
    macs = sum(layer.macs for layer in rest)
    return [*found[:MOST], LayerTime(f"{len(rest)} others", tuple(kinds), macs, times)]


def table(found: Sequence[LayerTime], profile: Profile) -> list[str]:
    """The slowest layers, their sum, and beside it the time of whole calls."""
    shown = cut(found)
    rows: list[tuple[str, ...]] = [HEAD]
    summed = 0.0
    for layer, share in zip(shown, shares(shown), strict=True):
        summed += share
        rows.append((layer.name, layer.kind, *_ms(layer.times), f"{share:.1f} %", f"{summed:.1f} %",
                     f"{_speed(layer.macs, layer.median):.0f}" if layer.macs else ""))  # fmt: skip
    columns = [[figure(layer.times) for layer in found] for figure in _FIGURES]
    rows.append(("all layers", "", *(f"{sum(column):.3f}" for column in columns), "", "", ""))
    for name, times in (("whole call", profile.whole), ("whole call, not profiled", profile.plain)):
        rows.append((name, "", *_ms(times), "", "", ""))
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    return [
        "  ".join(
            f"{word:{'<' if i < 2 else '>'}{widths[i]}}" for i, word in enumerate(row)
        ).rstrip()
        for row in rows
    ]


def write_csv(path: Path, found: Sequence[LayerTime]) -> None:
    """All layers, the slowest first."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(
            ("layer", "operators", "mac", "least_ms", "median_ms", "mean_ms", "share", "summed")
        )
        summed = 0.0
        for layer, share in zip(found, shares(found), strict=True):
            summed += share
            rows.writerow((
                layer.name, "; ".join(layer.operators), layer.macs or "",
                *_ms(layer.times), f"{share:.3f}", f"{summed:.3f}",
            ))  # fmt: skip


def _short(operator: str) -> str:
    """``Convolution`` of XNNPACK's ``Convolution (NHWC, F32) IGEMM``."""
    return operator.split(" (")[0]


def _ms(times: Floats) -> list[str]:
    return [f"{figure(times):.3f}" for figure in _FIGURES]


def _speed(macs: int, ms: float) -> float:
    """GMac a second; LiteRT counts whole microseconds."""
    return macs / max(ms, 0.001) / 1e6
