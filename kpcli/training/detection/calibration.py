"""Scores that mean what they say: a logistic curve from logits to how often they are right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRIOR = 1e-2
"""Weight of the pull towards slope 1, offset 0: it decides only where there is next to no data."""


def fit_logistic(
    logits: NDArray[np.floating], correct: NDArray[np.bool_], rounds: int = 50
) -> tuple[float, float]:
    """Slope and offset so that sigmoid(slope * logit + offset) is the chance of being correct.

    Platt's scaling ("Probabilistic outputs for support vector machines", 1999) by Newton steps.
    """
    features = np.stack([np.asarray(logits, np.float64), np.ones(len(logits))], axis=1)
    target = np.asarray(correct, np.float64)
    start = np.array([1.0, 0.0])
    weights = start.copy()
    for _ in range(rounds):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        slope = features.T @ (chance - target) + PRIOR * (weights - start)
        curve = (features * (chance * (1 - chance))[:, None]).T @ features + PRIOR * np.eye(2)
        step = np.linalg.solve(curve, slope)
        weights -= np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[0]), float(weights[1])
