"""Stickers: a picture with alpha, and a small JSON that says where on a face it goes.

A sticker is a folder with ``sticker.json`` and its picture::

    {"picture": "glasses.png",
     "anchors": {"left lens": {"at": [180, 120], "to": ["left_eye"]},
                 "right lens": {"at": [420, 120], "to": ["right_eye"]}},
     "fit": "similarity", "turn": "flat", "hide_beyond": 60, "layer": 2}

``at`` is a pixel of the picture (the centre of the top-left one is 0, 0; also outside), ``to``
the place of the face that it goes to, or several whose mean is meant: see `kpcli.drawing.places`.
``fit``: ``similarity`` (of at least two anchors) moves, turns and scales; ``triangles`` (three)
bends the picture so that every anchor lies where it belongs. ``turn``, of a similarity: ``flat``
things are narrower on a turned face, ``round`` ones (a hat) are not. Beyond ``hide_beyond``
degrees of yaw it is not drawn. Of several stickers, the one of the lower ``layer`` lies below.
"""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kpcli.drawing.warp import Layered, premultiplied, triangulate
from kpcli.errors import InputError, UsageError
from kpcli.images import open_image

FILE = "sticker.json"
LARGEST = 1 << 20
"""Bytes of the JSON."""
MOST_PIXELS = 4096 * 4096
Fit = Literal["similarity", "triangles"]
Turn = Literal["flat", "round"]
NEEDED = {"similarity": 2, "triangles": 3}
"""Anchors of a fit, at least."""
_KEYS = {"picture", "anchors", "fit", "turn", "hide_beyond", "layer", "name"}


@dataclass(frozen=True)
class Anchor:
    """A pixel (x, y) of the picture, and the places of the face whose mean it goes to."""

    name: str
    at: tuple[float, float]
    to: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Sticker:
    """An opened sticker.

    Parameters
    ----------
    name : str
    pixels : (H, W, 4) array
        Premultiplied RGBA.
    anchors : tuple of Anchor
    fit, turn, hide_beyond, layer
        As the file has them.
    """

    name: str
    pixels: NDArray[np.uint8]
    anchors: tuple[Anchor, ...]
    fit: Fit = "similarity"
    turn: Turn = "flat"
    hide_beyond: float = 75.0
    layer: int = 0
    picture: Layered = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture", Layered(self.pixels))

    @property
    def places(self) -> tuple[str, ...]:
        """The places of the face that it needs."""
        return tuple(dict.fromkeys(name for anchor in self.anchors for name in anchor.to))

    @property
    def corners(self) -> NDArray[np.float64]:
        """Of the picture (4, 2), at the outer edges of its pixels."""
        height, width = self.pixels.shape[:2]
        right, bottom = width - 0.5, height - 0.5
        return np.array([[-0.5, -0.5], [right, -0.5], [-0.5, bottom], [right, bottom]])

    @classmethod
    def open(cls, word: str) -> Sticker:
        """An embedded sticker by name, or the user's own by its folder.

        Raises
        ------
        UsageError
            If there is no such sticker.
        InputError
            If its folder cannot be used; says what is wrong with which file.
        """
        folder = sticker_folder(word)
        where = folder / FILE
        values = _read(where)
        anchors = _anchors(values.get("anchors"), where)
        fit = _choice(values, "fit", get_args(Fit), where)
        _check_anchors(anchors, fit, where)
        return cls(
            name=folder.resolve().name,
            pixels=_picture(folder, values.get("picture"), where),
            anchors=anchors,
            fit=fit,  # type: ignore[arg-type]
            turn=_choice(values, "turn", get_args(Turn), where),  # type: ignore[arg-type]
            hide_beyond=_number(values, "hide_beyond", 75.0, (0, 180), where),
            layer=int(_number(values, "layer", 0, (-100, 100), where)),
        )


def stickers_home() -> Path:
    """Where the embedded stickers lie, a folder each."""
    return Path(str(resources.files("kpcli"))) / "assets" / "stickers"


def sticker_names() -> list[str]:
    """Names of the embedded stickers."""
    return sorted(p.name for p in stickers_home().iterdir() if (p / FILE).is_file())


def sticker_folder(word: str) -> Path:
    """The folder of an embedded sticker's name, or the folder that the word names.

    Raises
    ------
    UsageError
        If it is neither.
    """
    embedded = sticker_names()
    if word in embedded:
        return stickers_home() / word
    if word and Path(word).is_dir():
        return Path(word)
    raise UsageError(
        f"there is no sticker {word!r}",
        expected=", ".join(embedded) + f", or a folder that holds {FILE} and a picture",
    )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST:
            raise _wrong(path, "not a small file")
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise _wrong(path, e.strerror or str(e)) from e
    except (ValueError, RecursionError) as e:
        raise _wrong(path, f"not JSON: {e}") from e
    if not isinstance(values, dict):
        raise _wrong(path, "not an object")
    if unknown := sorted(values.keys() - _KEYS):
        raise _wrong(path, f"unknown key {unknown[0]!r}", f"keys {', '.join(sorted(_KEYS))}")
    return values


def _wrong(path: Path, actual: str, expected: str = "") -> InputError:
    return InputError(
        f"{path}: not a sticker",
        expected=expected
        or '{"picture": "NAME.png", "anchors": {"NAME": {"at": [x, y], "to": ["left_eye"]}, ..}}',
        actual=actual,
    )


def _choice(values: Mapping[str, Any], key: str, choices: tuple[str, ...], path: Path) -> str:
    value = values.get(key, choices[0])
    if value not in choices:
        raise _wrong(path, f"{key}: {value!r}", f"{key}: {' or '.join(choices)}")
    return str(value)


def _number(
    values: Mapping[str, Any], key: str, default: float, span: tuple[float, float], path: Path
) -> float:
    value = values.get(key, default)
    if not _is_number(value) or not span[0] <= value <= span[1]:
        raise _wrong(path, f"{key}: {value!r}", f"{key}: a number from {span[0]} to {span[1]}")
    return float(value)


def _is_number(value: object) -> bool:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return plain and math.isfinite(value)  # type: ignore[arg-type]


def _anchors(values: object, path: Path) -> tuple[Anchor, ...]:
    if not isinstance(values, dict):
        raise _wrong(path, "anchors is not an object")
    return tuple(_anchor(str(name), value, path) for name, value in values.items())


def _anchor(name: str, value: object, path: Path) -> Anchor:
    what = f"anchor {name!r}"
    if not isinstance(value, dict) or value.keys() != {"at", "to"}:
        raise _wrong(path, f"{what} is not of at and to")
    at, to = value["at"], value["to"]
    if not (isinstance(at, list) and len(at) == 2 and all(map(_is_number, at))):
        raise _wrong(path, f"{what}: at is {at!r}", f"{what}: at: [x, y], pixels of the picture")
    names = [to] if isinstance(to, str) else to
    if not (isinstance(names, list) and names and all(isinstance(n, str) for n in names)):
        raise _wrong(path, f"{what}: to is {to!r}", f"{what}: to: names of places of the face")
    if max(map(abs, at)) > 10 * 4096:
        raise _wrong(path, f"{what}: at is {at!r}", "a place near the picture")
    return Anchor(name, (float(at[0]), float(at[1])), tuple(names))


def _check_anchors(anchors: tuple[Anchor, ...], fit: str, path: Path) -> None:
    needed = NEEDED[fit]
    at = np.array([anchor.at for anchor in anchors]).reshape(-1, 2)
    if len(np.unique(at, axis=0)) < needed:
        raise _wrong(
            path, f"{len(at)} anchors", f"at least {needed} anchors at different places for {fit}"
        )
    if fit == "triangles":
        try:
            triangulate(at)
        except ValueError as e:
            raise _wrong(path, f"anchors: {e}", "three that make a triangle") from e


def _picture(folder: Path, name: object, where: Path) -> NDArray[np.uint8]:
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise _wrong(where, f"picture: {name!r}", "picture: the name of a file beside it")
    path = folder / name
    with open_image(path, MOST_PIXELS) as image:
        if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
            raise InputError(
                f"{path}: the sticker's picture has no alpha", expected="PNG with transparency"
            )
        try:
            rgba = np.asarray(image.convert("RGBA"), np.uint8)
        except Exception as e:  # decoders of damaged files raise struct.error and others
            raise InputError(f"{path}: the picture is damaged", actual=str(e) or repr(e)) from e
    if not rgba[..., 3].any():
        raise InputError(f"{path}: the sticker's picture is all transparent")
    return premultiplied(rgba)
