"""All state of a training between two epochs, in one file that is replaced at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.errors import ModelError
from kpcli.files import atomic_path


class Checkpoint:
    """Weights, optimiser and history of a trainer (a keras.Model around a ``network``)."""

    def __init__(self, path: Path, trainer: Any) -> None:
        self.path = path
        self.variables = [*trainer.network.variables, *trainer.optimizer.variables]

    def save(self, state: dict[str, Any]) -> None:
        """Write weights, optimiser and ``state`` (JSON values)."""
        import keras

        arrays: dict[str, Any] = {
            f"v{i}": np.asarray(keras.ops.convert_to_numpy(v)) for i, v in enumerate(self.variables)
        }
        with atomic_path(self.path) as temporary:
            np.savez(temporary, **arrays, state=np.array(json.dumps(state)))

    def restore(self) -> dict[str, Any]:
        """Read them back; returns the state. Nothing is assigned unless all of it is whole.

        Raises
        ------
        ModelError
            If the file is damaged, or the checkpoint belongs to another model.
        """
        another = f"start another run: --init {self.path.parent / 'model'} with another --out"
        try:
            with np.load(self.path) as file:
                arrays = [file[f"v{i}"] for i in range(len(file.files) - 1)]
                state: dict[str, Any] = json.loads(str(file["state"]))
                damaged = not isinstance(state, dict)
        except Exception as e:  # zip, zlib, header and JSON errors, and an empty file's EOFError
            raise ModelError(
                f"{self.path}: a damaged checkpoint",
                actual=f"{type(e).__name__}: {e}", next_step=another,
            ) from e  # fmt: skip
        shapes = [tuple(a.shape) for a in arrays]
        if damaged or shapes != [tuple(v.shape) for v in self.variables]:
            raise ModelError(
                f"{self.path}: the checkpoint is of another model",
                expected=f"{len(self.variables)} arrays, as this architecture and optimiser have",
                actual=f"{len(arrays)} arrays",
                next_step=another,
            )
        for variable, array in zip(self.variables, arrays, strict=True):
            variable.assign(array)
        return state
