"""The folder of a training run, as one object: opened or resumed, kept at its best, finished.

What is in it: run.json (all that it takes to do the run again), the best bundle so far under
model, checkpoint.npz (the state after the last whole epoch), history.csv, curves.png,
tensorboard, and sheets of faces. This module loads no Keras: what cannot be resumed is said at
once.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

from kpcli.errors import InputError, KpcliError, ModelError
from kpcli.exporters import drop_exports
from kpcli.files import atomic_path, check_writable, leftovers
from kpcli.model_bundle import CARD, WEIGHTS, ModelBundle, ModelCard, write_card
from kpcli.options import TrainOptions
from kpcli.training.checkpoint import Checkpoint
from kpcli.training.report import HISTORY_FILES, write_history, write_json
from kpcli.training.run_options import data_digests, plain, resumed_options
from kpcli.version import __version__

RUN = "run.json"
BUNDLE = "model"
CHECKPOINT = "checkpoint.npz"
AUGMENTED, SAMPLES = "augmented.png", "samples.png"
OURS = (RUN, BUNDLE, CHECKPOINT, AUGMENTED, SAMPLES, *HISTORY_FILES)
"""Files that a training writes in its folder."""

RECENT = 5
"""Epochs by whose median duration the time that is left is told."""

Row = dict[str, float]


@dataclass
class RunFolder:
    """One training's folder, and what came of its epochs.

    Attributes
    ----------
    options : TrainOptions
        The run's own: of a resumed run, those that it began with.
    history : list of dict
        A row an epoch: ``epoch`` from 1, ``loss``, ``seconds`` and what validation gives.
    """

    options: TrainOptions
    _run: dict[str, Any]
    history: list[Row] = field(default_factory=list)
    _checkpoint: Checkpoint | None = None
    _saved: int = 0

    @classmethod
    def open(cls, options: TrainOptions, given: Collection[str] | None = None) -> RunFolder:
        """The folder ``options.out``, for a new run or, with ``options.resume``, to go on.

        ``given`` names the options that the caller chose; None: those that are not the defaults.

        Raises
        ------
        InputError
            If the folder holds something else, there is no run to resume, or other data than its
            own are to be used.
        UsageError
            If an option that was given is not the run's.
        """
        path = options.out
        if options.resume:
            run = _read_run(path)
            options = resumed_options(options, given, run)
            _clean(path)
            return cls(options, run)
        _refuse_what_is_there(path)
        check_writable(path / RUN)
        return cls(options, {"data": data_digests(options)})

    @property
    def path(self) -> Path:
        return self.options.out

    @property
    def goes_on(self) -> bool:
        """Whether `begin` will restore the weights of an earlier epoch."""
        return self.options.resume and (self.path / CHECKPOINT).exists()

    def begin(self, trainer: Any, facts: Mapping[str, Any]) -> None:
        """Restore a resumed run's state into the compiled trainer, and write run.json."""
        self._checkpoint = Checkpoint(self.path / CHECKPOINT, trainer)
        if self.goes_on:
            self.history = list(self._checkpoint.restore()["history"])
            if self.history and not (self.path / BUNDLE / CARD).is_file():
                raise ModelError(
                    f"{self.path / BUNDLE}: the run's best model is gone",
                    next_step="restore it, or start another run with another --out",
                )
        self._saved = len(self.history)
        now = {"command": sys.argv, "time": time.strftime("%Y-%m-%dT%H:%M:%S")}
        if "started" in self._run:
            self._run.setdefault("resumed", []).append(now)
        else:
            self._run |= {"command": now["command"], "started": now["time"]}
        self._run |= {"options": plain(self.options), "versions": _versions(), **facts}
        with self.writing():
            write_json(self.path / RUN, self._run)

    def best(self, goal: str) -> Row:
        """The first of the epochs with the least ``goal``."""
        return min(self.history, key=lambda row: row[goal])

    def time_left(self) -> str:
        """How long the epochs to come will take, as h:mm:ss, by the last `RECENT`."""
        pace = statistics.median(row["seconds"] for row in self.history[-RECENT:])
        return str(timedelta(seconds=round(pace * (self.options.epochs - len(self.history)))))

    def out_of_patience(self, goal: str) -> bool:
        """Whether the best epoch lies too many epochs back to hope for a better one."""
        if not self.options.patience or not self.history:
            return False
        since = len(self.history) - 1 - self.history.index(self.best(goal))
        return since >= self.options.patience

    def keep(self, network: Any, card: ModelCard) -> None:
        """Make this network the run's best model, in the place of an earlier one."""
        folder = self.path / BUNDLE
        with self.writing():
            drop_exports(folder)
            with atomic_path(folder / WEIGHTS) as temporary:
                network.save(temporary)
            write_card(card, folder)

    def show(self, goal: str, label: str) -> None:
        """Write the history's table and pictures, with ``goal`` as ``label``."""
        with self.writing():
            write_history(self.path, self.history, goal, label)

    def checkpoint(self) -> None:
        """Write the state that `begin` restores: last, so that half an epoch is run again."""
        if self._checkpoint is None:
            raise ValueError("a run must begin before it has a state")
        with self.writing():
            self._checkpoint.save({"history": self.history})
        self._saved = len(self.history)

    def finish(self, goal: str) -> ModelBundle:
        """Add the time taken and the best epoch to run.json; returns the best model."""
        self._run["seconds"] = round(sum(row["seconds"] for row in self.history), 1)
        self._run["best"] = self.best(goal)
        with self.writing():
            write_json(self.path / RUN, self._run)
        return ModelBundle.open(self.path / BUNDLE)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Name the folder and the way out where it cannot be written, such as on a full disk."""
        try:
            yield
        except KpcliError:
            raise
        except OSError as e:
            raise InputError(
                f"{self.path}: cannot be written",
                actual=str(e),
                next_step="make room on the disk; --resume then goes on "
                + (f"after epoch {self._saved}" if self._saved else "from the start"),
            ) from e


def _read_run(path: Path) -> dict[str, Any]:
    """run.json of the run to resume."""
    file = path / RUN
    if not file.exists():
        raise InputError(f"{path}: no run to resume", next_step="leave --resume away to start one")
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(run, dict) or not isinstance(run["options"]["arch"], str):
            raise ValueError("no options of a training")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise InputError(
            f"{file}: not the record of a training",
            actual=f"{type(e).__name__}: {e}",
            next_step="start another run with another --out",
        ) from e
    return run


def _refuse_what_is_there(path: Path) -> None:
    """Refuse a folder that holds a run, or files that a run would replace."""
    if (path / RUN).exists() or (path / CHECKPOINT).exists():
        raise InputError(
            f"{path}: holds another run",
            next_step="add --resume to go on with it, or choose another --out",
        )
    for name in OURS:
        if os.path.lexists(path / name):
            raise InputError(
                f"{path / name}: is in the way of a new run",
                expected=f"a folder without {', '.join(OURS)}",
                next_step="choose another --out",
            )


def _clean(path: Path) -> None:
    """Remove the unfinished files of a training that was killed."""
    written = [path / name for name in OURS] + [path / BUNDLE / name for name in (WEIGHTS, CARD)]
    for file in written:
        for left in leftovers(file):
            left.unlink(missing_ok=True)


def _versions() -> dict[str, str]:
    found = {p: metadata.version(p) for p in ("keras", "numpy", "opencv-python")}
    return {"kpcli": __version__, "python": platform.python_version(), **found}
