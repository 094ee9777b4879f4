"""What a run folder shows beside the model: history, curves, TensorBoard log, sheets of faces."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from kpcli.drawing import EDGE, POINT, TRUTH, contact_sheet, draw_landmarks
from kpcli.files import atomic_folder, atomic_path
from kpcli.images import write_image
from kpcli.schemes import LandmarkScheme
from kpcli.types import Points

if TYPE_CHECKING:
    from kpcli.training.landmarks.batches import TrainingBatches

TABLE, CURVES, LOG = "history.csv", "curves.png", "tensorboard"
HISTORY_FILES = (TABLE, CURVES, LOG)
"""Files that `write_history` makes in a run's folder."""


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write JSON under the path at once or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1, default=str) + "\n", encoding="utf-8")


def write_history(out: Path, rows: Sequence[dict[str, float]], goal: str, label: str) -> None:
    """history.csv, curves.png (of the loss and ``goal``) and the TensorBoard log, all made anew.

    ``goal`` is named ``val_...``; where the rows have the same of training faces (``train_...``),
    its curve is drawn too. Rows of an earlier version may lack columns.
    """
    names = list(dict.fromkeys(name for row in reversed(rows) for name in row))
    with (
        atomic_path(out / TABLE) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, fieldnames=names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    _draw_curves(rows, out / CURVES, goal, label)
    _write_tensorboard(rows, out / LOG)


def write_augmented(path: Path, batches: TrainingBatches, scheme: LandmarkScheme) -> None:
    tiles = []
    for index in range(min(2, len(batches))):
        crops, wanted = batches[index]
        for crop, points, mask in zip(crops, wanted["points"], wanted["mask"], strict=True):
            points = np.where(mask[:, None] > 0, points, np.nan)
            tiles.append(_tile(crop, [(points, EDGE, POINT)], scheme))
    with atomic_path(path) as temporary:
        write_image(temporary, contact_sheet(tiles[:48]))


def write_samples(
    path: Path, predict: Callable[[Any], Any], crops: Any, truth: Points, scheme: LandmarkScheme
) -> None:
    chosen = np.linspace(0, len(crops) - 1, min(24, len(crops))).astype(int)
    from keras import ops

    points = ops.convert_to_numpy(predict(crops[chosen])["points"])
    tiles = [
        _tile(crops[i], [(truth[i], TRUTH, TRUTH), (p, EDGE, POINT)], scheme)
        for i, p in zip(chosen, points, strict=True)
    ]
    with atomic_path(path) as temporary:
        write_image(temporary, contact_sheet(tiles))


def _tile(crop: Any, layers: Sequence[tuple[Any, Any, Any]], scheme: LandmarkScheme) -> Any:
    """A crop at twice 96 px with unit points (N, 2) drawn on it."""
    side = 192
    rgb = np.repeat(crop, 3, axis=2) if crop.shape[2] == 1 else crop
    tile = np.asarray(cv2.resize(rgb, (side, side)), np.uint8)
    for points, edge, point in layers:
        pixels = ((np.asarray(points) + 1) * side - 1) / 2
        draw_landmarks(tile, pixels, scheme, edge_colour=edge, point_colour=point)
    return tile


def _draw_curves(rows: Sequence[dict[str, float]], path: Path, goal: str, label: str) -> None:
    """Training loss, and the goal on faces to validate and to train on, by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    left.plot(epochs, [row["loss"] for row in rows])
    left.set(xlabel="epoch", ylabel="training loss")
    values = [row[goal] for row in rows]
    right.plot(epochs, values, label="validation")
    seen = goal.replace("val_", "train_", 1)
    if any(seen in row for row in rows):
        right.plot(epochs, [row.get(seen, np.nan) for row in rows], label="training")
    best = min(range(len(values)), key=values.__getitem__)
    right.plot([epochs[best]], [values[best]], "o", label=f"best {values[best]:.2f}")
    right.set(xlabel="epoch", ylabel=label, yscale="log")
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3, which="both")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100)


def _write_tensorboard(rows: Sequence[dict[str, float]], folder: Path) -> None:
    """Every column by epoch; the log is made anew, so that a resumed run has no double steps."""
    from tensorboard.summary import Writer

    with atomic_folder(folder) as temporary:
        writer = Writer(str(temporary))
        for row in rows:
            for name, value in row.items():
                if name != "epoch":
                    writer.add_scalar(name, value, int(row["epoch"]))
        writer.close()
