"""Draws the embedded stickers: ``python tests/helpers/draw_stickers.py [FOLDER [NAME...]]``.

All shapes are our own, given in box sides from the middle of the mean face
(`kpcli.drawing.mean_shapes`): a sticker's anchors are the mean face's own places.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from kpcli.drawing.mean_shapes import MEAN_SHAPES
from kpcli.drawing.places import place
from kpcli.drawing.stickers import FILE, stickers_home
from kpcli.schemes import IBUG68

SIDE = 320
"""Pixels a box side."""
FINER = 4
"""Drawn so much larger, then averaged: smooth edges."""
Colour = tuple[int, int, int, int]
Shape = Sequence[tuple[float, float]]


class Canvas:
    """A picture of a part of the face, left, top, right, bottom in box sides."""

    def __init__(self, left: float, top: float, right: float, bottom: float) -> None:
        self.corner = np.array([left, top])
        self.size = (round((right - left) * SIDE), round((bottom - top) * SIDE))
        self.image = Image.new("RGBA", (self.size[0] * FINER, self.size[1] * FINER))

    def large(self, shape: Shape) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in (np.array(shape) - self.corner) * SIDE * FINER]

    def stencil(self, *shapes: Shape) -> Image.Image:
        """White where one of the closed shapes is."""
        mask = Image.new("L", self.image.size)
        for shape in shapes:
            ImageDraw.Draw(mask).polygon(self.large(shape), fill=255)
        return mask

    def fill(self, stencil: Image.Image, top: Colour, bottom: Colour | None = None) -> None:
        """Lay a colour, or a run of colours from the stencil's top to its bottom, over it."""
        box = stencil.getbbox()
        if box is None:
            return
        rows = np.linspace(0, 1, box[3] - box[1])[:, None, None]
        run = np.array(top) * (1 - rows) + np.array(bottom or top) * rows
        column = Image.fromarray(np.rint(run).astype(np.uint8), "RGBA")
        layer = column.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.NEAREST)
        layer.putalpha(ImageChops.multiply(layer.getchannel("A"), stencil.crop(box)))
        self.image.alpha_composite(layer, box[:2])

    def shine(self, shape: Shape, within: Image.Image, blur: float, colour: Colour) -> None:
        """A soft spot of light or shade within a stencil."""
        spot = self.stencil(shape).filter(ImageFilter.GaussianBlur(blur * SIDE * FINER))
        self.fill(ImageChops.multiply(spot, within), colour)

    def erase(self, stencil: Image.Image) -> None:
        alpha = ImageChops.multiply(self.image.getchannel("A"), ImageChops.invert(stencil))
        self.image.putalpha(alpha)

    def finished(self) -> Image.Image:
        """At its size; averaged with alpha as a weight, so that edges keep their colour."""
        pixels = np.asarray(self.image, np.float32)
        alpha = pixels[..., 3:]
        parts = np.concatenate([pixels[..., :3] * alpha, alpha], axis=2)
        width, height = self.size
        small = parts.reshape(height, FINER, width, FINER, 4).mean(axis=(1, 3))
        colour = small[..., :3] / np.maximum(small[..., 3:], 1e-9)
        return Image.fromarray(np.rint(np.dstack([colour, small[..., 3]])).astype(np.uint8), "RGBA")

    def anchors(self, *names: str) -> dict[str, object]:
        found = {}
        for name in names:
            at = (place(MEAN_SHAPES["ibug68"], IBUG68, [name]) - self.corner) * SIDE - 0.5
            found[name.replace("_", " ")] = {"at": [round(float(v), 1) for v in at], "to": [name]}
        return found


def ellipse(x: float, y: float, a: float, b: float, turn: float = 0.0, power: float = 2.0) -> Shape:
    """A superellipse: power 2 is round, 4 nearly a rectangle."""
    t = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    u = a * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / power)
    v = b * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / power)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return [(x + p * c - q * s, y + p * s + q * c) for p, q in zip(u, v, strict=True)]


def smooth(points: Shape, closed: bool = True) -> Shape:
    """A Catmull-Rom curve through the points."""
    p: NDArray[np.float64] = np.array(points, np.float64)
    if not closed:
        p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    count = len(p) if closed else len(p) - 3
    found = []
    for i in range(count):
        a, b, c, d = (p[(i + k) % len(p)] for k in range(4))
        for t in np.linspace(0, 1, 24, endpoint=False):
            found.append(
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
                       + (3 * b - a - 3 * c + d) * t**3)
            )  # fmt: skip
    return [(float(x), float(y)) for x, y in found]


def band(points: Shape, width: float) -> Shape:
    """A stroke of this width along an open curve."""
    line = np.array(smooth(points, closed=False))
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    across *= width / 2 / np.linalg.norm(across, axis=1, keepdims=True)
    return [(float(x), float(y)) for x, y in [*(line + across), *(line - across)[::-1]]]


def both(shape: Shape) -> tuple[Shape, Shape]:
    """The shape and its mirror image."""
    return shape, [(-x, y) for x, y in shape]


def glasses() -> tuple[Canvas, dict[str, object]]:
    c = Canvas(-0.60, -0.52, 0.60, -0.06)
    outer = c.stencil(*both(ellipse(-0.225, -0.275, 0.192, 0.152, 0, 3.0)))
    inner = c.stencil(*both(ellipse(-0.225, -0.275, 0.160, 0.120, 0, 3.0)))
    bridge = c.stencil(band([(-0.062, -0.30), (0.0, -0.335), (0.062, -0.30)], 0.036))
    arm = [(-0.40, -0.345), (-0.50, -0.368), (-0.585, -0.365), (-0.585, -0.325), (-0.50, -0.315),
           (-0.40, -0.29)]  # fmt: skip
    arms = c.stencil(*both(smooth(arm)))
    c.fill(inner, (28, 52, 92, 165), (96, 132, 176, 105))
    for side in both([(-0.36, -0.41), (-0.29, -0.41), (-0.39, -0.14), (-0.42, -0.22)]):
        c.shine(side, inner, 0.012, (255, 255, 255, 120))
    frame = ImageChops.lighter(ImageChops.lighter(arms, bridge), ImageChops.subtract(outer, inner))
    c.fill(frame, (64, 34, 26, 255), (26, 12, 10, 255))
    rim = c.stencil(*both(ellipse(-0.225, -0.283, 0.180, 0.140, 0, 3.0)))
    c.shine(
        ellipse(0, -0.43, 0.5, 0.035), ImageChops.subtract(outer, rim), 0.01, (220, 160, 120, 150)
    )
    return c, {"anchors": c.anchors("left_eye", "right_eye"), "hide_beyond": 50, "layer": 2}


def moustache() -> tuple[Canvas, dict[str, object]]:
    c = Canvas(-0.40, -0.06, 0.40, 0.22)
    half = smooth([(0.0, 0.040), (-0.07, 0.025), (-0.15, 0.055), (-0.23, 0.092), (-0.30, 0.080),
                   (-0.335, 0.035), (-0.365, 0.005), (-0.372, 0.045), (-0.345, 0.115),
                   (-0.27, 0.165), (-0.17, 0.160), (-0.08, 0.125), (0.0, 0.092)])  # fmt: skip
    shape = c.stencil(*both(half))
    c.fill(shape, (92, 58, 32, 255), (44, 24, 12, 255))
    for start in np.linspace(0, 1, 15):
        x = -0.012 - 0.05 * start
        hair = [(x, 0.045 + 0.05 * start), (-0.14, 0.085 + 0.05 * start),
                (-0.25, 0.112 + 0.035 * start), (-0.33 - 0.02 * start, 0.075)]  # fmt: skip
        tone = (156, 108, 66, 90) if round(start * 14) % 2 else (30, 14, 6, 90)
        c.fill(ImageChops.multiply(c.stencil(*both(band(hair, 0.004))), shape), tone)
    anchors = c.anchors("nose_tip", "mouth_left", "mouth_right")
    return c, {"anchors": anchors, "hide_beyond": 50, "layer": 1}


def hat() -> tuple[Canvas, dict[str, object]]:
    c = Canvas(-0.76, -1.62, 0.76, -0.44)
    crown = c.stencil(
        smooth([(-0.45, -0.70), (-0.47, -1.10), (-0.51, -1.45), (-0.30, -1.545), (0.0, -1.57),
                (0.30, -1.545), (0.51, -1.45), (0.47, -1.10), (0.45, -0.70), (0.0, -0.60)])
    )  # fmt: skip
    c.fill(crown, (44, 44, 58, 255), (24, 24, 34, 255))
    c.shine([(-0.36, -1.5), (-0.24, -1.5), (-0.20, -0.7), (-0.30, -0.7)], crown, 0.035,
            (150, 150, 175, 130))  # fmt: skip
    c.shine([(0.36, -1.6), (0.56, -1.6), (0.56, -0.6), (0.36, -0.6)], crown, 0.05, (0, 0, 0, 130))
    c.fill(c.stencil(ellipse(0, -1.47, 0.495, 0.085)), (58, 58, 74, 255), (36, 36, 48, 255))
    ribbon = ImageChops.multiply(
        crown, c.stencil([(-0.6, -0.90), *smooth([(-0.5, -0.93), (0, -0.83), (0.5, -0.93)], False),
                          (0.6, -0.90), (0.6, -0.5), (-0.6, -0.5)])
    )  # fmt: skip
    c.fill(ribbon, (196, 34, 50, 255), (132, 16, 34, 255))
    c.shine([(-0.36, -1.0), (-0.24, -1.0), (-0.22, -0.6), (-0.32, -0.6)], ribbon, 0.03,
            (255, 150, 150, 120))  # fmt: skip
    brim = c.stencil(
        smooth([(-0.735, -0.74), (-0.62, -0.735), (-0.45, -0.70), (0, -0.655), (0.45, -0.70),
                (0.62, -0.735), (0.735, -0.74), (0.70, -0.63), (0.42, -0.535), (0, -0.50),
                (-0.42, -0.535), (-0.70, -0.63)])
    )  # fmt: skip
    c.fill(brim, (62, 62, 80, 255), (20, 20, 28, 255))
    c.shine(ellipse(-0.3, -0.64, 0.3, 0.03, 4), brim, 0.02, (150, 150, 175, 110))
    eyes_and_mouth = ("left_eye", "right_eye", "mouth_left", "mouth_right")
    return c, {
        "anchors": c.anchors(*eyes_and_mouth), "turn": "round", "hide_beyond": 90, "layer": 3,
    }  # fmt: skip


def mask() -> tuple[Canvas, dict[str, object]]:
    c = Canvas(-0.64, -0.64, 0.64, 0.06)
    half = [(0.0, -0.40), (-0.10, -0.455), (-0.24, -0.50), (-0.40, -0.49), (-0.52, -0.53),
            (-0.605, -0.60), (-0.575, -0.44), (-0.50, -0.30), (-0.42, -0.17), (-0.30, -0.10),
            (-0.19, -0.085), (-0.10, -0.045), (-0.045, -0.005), (0.0, 0.01)]  # fmt: skip
    whole = c.stencil(smooth([*half, *[(-x, y) for x, y in half[-2:0:-1]]]))
    c.fill(whole, (126, 26, 140, 255), (70, 10, 96, 255))
    c.shine(ellipse(0, -0.44, 0.45, 0.04), whole, 0.03, (232, 150, 240, 110))
    c.shine(ellipse(0, -0.15, 0.05, 0.12), whole, 0.03, (232, 150, 240, 90))
    core = whole.filter(ImageFilter.GaussianBlur(0.012 * SIDE * FINER)).point(
        lambda v: 255 if v > 215 else 0
    )
    holes = c.stencil(*both(smooth([(-0.335, -0.295), (-0.28, -0.358), (-0.205, -0.372),
                                    (-0.125, -0.335), (-0.088, -0.265), (-0.145, -0.235),
                                    (-0.215, -0.225), (-0.29, -0.245)])))  # fmt: skip
    rims = holes.filter(ImageFilter.GaussianBlur(0.012 * SIDE * FINER)).point(
        lambda v: 255 if v > 40 else 0
    )
    gold = ImageChops.lighter(ImageChops.subtract(whole, core), ImageChops.multiply(rims, whole))
    c.fill(gold.filter(ImageFilter.GaussianBlur(2)), (252, 220, 120, 255), (188, 132, 36, 255))
    for x, y in ((-0.46, -0.42), (-0.40, -0.28), (-0.22, -0.44), (-0.12, -0.16)):
        c.fill(c.stencil(*both(ellipse(x, y, 0.014, 0.014))), (255, 236, 170, 255))
    c.erase(holes)
    names = ("left_brow_outer", "left_brow_inner", "right_brow_inner", "right_brow_outer",
             "left_eye_outer", "left_eye_inner", "right_eye_inner", "right_eye_outer",
             "nose_tip")  # fmt: skip
    return c, {"anchors": c.anchors(*names), "fit": "triangles", "hide_beyond": 50, "layer": 0}


def ears() -> tuple[Canvas, dict[str, object]]:
    c = Canvas(-0.66, -1.72, 0.66, -0.58)
    outer = smooth([(-0.16, -0.66), (-0.11, -0.90), (-0.14, -1.22), (-0.27, -1.55), (-0.40, -1.66),
                    (-0.50, -1.56), (-0.50, -1.26), (-0.44, -0.94), (-0.36, -0.68),
                    (-0.26, -0.62)])  # fmt: skip
    inner = smooth([(-0.235, -0.76), (-0.20, -0.95), (-0.23, -1.22), (-0.32, -1.46),
                    (-0.40, -1.55), (-0.445, -1.46), (-0.435, -1.24), (-0.385, -0.96),
                    (-0.32, -0.78)])  # fmt: skip
    fur = c.stencil(*both(outer))
    c.fill(fur, (252, 250, 248, 255), (214, 206, 204, 255))
    core = fur.filter(ImageFilter.GaussianBlur(0.02 * SIDE * FINER))
    c.fill(ImageChops.multiply(ImageChops.invert(core), fur), (150, 138, 140, 120))
    c.fill(c.stencil(*both(inner)).filter(ImageFilter.GaussianBlur(10)), (248, 188, 200, 255),
           (226, 140, 160, 255))  # fmt: skip
    for side in both(ellipse(-0.33, -1.15, 0.03, 0.30, -10)):
        c.shine(side, fur, 0.03, (255, 224, 230, 150))
    fade = c.stencil([(-0.7, -0.70), (0.7, -0.70), (0.7, -0.5), (-0.7, -0.5)])
    c.erase(fade.filter(ImageFilter.GaussianBlur(0.03 * SIDE * FINER)))
    eyes_and_mouth = ("left_eye", "right_eye", "mouth_left", "mouth_right")
    return c, {"anchors": c.anchors(*eyes_and_mouth), "hide_beyond": 80, "layer": 2}


ALL: dict[str, Callable[[], tuple[Canvas, dict[str, object]]]] = {
    "ears": ears, "glasses": glasses, "hat": hat, "mask": mask, "moustache": moustache,
}  # fmt: skip


def write(name: str, home: Path) -> Path:
    """Draw one sticker into its folder."""
    canvas, values = ALL[name]()
    folder = home / name
    folder.mkdir(parents=True, exist_ok=True)
    canvas.finished().save(folder / f"{name}.png", optimize=True)
    values = {"name": name, "picture": f"{name}.png", **values}
    (folder / FILE).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return folder


if __name__ == "__main__":
    home = Path(sys.argv[1]) if len(sys.argv) > 1 else stickers_home()
    for each in sys.argv[2:] or ALL:
        print(write(each, home))
