"""Plots as inline SVG, coloured by the page's style sheet, so that they follow dark and light."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpcli.workflows.report.markup import Markup, tag

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """Where a plot's values go: ``(x, y)`` in its own units to the SVG's."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]
    left: float = 44
    right: float = 8
    top: float = 8
    bottom: float = 24

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place in the SVG."""
        (x0, x1), (y0, y1) = self.x, self.y
        across = (x - x0) / ((x1 - x0) or 1) * (self.width - self.left - self.right)
        up = (y - y0) / ((y1 - y0) or 1) * (self.height - self.top - self.bottom)
        return self.left + across, self.height - self.bottom - up


def axes(
    frame: Frame, x_label: str, xs: Sequence[float], ys: Sequence[float], *, y_label: str = ""
) -> list[Markup]:
    """Grid lines with their numbers, and the axes' names."""
    parts = []
    for value in ys:
        x, y = frame.at(frame.x[0], value)
        end = frame.width - frame.right
        parts.append(tag("line", x1=_n(x), x2=_n(end), y1=_n(y), y2=_n(y), class_="grid"))
        parts.append(_text(number(value), x - 5, y + 4, anchor="end"))
    for value in xs:
        x, y = frame.at(value, frame.y[0])
        parts.append(_text(number(value), x, y + 14))
    middle = (frame.left + frame.width - frame.right) / 2
    if x_label:
        parts.append(_text(x_label, middle, frame.height - 2))
    if y_label:
        parts.append(_text(y_label, 4, 11, anchor="start"))
    return parts


def histogram(
    title: str,
    unit: str,
    edges: Sequence[float],
    counts: Sequence[int],
    *,
    doubtful: float = 0.0,
    what: str = "faces",
) -> Markup:
    """Counts between edges; bars below ``doubtful`` are marked."""
    most = max([*counts, 1])
    steps = list(range(len(edges)))
    frame = Frame(340, 190, (0, len(counts)), (0, _round_up(most)), bottom=38, top=24)
    bars = []
    for i, count in enumerate(counts):
        (x0, y0), (x1, y1) = frame.at(i, 0), frame.at(i + 1, count)
        label = f"{number(edges[i])} to {number(edges[i + 1])}{unit and ' ' + unit}: {count}"
        weak = edges[i + 1] <= doubtful
        bars.append(tag(
            "rect", tag("title", label), x=_n(x0 + 0.75), y=_n(y1), width=_n(x1 - x0 - 1.5),
            height=_n(y0 - y1), class_="bar weak" if weak else "bar",
        ))  # fmt: skip
    ticks = steps[:: max(1, math.ceil(len(steps) / 6))]
    grid = axes(frame, unit, [], ticks_of(0, _round_up(most), 3), y_label=what)
    grid += [_text(number(edges[i]), *_below(frame.at(i, 0))) for i in ticks]
    total = sum(counts)
    words = f"{title}: {total} values" if total else f"{title}: no values"
    return figure(title, svg(frame, words, grid + bars))


def lines(
    title: str,
    frame: Frame,
    series: Iterable[tuple[str, Sequence[float], Sequence[float]]],
    labels: tuple[str, str],
) -> Markup:
    """Curves with a legend in words; different by colour and by dashes."""
    parts = axes(frame, labels[0], ticks_of(*frame.x, 6), ticks_of(*frame.y, 5), y_label=labels[1])
    legend = []
    for i, (name, xs, ys) in enumerate(series):
        parts += polyline(frame, xs, ys, f"line s{i % 6}")
        key = tag("svg", tag("line", x1=0, x2=28, y1=6, y2=6, class_=f"line s{i % 6}"),
                  viewBox="0 0 28 12", class_="key", aria_hidden="true")  # fmt: skip
        legend.append(tag("li", key, name))
    return figure(title, svg(frame, title, parts), tag("ul", legend, class_="legend"))


def polyline(frame: Frame, xs: Sequence[float], ys: Sequence[float], class_: str) -> list[Markup]:
    """A line that has gaps where there is no value."""
    runs: list[list[str]] = [[]]
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(y):
            px, py = frame.at(x, min(max(y, frame.y[0]), frame.y[1]))
            runs[-1].append(f"{px:.1f},{py:.1f}")
        elif runs[-1]:
            runs.append([])
    drawn = [run if len(run) > 1 else run * 2 for run in runs if run]
    return [tag("polyline", points=" ".join(run), class_=class_) for run in drawn]


def face_map(title: str, points: Floats, values: Floats, words: Sequence[str]) -> Markup:
    """A mean face whose points grow and change colour with ``values`` from 0 (good) to 1."""
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    scale = 250 / float(max(*(high - low), 1e-9))
    places = (points - low) * scale + 20
    dots = []
    for (x, y), value, word in zip(places, values, words, strict=True):
        if not math.isfinite(x + y + value):
            continue
        grade = min(4, int(value * 5))
        dots.append(tag("circle", tag("title", word), cx=_n(float(x)), cy=_n(float(y)),
                        r=_n(3 + 7 * float(min(value, 1))), class_=f"dot d{grade}"))  # fmt: skip
    height = float((high - low)[1] * scale) + 40
    width = float((high - low)[0] * scale) + 40
    return figure(title, svg(Frame(width, height, (0, 1), (0, 1)), title, dots, class_="face"))


def svg(frame: Frame, label: str, parts: Iterable[object], class_: str | None = None) -> Markup:
    """A drawing that says what it shows."""
    box = f"0 0 {_n(frame.width)} {_n(frame.height)}"
    return tag("svg", tag("title", label), parts, viewBox=box, role="img", class_=class_)


def figure(title: str, *children: object) -> Markup:
    """A drawing and its title."""
    return tag("figure", tag("figcaption", title), children)


def ticks_of(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers from low to high."""
    if not high > low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """Short and plain."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(max(value, 1)))
    return next(m * power for m in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if m * power >= value)


def _below(place: tuple[float, float]) -> tuple[float, float]:
    return place[0], place[1] + 14


def _text(words: str, x: float, y: float, *, anchor: str = "middle") -> Markup:
    return tag("text", words, x=_n(x), y=_n(y), text_anchor=anchor)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
