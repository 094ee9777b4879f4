"""Scores that mean what they say: a logistic curve from logits to how often they are right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRIOR = 1e-2
"""Weight of the pull towards slope 1, offset 0: it decides only where there is next to no data."""


def fit_logistic(
    features: NDArray[np.floating], correct: NDArray[np.bool_], rounds: int = 50
) -> tuple[float, ...]:
    """Slopes of the features (n, f), then an offset: their logistic curve says how likely right is.

    The first feature is a logit, whose slope starts from 1. With it alone this is Platt's scaling
    ("Probabilistic outputs for support vector machines", 1999), by Newton steps.
    """
    features = np.append(np.asarray(features, np.float64), np.ones((len(features), 1)), axis=1)
    target = np.asarray(correct, np.float64)
    start = np.zeros(features.shape[1])
    start[0] = 1.0
    weights = start.copy()
    for _ in range(rounds):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        slope = features.T @ (chance - target) + PRIOR * (weights - start)
        curve = (features * (chance * (1 - chance))[:, None]).T @ features
        step = np.linalg.solve(curve + PRIOR * np.eye(len(start)), slope)
        weights -= np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return tuple(float(w) for w in weights)
