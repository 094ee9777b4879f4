"""A predictor without a model: quick, deterministic, and it depends on what it sees."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.geometry import REFERENCE_FIVE
from kpcli.model_bundle import ModelCard, write_card
from kpcli.schemes import IBUG68

SIZE = 32
PULL = 0.1


@dataclass(frozen=True)
class FakeFaces:
    unit: NDArray[np.float32]
    point_confidences: NDArray[np.float32]
    confidence: NDArray[np.float32]


class FakePredictor:
    """An upright face, a little towards the light of the crop; confidence grows with light.

    It fills its box, so that one look is enough.
    """

    def __init__(self) -> None:
        self.card = ModelCard(
            name="fake",
            task="landmarks",
            architecture="none",
            input_size=SIZE,
            colour="rgb",
            crop_scale=1.3,
            face_box="landmarks",
            scheme=IBUG68.to_json(),
        )
        angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
        self._shape = np.stack([0.5 * np.cos(angle), 0.6 * np.sin(angle)], axis=1)
        for group, place in zip(IBUG68.five, REFERENCE_FIVE, strict=True):
            self._shape[list(group)] = place * 1.2
        self._shape -= self._shape.mean(axis=0)
        self._shape *= 2 / self.card.crop_scale / np.ptp(self._shape, axis=0).max()
        self.batches: list[int] = []

    def predict(self, crops: NDArray[np.uint8]) -> FakeFaces:
        assert crops.shape[1:] == (SIZE, SIZE, 3)
        assert crops.dtype == np.uint8
        self.batches.append(len(crops))
        light = crops.mean(axis=3, dtype=np.float64) + 1e-3
        grid = (2 * np.arange(SIZE) + 1) / SIZE - 1
        total = light.sum(axis=(1, 2))
        x = (light.sum(axis=1) * grid).sum(axis=1) / total
        y = (light.sum(axis=2) * grid).sum(axis=1) / total
        centre = PULL * np.stack([x, y], axis=1)[:, None, :]
        mean = light.mean(axis=(1, 2)) / 256
        return FakeFaces(
            (self._shape + centre).astype(np.float32),
            np.repeat(mean[:, None], 68, axis=1).astype(np.float32),
            (0.65 + 0.35 * mean).astype(np.float32),
        )


class TroublePredictor(FakePredictor):
    """Hangs on faces that are red, and ends its process on faces that are blue."""

    def predict(self, crops: NDArray[np.uint8]) -> FakeFaces:
        red, green, blue = crops.reshape(len(crops), -1, 3).mean(axis=1).max(axis=0)
        if red > green + 60:
            time.sleep(600)
        if blue > green + 60:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(crops)


class InterruptedPredictor(FakePredictor):
    """Ctrl-C comes at the nth batch."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self._left = batch

    def predict(self, crops: NDArray[np.uint8]) -> FakeFaces:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt
        return super().predict(crops)


def write_bundle(folder: Path) -> Path:
    """A bundle that has a card and no weights: enough where the predictor is a fake."""
    folder.mkdir(parents=True)
    write_card(FakePredictor().card, folder)
    return folder
