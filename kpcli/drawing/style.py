"""What to draw, as the words of ``--draw`` say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import ImageColor

from kpcli.drawing.outline import NEEDED_BY_OUTLINE
from kpcli.drawing.pen import Colour
from kpcli.drawing.places import need
from kpcli.drawing.stickers import Sticker
from kpcli.errors import UsageError
from kpcli.schemes import LandmarkScheme

STICKERS = "stickers"
KINDS: Mapping[str, str] = {
    "none": "the picture as it is",
    "swap": "faces change places, two by two in the order of their ids",
    "makeup": "lips and cheeks tinted",
    "blur-background": "all but the faces, by their outline, out of focus",
    STICKERS: "pictures on the faces: stickers:NAME, or stickers:FOLDER of your own",
    "landmarks": "lines, points, box, id and confidence",
    "mesh": "triangles between the points",
    "edges": "the lines of the mark-up",
    "points": "the points",
    "box": "the face's box",
    "ids": "the face's id",
    "names": "the name of every point",
}
"""All that can be drawn, in the order in which it is drawn."""
COLOURED = frozenset(("makeup", "landmarks", "mesh", "edges", "points", "box", "ids", "names"))
NEEDS: Mapping[str, tuple[str, ...]] = {
    "swap": NEEDED_BY_OUTLINE,
    "blur-background": NEEDED_BY_OUTLINE,
    "makeup": (
        "outer_lip", "inner_lip", "left_eye", "right_eye", "nose_tip", "mouth_left", "mouth_right",
    ),
}  # fmt: skip
"""Places of the face that an effect is made of."""


@dataclass(frozen=True)
class Layer:
    """One word: what, and in which colour (None: its own), or which sticker."""

    kind: str
    colour: Colour | None = None
    sticker: Sticker | None = None


@dataclass(frozen=True)
class Style:
    """What `kpcli.drawing.draw` draws.

    Parameters
    ----------
    layers : tuple of Layer
        In the order in which they are drawn.
    size : float
        Times widths, points and text.
    """

    layers: tuple[Layer, ...]
    size: float = 1.0

    @classmethod
    def of(cls, words: Sequence[str], size: float = 1.0) -> Style:
        """The style that words such as ``points:red`` or ``stickers:hat`` ask for.

        Raises
        ------
        UsageError
            If a word, a colour or a sticker is unknown.
        InputError
            If a sticker cannot be used.
        """
        layers = [_layer(word) for word in words]
        if not layers:
            raise _unknown("nothing", "")
        order = list(KINDS)
        layers.sort(key=lambda x: (order.index(x.kind), x.sticker.layer if x.sticker else 0))
        return cls(tuple(layers), size)

    def check(self, scheme: LandmarkScheme) -> None:
        """Refuse a scheme that lacks points which a layer needs.

        Raises
        ------
        UsageError
            Naming the layer and the points.
        """
        for layer in self.layers:
            if layer.sticker:
                need(scheme, layer.sticker.places, f"{STICKERS}:{layer.sticker.name}")
            need(scheme, NEEDS.get(layer.kind, ()), layer.kind)


def _layer(word: str) -> Layer:
    kind, _, value = word.partition(":")
    if kind not in KINDS:
        raise _unknown(f"{word!r}", "")
    if kind == STICKERS:
        return Layer(kind, sticker=Sticker.open(value))
    if not value:
        return Layer(kind)
    if kind not in COLOURED:
        raise _unknown(f"{word!r}", f"{kind} takes no colour")
    try:
        red, green, blue = ImageColor.getrgb(value)[:3]
    except ValueError as e:
        raise UsageError(
            f"--draw {kind}: unknown colour {value!r}", expected="a name such as red, or #rrggbb"
        ) from e
    return Layer(kind, (red, green, blue))


def _unknown(what: str, actual: str) -> UsageError:
    kinds = ", ".join(f"{k}:NAME" if k == STICKERS else k for k in KINDS)
    return UsageError(f"--draw cannot draw {what}", expected=kinds, actual=actual)
