"""Two models on the same faces: what one changes against the other, face by face."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kpcli.files import atomic_path
from kpcli.metrics import paired_difference
from kpcli.workflows.evaluate.result import Comparison, Evaluation

FILE = "comparison.json"


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
