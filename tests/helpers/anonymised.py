"""Drawn faces for anonymise, and a seeker that finds them without a network."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from numpy.typing import NDArray

from kpcli.options import AnonymiseOptions
from kpcli.types import FaceBox
from kpcli.workflows.anonymise import work

SIDE = 24
"""Pixels of a drawn face."""


def scene(
    *corners: tuple[int, int], size: tuple[int, int] = (128, 96), seed: int = 3
) -> NDArray[np.uint8]:
    """A gray, textured picture with a red, textured square a face."""
    generator = np.random.default_rng(seed)
    noise = generator.integers(60, 120, (size[1] // 4, size[0] // 4))
    pixels = np.repeat(np.kron(noise, np.ones((4, 4)))[..., None], 3, axis=2).astype(np.uint8)
    face = np.zeros((SIDE, SIDE, 3), np.uint8)
    face[..., 0] = 220 + np.kron(generator.integers(0, 30, (6, 6)), np.ones((4, 4)))
    for x, y in corners:
        part = pixels[max(y, 0) : y + SIDE, max(x, 0) : x + SIDE]
        part[:] = face[: part.shape[0], : part.shape[1]]
    return pixels


def red(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a face shows, also after the encoder of a video."""
    values = pixels.astype(int)
    return np.asarray((values[..., 0] > 160) & (values[..., 1] < 90) & (values[..., 2] < 90))


class DrawnSeeker:
    """Finds the red squares of `scene`, each half of the picture for itself; in videos only in
    some frames, from 0."""

    blind: Collection[int] = ()
    score = 0.9

    def __init__(self, options: AnonymiseOptions) -> None:
        self._count = 0

    def picture(self, pixels: NDArray[np.uint8]) -> list[FaceBox]:
        half = pixels.shape[1] // 2
        boxes = []
        for left, part in ((0, pixels[:, :half]), (half, pixels[:, half:])):
            y, x = np.nonzero(red(part))
            if len(y):
                box = FaceBox(left + x.min(), y.min(), left + x.max(), y.max(), self.score)
                boxes.append(box)
        return boxes

    def frame(self, pixels: NDArray[np.uint8], *, turned: bool) -> list[FaceBox]:
        number, self._count = self._count, self._count + 1
        return [] if number in self.blind else self.picture(pixels)


def seek_drawn(
    monkeypatch: pytest.MonkeyPatch, blind: Collection[int] = (), score: float = 0.9
) -> None:
    """Have anonymise find drawn faces."""
    kind = type("Seeker", (DrawnSeeker,), {"blind": blind, "score": score})
    monkeypatch.setattr(work, "Seeker", kind)
