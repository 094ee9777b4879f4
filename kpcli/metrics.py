"""Errors of landmarks against labels: NME, failure rate, CED, AUC. Numpy only.

Errors and rates are in percent. A missed face has the error infinity: it counts as a failure and
stays below every CED, but takes no part in the mean and the median of the errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpcli.errors import UsageError
from kpcli.schemes import LandmarkScheme

Floats = NDArray[np.float64]

BOX = "box"
CED_STEP = 0.01
"""Step of the CED's grid in percent of the normaliser (1e-4 of it)."""

INTERVAL = 0.95
"""Coverage of the bootstrap interval."""


@dataclass(frozen=True)
class Protocol:
    """How errors are normalised and where a failure begins.

    ``cut`` is in percent of the normaliser.
    """

    name: str
    normaliser: str
    cut: float


def protocol_for(scheme: LandmarkScheme, name: str | None = None) -> Protocol:
    """A scheme's protocol by name, or its default one, with the cut that papers use.

    Raises
    ------
    UsageError
        If the scheme has no such normaliser.
    """
    name = name or scheme.default_normaliser
    if name != BOX and name not in scheme.normalisers:
        raise UsageError(
            f"protocol {name!r} does not exist for scheme {scheme.name}",
            expected=", ".join((*scheme.normalisers, BOX)),
        )
    if name == BOX:
        return Protocol(name, "sqrt(w*h) of the box around the labelled points", 7.0)
    a, b = (", ".join(map(str, group)) for group in scheme.normalisers[name])
    described = f"distance of points {a} and {b}"
    if max(map(len, scheme.normalisers[name])) > 1:
        described = f"distance of the means of points {a} and {b}"
    return Protocol(name, described, 8.0 if scheme.name in ("ibug68", "ibug51") else 10.0)


def normalisers(truth: NDArray[np.floating], scheme: LandmarkScheme, protocol: str) -> Floats:
    """Length (B,) by which each face's errors are divided; NaN where it is unknown.

    ``truth`` is (B, N, 2) with NaN for unlabelled points. The protocol ``box`` takes sqrt(w * h) of
    the bounding box of the labelled points, as 300W-LP, FAN and 3DDFA do: in training, cards and
    `kpcli eval` alike, whatever boxes a CSV has.
    """
    if protocol == BOX:
        known = ~np.isnan(truth).any(axis=-1, keepdims=True)
        low = np.min(np.where(known, truth, np.inf), axis=1)
        high = np.max(np.where(known, truth, -np.inf), axis=1)
        lengths = np.sqrt(np.prod(np.maximum(high - low, 0.0), axis=-1, dtype=np.float64))
    else:
        first, second = scheme.normalisers[protocol]
        points = np.asarray(truth, np.float64)
        ends = [points[:, list(group)].mean(axis=1) for group in (first, second)]
        lengths = np.linalg.norm(ends[0] - ends[1], axis=-1)
    return np.where(lengths > 0, lengths, np.nan)


def nme(predicted: NDArray[np.floating], truth: NDArray[np.floating], lengths: Floats) -> Floats:
    """Normalised mean error (B,) in percent over the labelled points of each face.

    Parameters
    ----------
    predicted, truth : (B, N, 2) arrays
        Pixels. NaN in ``truth`` leaves a point out; NaN in ``predicted`` at a labelled point
        makes the face missed: its error is infinite.
    lengths : (B,) array
        See `normalisers`.

    Returns
    -------
    (B,) array
        NaN for a face without a labelled point or without a normaliser.
    """
    distance = np.linalg.norm(np.asarray(predicted, np.float64) - truth, axis=-1)
    labelled = ~np.isnan(truth).any(axis=-1)
    distance = np.where(labelled & np.isnan(distance), np.inf, distance)
    total = np.where(labelled, distance, 0.0).sum(axis=1)
    count = labelled.sum(axis=1)
    errors = np.full(len(distance), np.nan)
    known = (count > 0) & np.isfinite(lengths)
    errors[known] = 100 * total[known] / count[known] / lengths[known]
    return errors


def face_nme(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], scheme: LandmarkScheme
) -> Floats:
    """NME (B,) in percent by the scheme's default protocol, in any unit of length."""
    return nme(predicted, truth, normalisers(truth, scheme, scheme.default_normaliser))


def failure_rate(errors: Floats, cut: float) -> float:
    """Share of faces in percent whose error is above ``cut``; NaN without faces."""
    return float(100 * np.mean(errors > cut)) if len(errors) else float("nan")


def ced(errors: Floats, cut: float) -> tuple[Floats, Floats]:
    """Cumulative error distribution on the grid 0, `CED_STEP` .. ``cut``.

    Returns
    -------
    grid, share : (G,) arrays
        Errors in percent, and the share of faces in percent whose error is at most that.
    """
    grid = np.linspace(0, cut, round(cut / CED_STEP) + 1)
    if not len(errors):
        return grid, np.full(len(grid), np.nan)
    # The grid's numbers are rounded: an error of exactly one of them belongs to it.
    below = np.searchsorted(np.sort(errors), grid + CED_STEP * 1e-6, side="right")
    return grid, 100 * below / len(errors)


def auc(errors: Floats, cut: float) -> float:
    """Area under the CED up to ``cut``, in percent of the whole rectangle; NaN without faces."""
    grid, share = ced(errors, cut)
    area = float(np.sum((share[1:] + share[:-1]) / 2 * np.diff(grid)))
    return area / cut


def bootstrap_interval(
    errors: Floats, resamples: int = 1000, seed: int = 0, level: float = INTERVAL
) -> tuple[float, float]:
    """Percentile interval of the mean error over faces drawn with replacement.

    Missed faces are left out. NaN without a face, or without resamples.
    """
    found = errors[np.isfinite(errors)]
    if not len(found) or resamples < 1:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = [found[rng.integers(len(found), size=len(found))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Difference:
    """What model B changes against model A on the faces that both found.

    ``mean`` is of B's error less A's, in percent of the normaliser (below 0: B is better), with the
    bootstrap ``interval`` over faces; ``better`` is the share of faces in percent on which B's
    error is smaller.
    """

    faces: int
    mean: float
    interval: tuple[float, float]
    better: float


def paired_difference(a: Floats, b: Floats, *, resamples: int = 1000, seed: int = 0) -> Difference:
    """Errors (B,) of two models on the same faces, compared face by face.

    Much narrower than the difference of two intervals: a hard face is hard for both.
    """
    both = np.isfinite(a) & np.isfinite(b)
    change = b[both] - a[both]
    if not len(change):
        nothing = float("nan")
        return Difference(0, nothing, (nothing, nothing), nothing)
    return Difference(
        faces=len(change),
        mean=float(change.mean()),
        interval=bootstrap_interval(change, resamples, seed),
        better=float(100 * (change < 0).mean()),
    )


@dataclass(frozen=True)
class Score:
    """Metrics of a group of faces, in percent; ``faces`` counts the missed ones too."""

    faces: int
    missed: int
    nme_mean: float
    nme_median: float
    interval: tuple[float, float]
    failure_rate: float
    auc: float


def score(errors: Floats, cut: float, *, resamples: int = 1000, seed: int = 0) -> Score:
    """Metrics of faces by their errors (B,): infinite where missed; NaN faces are left out."""
    errors = errors[~np.isnan(errors)]
    found = errors[np.isfinite(errors)]
    return Score(
        faces=len(errors),
        missed=len(errors) - len(found),
        nme_mean=float(found.mean()) if len(found) else float("nan"),
        nme_median=float(np.median(found)) if len(found) else float("nan"),
        interval=bootstrap_interval(errors, resamples, seed),
        failure_rate=failure_rate(errors, cut),
        auc=auc(errors, cut),
    )
