"""Two models on the same faces: what one changes against the other, face by face."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.files import atomic_path
from kpcli.metrics import INTERVAL, Difference, paired_difference
from kpcli.workflows.evaluate.result import Evaluation

FILE = "comparison.json"


@dataclass(frozen=True)
class Comparison:
    """Model ``b`` against model ``a``; see `kpcli.metrics.Difference`."""

    a: str
    b: str
    difference: Difference
    missed: tuple[int, int]
    """Faces that a missed and that b missed."""

    def line(self) -> str:
        """One sentence for people."""
        low, high = self.difference.interval
        d = self.difference
        return (
            f"{self.b} less {self.a}, on {d.faces} faces that both found: {d.mean:+.3f} % "
            f"({INTERVAL:.0%} interval {low:+.3f} to {high:+.3f}), better on {d.better:.0f} % of "
            f"them; missed: {self.missed[1]} and {self.missed[0]}"
        )

    def to_json(self) -> dict[str, Any]:
        d = self.difference
        values = {
            "a": self.a, "b": self.b, "faces": d.faces, "difference": d.mean,
            "interval": list(d.interval), "better": d.better,
            "missed_a": self.missed[0], "missed_b": self.missed[1],
        }  # fmt: skip
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in values.items()}


def compare(a: Evaluation, b: Evaluation) -> Comparison:
    """The faces that both evaluations scored, by where their labels stand."""
    of_b = {face.sample.origin: float(e) for face, e in zip(b.faces, b.errors, strict=True)}
    errors = [
        (float(e), of_b[face.sample.origin])
        for face, e in zip(a.faces, a.errors, strict=True)
        if face.sample.origin in of_b
    ]
    first, second = np.array(errors, np.float64).reshape(-1, 2).T
    difference = paired_difference(
        first, second, resamples=a.options.bootstrap, seed=a.options.seed
    )
    missed = int(np.isinf(first).sum()), int(np.isinf(second).sum())
    return Comparison(a.options.model, b.options.model, difference, missed)


def write_comparisons(path: Path, comparisons: Sequence[Comparison]) -> None:
    """Write all of them as a JSON list."""
    with atomic_path(path) as temporary:
        text = json.dumps([c.to_json() for c in comparisons], indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")
