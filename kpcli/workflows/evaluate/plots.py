"""The pictures of `kpcli eval`: cumulative error curves and a sheet of the worst faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kpcli.dataset_csv import with_landmark_box
from kpcli.drawing import EDGE, POINT, TRUTH, contact_sheet, face_tile
from kpcli.files import atomic_path
from kpcli.images import read_image, write_image
from kpcli.metrics import Floats, auc, ced, failure_rate
from kpcli.types import Pixels
from kpcli.workflows.evaluate.faces import ScoredFace

if TYPE_CHECKING:
    from kpcli.workflows.evaluate.result import Evaluation

WORST = 24
MOST_MISSED = 8
"""Missed faces on the sheet; more would hide the bad fits."""


def write_ced(path: Path, evaluation: Evaluation, subsets: Sequence[str]) -> None:
    """Plot the share of faces against the error, for all faces and for each subset."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    protocol = evaluation.protocol
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    groups: list[tuple[str, Floats]] = [("all", evaluation.errors)]
    names = np.array(subsets)
    keys = sorted(set(subsets) - {""})
    if len(keys) > 1:
        groups += [(key, evaluation.errors[names == key]) for key in keys]
    for name, errors in groups:
        errors = errors[~np.isnan(errors)]
        grid, share = ced(errors, protocol.cut)
        rate, area = failure_rate(errors, protocol.cut), auc(errors, protocol.cut)
        label = f"{name} ({len(errors)} faces): FR {rate:.1f} %, AUC {area:.1f} %"
        axes.plot(grid, share, label=label, linewidth=2.2 if name == "all" else 1.2)
    axes.set(
        xlim=(0, protocol.cut),
        ylim=(0, 100),
        xlabel=f"NME in percent of the {protocol.normaliser}",
        ylabel="faces with at most this error, percent",
        title=f"{evaluation.options.model}, {evaluation.options.csv.name} "
        f"{evaluation.options.split}, {evaluation.box_source}",
    )
    axes.title.set_fontsize(9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="best")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def write_worst(path: Path, evaluation: Evaluation) -> None:
    """Draw the worst faces, worst first: truth blue, prediction green and yellow.

    Missed faces come last, `MOST_MISSED` at most.
    """
    tiles = [_tile(evaluation, i) for i in worst_faces(evaluation.errors)]
    if tiles:
        with atomic_path(path) as temporary:
            write_image(temporary, contact_sheet(tiles, columns=6))


def worst_faces(errors: Floats) -> list[int]:
    """Indices of the faces to show."""
    missed = np.flatnonzero(np.isinf(errors))
    found = np.flatnonzero(np.isfinite(errors))
    found = found[np.argsort(-errors[found], kind="stable")]
    shown = found[: WORST - min(len(missed), MOST_MISSED)]
    return [*map(int, shown), *map(int, missed[: WORST - len(shown)])]


def _tile(evaluation: Evaluation, index: int) -> Pixels:
    face: ScoredFace = evaluation.faces[index]
    error = evaluation.errors[index]
    box = with_landmark_box(face.sample).face
    assert box is not None  # faces without a box are never scored
    name = face.sample.image.stem[-18:]
    return face_tile(
        read_image(face.sample.image),
        box,
        [(face.sample.points, TRUTH, TRUTH), (face.points, EDGE, POINT)],
        evaluation.scheme,
        size=224,
        label=f"{error:.1f} % {name}" if np.isfinite(error) else f"missed {name}",
    )
