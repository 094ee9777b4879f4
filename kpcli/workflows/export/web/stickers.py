"""The embedded stickers for the page: those whose places the model's scheme has."""

from __future__ import annotations

from typing import Any

import numpy as np

from kpcli.drawing import fitting, warp
from kpcli.drawing.places import places
from kpcli.drawing.stickers import Sticker, sticker_folder, sticker_names
from kpcli.schemes import LandmarkScheme

CONSTANTS = {
    "FADE": fitting.FADE, "NARROWEST": fitting.NARROWEST,
    "NOSE_BEFORE_EYES": fitting.NOSE_BEFORE_EYES, "THIN": warp.THIN, "FAR": warp.FAR,
}  # fmt: skip


def web_stickers(scheme: LandmarkScheme) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """What the script must know of each, the lowest layer first, and their pictures by name."""
    known = places(scheme)
    found, pictures = [], {}
    for sticker in sorted(map(Sticker.open, sticker_names()), key=lambda s: (s.layer, s.name)):
        if not set(sticker.places) <= known.keys():
            continue
        at = np.array([anchor.at for anchor in sticker.anchors])
        whole = np.vstack([at, sticker.corners])
        bends = sticker.fit == "triangles"
        found.append({
            "name": sticker.name, "turn": sticker.turn, "hide_beyond": sticker.hide_beyond,
            "at": at.tolist(), "corners": sticker.corners.tolist(),
            "to": [[list(known[name]) for name in anchor.to] for anchor in sticker.anchors],
            "triangles": warp.triangulate(whole).tolist() if bends else None,
        })  # fmt: skip
        pictures[f"sticker-{sticker.name}"] = _picture(sticker)
    return found, pictures


def _picture(sticker: Sticker) -> bytes:
    (path,) = sticker_folder(sticker.name).glob("*.png")
    return path.read_bytes()
