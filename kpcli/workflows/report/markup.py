"""HTML and SVG as values: what is not markup already is escaped, so no file name becomes code."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

_VOID = frozenset(("img", "meta", "input", "br", "line", "rect", "circle", "polyline", "path"))
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Markup(str):
    """Text that is HTML already; all other text is escaped where it is put into HTML."""

    __slots__ = ()


def text(value: object) -> Markup:
    """The value as HTML: markup as it is, else escaped; control characters are shown as escapes."""
    if isinstance(value, Markup):
        return value
    shown = _CONTROL.sub(lambda m: f"\\x{ord(m[0]):02x}", str(value))
    return Markup(html.escape(shown, quote=True))


def tag(element: str, /, *children: object, **attributes: object) -> Markup:
    """An element; lists among the children are unrolled, None is left out.

    Attributes: a trailing ``_`` is dropped (``class_``), other ``_`` become ``-``; True is a bare
    attribute, None and False none.

    Example
    -------
    >>> tag("td", "<script>", class_="name")
    '<td class="name">&lt;script&gt;</td>'
    """
    parts = [f"<{element}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.rstrip("_").replace("_", "-")
        parts.append(f" {label}" if value is True else f' {label}="{text(value)}"')
    parts.append(">")
    if element in _VOID and not children:
        return Markup("".join(parts)[:-1] + "/>")
    return Markup("".join(parts) + joined(children) + f"</{element}>")


def joined(children: Iterable[object]) -> Markup:
    """Children one after the other; see `tag`."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, str) or not isinstance(child, Iterable):
            parts.append("" if child is None else text(child))
        else:
            parts.append(joined(child))
    return Markup("".join(parts))


def name(file: str) -> Markup:
    """A file's name: its own direction of writing, whatever it holds, and breaks at folders."""
    pieces = file.split("/")
    inside = joined([piece, Markup("/<wbr>")] for piece in pieces[:-1])
    return tag("bdi", inside, pieces[-1], class_="name")


def data(values: Any, kind: str) -> Markup:
    """Values for the page's script, in a block that is never run."""
    json_text = json.dumps(values, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return tag("script", Markup(json_text.replace("<", "\\u003c")), type="application/json",
               class_=kind)  # fmt: skip


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    caption: str,
    *,
    numbers: Iterable[int] = (),
    sortable: bool = False,
    id_: str | None = None,
) -> Markup:
    """A table whose first column names its rows; ``numbers`` are columns set to the right."""
    right = set(numbers)

    def cell(kind: str, i: int, value: object, **more: object) -> Markup:
        return tag(kind, value, class_="n" if i in right else None, **more)

    # Browsers print no buttons in the header that they repeat on every page.
    titles = [
        [tag("button", h, type="button"), tag("span", h, class_="print")] if sortable else h
        for h in head
    ]
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", [cell("th", i, h, scope="col") for i, h in enumerate(titles)])),
            tag(
                "tbody",
                [
                    tag("tr", [
                        cell("td" if i else "th", i, v, scope=None if i else "row")
                        for i, v in enumerate(row)
                    ])
                    for row in rows
                ],
            ),
            class_="sortable" if sortable else None,
        ),
        class_="scroll",
        id=id_,
        tabindex="0",
        role="region",
        aria_label=caption,
    )  # fmt: skip


def facts(pairs: Iterable[tuple[object, object]]) -> Markup:
    """A list of terms and what they are."""
    return tag("dl", [tag("div", tag("dt", k), tag("dd", v)) for k, v in pairs])


def section(id_: str, title: str, *children: object) -> Markup:
    """A part of the page that the navigation leads to."""
    heading = tag("h2", title, id=f"{id_}-title")
    return tag("section", heading, children, id=id_, aria_labelledby=f"{id_}-title")
