"""Whether a model gives what its card says, tried on one blank picture before any real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kpcli.cells import cell_grid
from kpcli.errors import ModelError
from kpcli.model_bundle import DETECTION, ModelCard
from kpcli.plug_ins import Runtime


def check_outputs(runtime: Runtime, card: ModelCard, path: Path) -> None:
    """Run the model once.

    Raises
    ------
    ModelError
        If it does not take the card's pictures, or its outputs are not of the card's shapes.
    """
    if card.task == DETECTION:
        side = 2 * max(card.strides)
        n = len(cell_grid(side, side, card.strides))
        wanted: dict[str, tuple[int, ...]] = {"score": (1, n), "box": (1, n, 4)}
        if card.face_box == "landmarks":
            wanted["landmark_box"] = (1, n, 4)
    else:
        side, n = card.input_size, card.landmark_scheme.n_points
        wanted = {"points": (1, n, 2)}
        if "log_scale" in card.outputs:
            wanted["log_scale"] = (1, n)
    channels = 1 if card.colour == "gray" else 3
    try:
        found = runtime.run(np.zeros((1, side, side, channels), np.uint8))
    except Exception as e:  # each library has errors of its own
        raise _misfit(
            path, f"pictures ({side}, {side}, {channels})", " ".join(str(e).split())[:300]
        ) from e
    shapes = {name: found[name].shape if name in found else () for name in wanted}
    if shapes != wanted:
        raise _misfit(path, _said(wanted), _said(shapes))


def _said(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" if shape else f"no {name}" for name, shape in shapes.items())


def _misfit(path: Path, expected: str, actual: str) -> ModelError:
    return ModelError(
        f"{path}: the model is not what card.json beside it says",
        expected=expected, actual=actual,
        next_step="get the whole bundle once more from where it came from, or export it anew",
    )  # fmt: skip
