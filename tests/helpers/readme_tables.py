"""README's tables of names, made from the catalogue: ``python tests/helpers/readme_tables.py``.

A table stands between ``<!-- NAME: made by tests/helpers/readme_tables.py -->`` and
``<!-- end -->``; tests/contracts/test_docs.py fails when one is stale.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from kpcli.catalogue import ARCHITECTURES, DETECTORS, FORMATS, RUNTIMES, TARGETS, WRITERS
from kpcli.plug_ins import Entry

README = Path(__file__).resolve().parents[2] / "README.md"
TABLES: Mapping[str, tuple[str, str, Mapping[str, Entry]]] = {
    "formats": ("format", "reads", FORMATS),
    "detectors": ("detector", "finds faces by", DETECTORS),
    "architectures": ("architecture", "what it is", ARCHITECTURES),
    "writers": ("name", "writes", WRITERS),
    "runtimes": ("runtime", "runs", RUNTIMES),
    "exporters": ("target", "makes", TARGETS),
}
MARKED = re.compile(r"(<!-- (\w+): made by [^>]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)


def table(name: str) -> str:
    """The table of this name as Markdown."""
    left, right, entries = TABLES[name]
    rows = [f"| `{key}` | {entry.help} |" for key, entry in entries.items()]
    return "\n".join([f"| {left} | {right} |", "|---|---|", *rows]) + "\n"


def filled(text: str) -> str:
    """README's text with all its tables made anew."""
    return MARKED.sub(lambda m: m[1] + table(m[2]) + m[4], text)


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
