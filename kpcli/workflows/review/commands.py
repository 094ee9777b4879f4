"""What to do with the corrections, as commands to copy, and what came of it: before and after."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kpcli.errors import KpcliError
from kpcli.model_bundle import ModelBundle, ModelCard
from kpcli.schemes import can_convert, key_of

FACES, RUN, EVAL = "faces.csv", "run", "eval"
"""Below the review's folder: what the commands write."""
TEST, VAL = 0.3, 0.1
"""Shares of the faces that are kept back."""
FEW = 20
"""Faces below which a training, and an error on some of them, say little."""


def next_steps(
    folder: Path, model: str | None, labelled: int, scheme: str, splits: Collection[str]
) -> dict[str, Any]:
    """Titles and commands, advice, and the errors before and after where they are known.

    ``splits`` are the sides that the faces have already: the others are cut off.
    """
    folder = folder.absolute()  # the commands are copied into any terminal
    csv, run, report = folder / FACES, folder / RUN, folder / EVAL
    model = model or "default"
    model = str(Path(model).absolute()) if Path(model).is_dir() else model
    card = _card(model)
    before = ["--model", model] if card and _can_say(card, scheme) else []
    cut: list[Any] = [] if "test" in splits else ["--test", TEST]
    cut += [] if "val" in splits else ["--val", VAL]
    cut += ["--keep-split", csv] if csv.is_file() and cut else []
    what = "before and after, on" if before else "on"
    commands = [
        ("Prepare: check the labels, keep some back",
         ["prepare", folder, "--exif", "upright", *cut, "--out", csv]),
        ("Train: go on from the model",
         ["train", csv, "--out", run, "--init", model, *_like(card), "--epochs", 20,
          "--learning-rate", "3e-4"]),
        (f"Evaluate {what} faces kept back",
         ["eval", csv, "--split", "test", "--model", run / "model", *before, "--out", report]),
    ]  # fmt: skip
    advice = []
    if labelled < FEW:
        advice.append(f"Faces labelled so far: {labelled}; below {FEW} a training says little.")
    return {
        "steps": [{"title": title, "command": _line(words)} for title, words in commands],
        "advice": advice,
        "result": result(report),
    }


def _can_say(card: ModelCard, scheme: str) -> bool:
    """Whether the model's points can be held against labels of the scheme."""
    return can_convert(key_of(card.landmark_scheme), scheme)


def _like(card: ModelCard | None) -> list[str]:
    """The options by which a training fits the model that it starts from."""
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
    """Mean error, in percent, of the starting model (None where it has others) and the new one."""
    after, before = _metrics(report), _metrics(report / "model_2")
    if not after:
        return None
    keys = ("nme_mean", "failure_rate", "faces", "missed")
    return {
        "before": {k: before.get(k) for k in keys} if before else None,
        "after": {k: after.get(k) for k in keys},
        "protocol": after.get("protocol"), "old": before.get("model"), "new": after.get("model"),
    }  # fmt: skip


def _metrics(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
