"""The time line of a video: who is there, how sure, how turned, how open eyes and mouth are."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kpcli.inference.blinks import BLINK, CLOSED
from kpcli.inference.events import MOUTH, TURNED
from kpcli.inference.measures import DOUBT
from kpcli.inference.summaries import Row
from kpcli.workflows.report import charts
from kpcli.workflows.report.markup import Markup, data, name, tag
from kpcli.workflows.report.timeline import TimeLine

DRAWN = 4
"""Most faces of a video whose confidence, pose and measures are drawn: those seen longest."""
WIDTH, LEFT, RIGHT = 900.0, 62.0, 10.0
_DEGREES = ("yaw", "pitch", "roll")
_EVENTS = {BLINK: "blinks", CLOSED: "eyes closed", MOUTH: "mouth opened", TURNED: "head turned"}


def video(line: TimeLine, row: Row, events: Sequence[Mapping[str, str]]) -> Markup:
    """Everything about one video; ``events`` are its rows of events.csv."""
    persons = line.persons()
    drawn = persons[:DRAWN]
    bounds = line.bounds()
    parts: list[object] = [_presence(line, persons, bounds)]
    for i, person in enumerate(drawn):
        parts.append(_tracks(line, person, bounds, events, hidden=i > 0))
    tracks = tag(
        "div", parts, class_="tracks", tabindex="0", role="slider", aria_valuemin=0,
        aria_valuemax=len(line.seconds) - 1, aria_valuenow=0, aria_valuetext="the beginning",
        aria_label=f"Time line of {line.file}",
    )  # fmt: skip
    more = len(persons) + len(line.others) - len(drawn)
    return tag(
        "article",
        tag("h3", name(line.file)),
        tag("p", _words(line, row, events, more), class_="dim"),
        _choice(line.file, drawn) if len(drawn) > 1 else None,
        tracks,
        tag("output", "Arrow keys or the mouse read out values.", aria_live="off"),
        data(_values(line, drawn, bounds), "values"),
        class_="time",
        data_person=drawn[0] if drawn else "",
    )


def _words(line: TimeLine, row: Row, events: Sequence[Mapping[str, str]], more: int) -> str:
    share = float(row["share_without_face"])
    parts = [
        f"{line.frames} frames, {line.end - line.seconds[0]:.1f} s",
        f"no face in {row['frames_without_face']} frames ({share:.0%})",
        f"longest gap {float(row['longest_gap']):.1f} s",
        f"face ids: {row['face_ids']}",
    ]
    kinds = Counter(event.get("event", "") for event in events)
    for kind, words in _EVENTS.items():
        if kinds[kind]:
            parts.append(f"{words}: {kinds[kind]}")
    if more > 0:
        parts.append(f"{more} more faces are not drawn")
    return " · ".join(parts)


def _choice(file: str, persons: Sequence[int]) -> Markup:
    """Which face's curves are shown."""
    radios = [
        tag("label", tag("input", type="radio", name=f"face of {file}", value=person,
                         checked=not i), f" face {person}")
        for i, person in enumerate(persons)
    ]  # fmt: skip
    return tag("fieldset", tag("legend", "Curves of"), radios)


def _plot(
    height: float, bounds: Sequence[float], y: tuple[float, float], **more: Any
) -> charts.Frame:
    return charts.Frame(WIDTH, height, (bounds[0], max(bounds[-1], bounds[0] + 1e-6)), y,
                        left=LEFT, right=RIGHT, **more)  # fmt: skip


def _presence(line: TimeLine, persons: Sequence[int], bounds: Sequence[float]) -> Markup:
    """A bar a face: filled where it is there, of another colour where it is doubtful."""
    rows = persons[: max(DRAWN, 8)]
    height = 18.0 * (len(rows) + 1) + 8
    frame = _plot(height, bounds, (0, 1), top=0, bottom=4)
    empty = np.array(line.seen) == 0
    parts: list[object] = [_label("no face", 14)]
    parts += [_bar(frame, bounds, a, b, 4, "gone", "no face") for a, b in _runs(empty)]
    for i, person in enumerate(rows):
        top = 18.0 * (i + 1) + 4
        there = line.present(person) > 0
        unsure = there & (np.nan_to_num(line.values(person)["confidence"]) < DOUBT)
        parts.append(_label(f"face {person}", top + 10))
        for kind, mask in (("here", there & ~unsure), ("unsure", unsure)):
            words = f"face {person}" + (", doubtful" if kind == "unsure" else "")
            parts += [_bar(frame, bounds, a, b, top, kind, words) for a, b in _runs(mask)]
    parts.append(_cursor(height))
    label = f"When which face is seen in {line.file}; doubtful spells are orange"
    return charts.svg(frame, label, parts)


def _tracks(
    line: TimeLine,
    person: int,
    bounds: Sequence[float],
    events: Sequence[Mapping[str, str]],
    *,
    hidden: bool,
) -> Markup:
    values = line.values(person)
    middles = [(a + b) / 2 for a, b in itertools.pairwise(bounds)]
    rows: list[tuple[str, tuple[str, ...], tuple[float, float], float | None]] = [
        ("confidence", ("confidence",), (0, 1), DOUBT)
    ]
    if np.isfinite(values["yaw"]).any():
        most = max(30.0, *(float(np.nanmax(np.abs(values[k]))) for k in _DEGREES))
        rows.append(("degrees", _DEGREES, (-most, most), None))
    if np.isfinite(values["eyes"]).any():
        rows.append(("eyes, mouth", ("eyes", "mouth"), (0, 0.6), None))
    svgs = []
    for i, (label, names, span, limit) in enumerate(rows):
        last = i == len(rows) - 1
        frame = _plot(86 if last else 66, bounds, span, top=6, bottom=30 if last else 10)
        svgs.append(_track(frame, label, [(n, values[n].tolist()) for n in names], middles, limit,
                           _marks(events, person) if i == 2 else [], last=last))  # fmt: skip
    legend = _legend(person, [row[:2] for row in rows if len(row[1]) > 1])
    return tag("div", svgs, legend, data_face=person, hidden=hidden)


def _track(
    frame: charts.Frame,
    label: str,
    series: Sequence[tuple[str, list[float]]],
    seconds: Sequence[float],
    limit: float | None,
    marks: Sequence[tuple[float, str]],
    *,
    last: bool,
) -> Markup:
    xs = charts.ticks_of(*frame.x, 8) if last else []
    parts: list[object] = list(charts.axes(
        frame, "seconds" if last else "", xs, [frame.y[0], sum(frame.y) / 2, frame.y[1]]
    ))  # fmt: skip
    if limit is not None:
        y = frame.at(0, limit)[1]
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="limit"))
    for i, (_, values) in enumerate(series):
        parts += charts.polyline(frame, seconds, values, f"line s{i}")
    for at, words in marks:
        x = round(frame.at(at, 0)[0], 1)
        parts.append(tag("line", tag("title", words), x1=x, x2=x, y1=0, y2=10, class_="mark"))
    y = frame.top + 9 if limit is None else frame.height - frame.bottom - 4  # sure faces lie high
    parts.append(tag("text", label, x=LEFT + 5, y=y, class_="row"))
    parts.append(_cursor(frame.height))
    return charts.svg(frame, f"{label}: {', '.join(name for name, _ in series)}", parts)


def _marks(events: Sequence[Mapping[str, str]], person: int) -> list[tuple[float, str]]:
    """Where this face blinks."""
    found = []
    for event in events:
        if event.get("event") == BLINK and event.get("face_id") == str(person):
            start = float(event.get("start") or "nan")
            if math.isfinite(start):
                found.append((start, f"blink at {start:.2f} s"))
    return found


def _legend(person: int, rows: Sequence[tuple[str, tuple[str, ...]]]) -> Markup:
    items = [tag("li", tag("b", f"face {person}"))]
    for label, names in rows:
        keys: list[object] = [tag("b", f"{label}:")]
        for i, key in enumerate(names):
            line = tag("line", x1=0, x2=28, y1=6, y2=6, class_=f"line s{i}")
            drawn = tag("svg", line, viewBox="0 0 28 12", class_="key", aria_hidden="true")
            keys += [drawn, key, " "]
        items.append(tag("li", keys))
    return tag("ul", items, class_="legend")


def _values(line: TimeLine, persons: Sequence[int], bounds: Sequence[float]) -> dict[str, Any]:
    """What the page's script reads out along the line."""
    shares = [round(100 * a / b) for a, b in zip(line.seen, line.counted, strict=True)]
    return {
        "t": [round(t, 3) for t in bounds],
        "f": line.numbers,
        "n": shares,
        "p": {
            str(person): {
                key: [round(v, 2) if math.isfinite(v) else None for v in values.tolist()]
                for key, values in line.values(person).items()
                if np.isfinite(values).any()
            }
            for person in persons
        },
        "degrees": dict.fromkeys(_DEGREES, 1),
        "left": LEFT,
        "right": RIGHT,
        "width": WIDTH,
    }


def _runs(mask: Any) -> list[tuple[int, int]]:
    """First and last + 1 of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _bar(
    frame: charts.Frame, bounds: Sequence[float], a: int, b: int, top: float, kind: str, words: str
) -> Markup:
    x0, x1 = frame.at(bounds[a], 0)[0], frame.at(bounds[b], 0)[0]
    label = f"{words}: {bounds[a]:.2f} to {bounds[b]:.2f} s"
    return tag("rect", tag("title", label), x=f"{x0:.1f}", y=top, width=f"{max(x1 - x0, 1):.1f}",
               height=12, class_=kind)  # fmt: skip


def _label(words: str, y: float) -> Markup:
    return tag("text", words, x=LEFT - 6, y=y, text_anchor="end")


def _cursor(height: float) -> Markup:
    return tag("line", x1=LEFT, x2=LEFT, y1=0, y2=height, class_="cursor", hidden=True)
