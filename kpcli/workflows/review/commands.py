"""What to do with the corrections, as commands to copy, and what came of it: before and after."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from kpcli.errors import KpcliError
from kpcli.model_bundle import ModelBundle, ModelCard

FACES, RUN, EVAL = "faces.csv", "run", "eval"
"""Below the review's folder: what the commands write."""
TEST, VAL = 0.3, 0.1
"""Shares of the faces that are kept back."""
FEW = 20
"""Faces below which a training, and an error on some of them, say little."""


def next_steps(
    folder: Path, model: str | None, labelled: int, *, annotated: bool
) -> dict[str, Any]:
    """Titles and commands, advice, and the errors before and after where they are known."""
    folder = folder.absolute()  # the commands are copied into any terminal
    csv, run, report = folder / FACES, folder / RUN, folder / EVAL
    model = model or "default"
    model = str(Path(model).absolute()) if Path(model).is_dir() else model
    cut: list[Any] = ["--test", TEST, "--val", VAL] if annotated else []  # a CSV has its sides
    cut += ["--keep-split", csv] if csv.is_file() else []
    start = ["--init", model, *_like(model)]
    commands = [
        ("Prepare: check the labels, keep some back",
         ["prepare", folder, "--exif", "upright", *cut, "--out", csv]),
        ("Train: go on from the model",
         ["train", csv, "--out", run, *start, "--epochs", 20, "--learning-rate", "3e-4"]),
        ("Evaluate before and after, on faces kept back",
         ["eval", csv, "--split", "test", "--model", run / "model", "--model", model,
          "--out", report]),
    ]  # fmt: skip
    advice = []
    if labelled < FEW:
        advice.append(f"Faces labelled so far: {labelled}; below {FEW} a training says little.")
    return {
        "steps": [{"title": title, "command": _line(words)} for title, words in commands],
        "advice": advice,
        "result": result(report),
    }


def _like(model: str) -> list[str]:
    """The options by which a training fits the model that it starts from."""
    card = _card(model)
    if card is None:
        return []
    return ["--arch", card.architecture, "--crop-scale", f"{card.crop_scale:g}",
            "--face-box", card.face_box]  # fmt: skip


def _card(model: str) -> ModelCard | None:
    try:
        return ModelBundle.open(model).card
    except (KpcliError, OSError):
        return None


def _line(words: list[Any]) -> str:
    return shlex.join(["kpcli", *map(str, words)])


def result(report: Path) -> dict[str, Any] | None:
    """Mean error, in percent, of the starting model and of the new one, and their difference."""
    after, before = _metrics(report), _metrics(report / "model_2")
    if not after or not before:
        return None
    keys = ("nme_mean", "failure_rate", "faces", "missed")
    return {
        "before": {k: before.get(k) for k in keys},
        "after": {k: after.get(k) for k in keys},
        "protocol": after.get("protocol"), "old": before.get("model"), "new": after.get("model"),
    }  # fmt: skip


def _metrics(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
