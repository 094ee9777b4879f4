"""What came of an evaluation: the errors of a model on a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kpcli.errors import EXIT_SOME_FAILED
from kpcli.metrics import Floats, Protocol
from kpcli.options import EvalOptions
from kpcli.schemes import LandmarkScheme
from kpcli.workflows.evaluate.faces import ScoredFace, Unreadable

if TYPE_CHECKING:
    from kpcli.workflows.evaluate.comparison import Comparison

LABELS = "labels"


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
