"""What came of an evaluation: the errors of a model on a split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kpcli.errors import EXIT_SOME_FAILED
from kpcli.metrics import INTERVAL, Difference, Floats, Protocol
from kpcli.options import EvalOptions
from kpcli.schemes import LandmarkScheme
from kpcli.workflows.evaluate.faces import ScoredFace, Unreadable

LABELS = "labels"


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


@dataclass(frozen=True)
class Evaluation:
    """Errors of a model on a split.

    ``errors`` (B,) are in percent, infinite where a face was missed, NaN where the label lacks
    what the protocol divides by; ``region_errors`` are the same over one region's points.
    """

    options: EvalOptions
    scheme: LandmarkScheme
    protocol: Protocol
    box_source: str
    faces: Sequence[ScoredFace]
    errors: Floats
    region_errors: dict[str, Floats]
    unreadable: Sequence[Unreadable]
    comparisons: Sequence[Comparison] = ()
    """Of each model that this one was scored against."""
    lines: Sequence[str] = ()
    """What the command says of it."""

    @property
    def unscored(self) -> int:
        """Faces whose label lacks the points that the protocol divides by."""
        return int(np.isnan(self.errors).sum())

    def summary(self) -> str:
        """The table, and where the report lies."""
        return "\n".join(self.lines)

    @property
    def exit_code(self) -> int:
        return EXIT_SOME_FAILED if self.unreadable else 0
