"""A device profile's picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kpcli.workflows.bench.layers import LayerTime, cut, shares

_OTHER = "#9a9a9a"


def write_bars(path: Path, found: Sequence[LayerTime], title: str) -> None:
    """Draw a bar a layer, the slowest at the top, in a colour by its slowest operator."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    shown = cut(found)
    figure = Figure(figsize=(9, 1.6 + 0.28 * len(shown)), layout="constrained")
    axes = figure.subplots()
    places = range(len(shown))
    kinds = list(dict.fromkeys(layer.operators[0] for layer in found[: len(shown) - 1]))
    colours = {kind: f"C{i}" for i, kind in enumerate(kinds[:9]) if i != 7}  # C7 is grey too
    for kind in (*colours, ""):
        own = [i for i in places if _group(shown[i], found, colours) == kind]
        axes.barh(own, [shown[i].median for i in own], color=colours.get(kind, _OTHER),
                  label=(kind or "other") if own else None)  # fmt: skip
    for i, share in zip(places, shares(shown), strict=True):
        axes.text(shown[i].median, i, f" {shown[i].median:.3f} ms, {share:.1f} %", va="center",
                  fontsize=8)  # fmt: skip
    axes.set_yticks(places, [layer.name for layer in shown], fontsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 1.22 * max(layer.median for layer in shown) or 1)
    axes.set(xlabel="milliseconds a call, median")
    axes.set_title(title, fontsize=9)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=120)


def _group(layer: LayerTime, found: Sequence[LayerTime], colours: dict[str, str]) -> str:
    """The layer's kind, if it has a colour; the sum of what is left has none."""
    kind = layer.operators[0]
    return kind if kind in colours and any(layer is one for one in found) else ""
