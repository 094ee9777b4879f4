"""Sheets that show what a detector is trained on, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.drawing import BOX, TRUTH, contact_sheet
from kpcli.files import atomic_path
from kpcli.images import write_image
from kpcli.training.detection.batches import DetectionBatches
from kpcli.types import Pixels

TILE = 320


def write_crops(path: Path, batches: DetectionBatches) -> None:
    """Training pictures with their boxes; cells that are not counted as background are darker."""
    tiles = []
    for index in range(min(2, len(batches))):
        pictures, wanted = batches[index]
        for i, pixels in enumerate(pictures):
            shown = pixels.copy()
            for x, y, stride in wanted["cells"][i][wanted["counted"][i] == 0]:
                if stride == 8:
                    low, high = round(float(y) - 3.5), round(float(y) + 4.5)
                    part = shown[low:high, round(float(x) - 3.5) : round(float(x) + 4.5)]
                    part //= 2
            boxes = wanted["faces"][i][wanted["real"][i] > 0]
            tiles.append(_tile(shown, boxes, None))
    with atomic_path(path) as temporary:
        write_image(temporary, contact_sheet(tiles))


def write_detections(
    path: Path, found: Sequence[tuple[Pixels, NDArray[np.floating], NDArray[np.floating]]]
) -> None:
    """Pictures (H, W, 3) with their boxes (D, 4) of a score (D,) above 0.3."""
    tiles = [_tile(p, b[s > 0.3], s[s > 0.3]) for p, b, s in found]
    with atomic_path(path) as temporary:
        write_image(temporary, contact_sheet(tiles))


def _tile(
    pixels: Pixels, boxes: NDArray[np.floating], scores: NDArray[np.floating] | None
) -> Pixels:
    height, width = pixels.shape[:2]
    scale = TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    tile = np.zeros((TILE, TILE, 3), np.uint8)
    tile[: size[1], : size[0]] = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    for i, box in enumerate((boxes + 0.5) * scale - 0.5):
        left, top, right, bottom = (round(float(v)) for v in box)
        cv2.rectangle(tile, (left, top), (right, bottom), TRUTH if scores is None else BOX, 1)
        if scores is not None:
            cv2.putText(
                tile, f"{scores[i]:.2f}", (left, top - 2), cv2.FONT_HERSHEY_PLAIN, 0.7, BOX, 1
            )
    return tile
