"""The page around the sections: one file, nothing from elsewhere, only this script may run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from kpcli.version import __version__
from kpcli.workflows.report.markup import Markup, tag

GENERATOR = "kpcli report"
MOST_BYTES = 20_000_000
"""Most bytes of a page, as mail servers take; `kpcli.workflows.report.digest` says how much of each
kind is shown.
"""

_FOOT = (
    "The page holds all it shows: it needs no network and sends nothing. Keys: Tab and Enter; / to "
    "search the files; arrows in time lines and in the large view; Escape closes it."
)


def page(title: str, lead: object, sections: Sequence[tuple[str, str, Markup]]) -> Markup:
    """The whole document; of each section its id, its name in the navigation, and itself."""
    style, script = _file("page.css"), _file("page.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=f"{GENERATOR} {__version__}"),
        tag("title", title),
        tag("style", style),
    )
    links = [tag("li", tag("a", name, href=f"#{id_}")) for id_, name, _ in sections]
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        tag("header", tag("h1", title), lead),
        tag("nav", tag("ul", links), aria_label="Parts of this page"),
        tag("main", [part for _, _, part in sections], id="content", tabindex="-1"),
        tag("footer", tag("p", f"Written by kpcli {__version__}. {_FOOT}")),
        _dialog(),
        tag("script", script),
    )  # fmt: skip
    return Markup("<!doctype html>\n" + tag("html", head, body, lang="en") + "\n")


def _dialog() -> Markup:
    buttons = tag(
        "div",
        tag("button", "Previous", type="button", data_step="previous"),
        tag("button", "Next", type="button", data_step="next"),
        tag("button", "Close", type="button", data_close=True),
        class_="tools",
    )
    return tag("dialog", tag("img", alt=""), tag("p"), buttons, aria_label="Large view")


@cache
def _file(name: str) -> Markup:
    return Markup((Path(__file__).parent / name).read_text(encoding="utf-8"))


def _digest(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
