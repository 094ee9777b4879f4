"""A prepared CSV as a collection: the labels that look wrong first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpcli.dataset_csv import BOXES, label_box
from kpcli.errors import InputError
from kpcli.formats.review import DATASET, Header, Key, keyed_rows
from kpcli.images import read_image
from kpcli.inference.predictor import Predictor
from kpcli.inference.upright import Look, landmarks
from kpcli.model_bundle import ModelBundle
from kpcli.progress import progress
from kpcli.schemes import LandmarkScheme, convert_points, get_scheme, key_of
from kpcli.types import Sample
from kpcli.workflows.review.faces import Known
from kpcli.workflows.review.ranking import ERROR, SHAPE, Candidate, ramp

FAR, FARTHEST = 0.02, 0.15
"""Mean distance of a model's points from the label, in box sides: usual, and surely wrong."""
FOLDS = 5
PARTS = 8
"""Ways in which shapes vary, at most, by which a label's shape is explained: of few points or few
faces fewer, for what has room to explain all explains mistakes too."""


class Dataset:
    """The faces of a CSV; see `kpcli.workflows.review.faces.Collection`."""

    def __init__(self, csv: Path, root: Path | None, model: str | None) -> None:
        self._rows = keyed_rows(csv, root)
        if not self._rows:
            raise InputError(f"{csv}: holds no face")
        scheme = next(iter(self._rows.values())).scheme
        if scheme == BOXES:
            raise InputError(
                f"{csv}: the rows hold boxes and no landmarks", expected="a CSV of landmarks"
            )
        self.model = model
        self.splits = frozenset(row.split for row in self._rows.values())
        where = str(root.resolve()) if root else ""
        self.header = Header(scheme, DATASET, str(csv.resolve()), csv.stem, where)
        self._frames: dict[str, list[Key]] = {}
        for key in self._rows:
            self._frames.setdefault(key[0], []).append(key)

    @property
    def scheme(self) -> LandmarkScheme:
        return get_scheme(self.header.scheme)

    def candidates(self) -> list[Candidate]:
        """By a model's error where there is a model, else by how odd the label's shape is."""
        found = self._errors() if self.model else self._oddness()
        name = ERROR if self.model else SHAPE
        return [
            Candidate(file, frame, 0.0, face, False, {name: value})
            for (file, frame, face), value in found.items()
        ]

    def path(self, file: str) -> Path:
        """The picture; InputError if it is gone."""
        path = self._rows[self._frames[file][0]].image if file in self._frames else None
        if path is None or not path.is_file():
            raise InputError(f"{file}: the picture is not there", next_step="use --root")
        return path

    def faces(self, file: str, frame: int) -> Sequence[Known]:
        """The labels of a picture."""
        return [_known(key[2], self._rows[key]) for key in self._frames.get(file, [])]

    def frames(self, file: str) -> Sequence[int]:
        """A picture has one."""
        return (1,) if file in self._frames else ()

    def _oddness(self) -> dict[Key, float]:
        keys = list(self._rows)
        shapes = [_shape(self._rows[key]) for key in keys]
        values = odd_shapes(np.stack(shapes))
        return dict(zip(keys, values.tolist(), strict=True))

    def _errors(self) -> dict[Key, float]:
        predictor = Predictor(ModelBundle.open(self.model or ""))
        card = predictor.card
        source, target = key_of(card.landmark_scheme), self.header.scheme
        found: dict[Key, float] = {}
        for file, keys in progress(self._frames.items(), "looking", total=len(self._frames)):
            try:
                pixels = read_image(self.path(file))
            except InputError:
                found.update(dict.fromkeys(keys, 1.0))
                continue
            size = pixels.shape[1], pixels.shape[0]
            boxes = [label_box(self._rows[key], card.face_box, size) for key in keys]
            good = [(k, b) for k, b in zip(keys, boxes, strict=True) if b and b.side > 0]
            found.update(dict.fromkeys(keys, 1.0))
            faces = landmarks(predictor, [Look(pixels, box) for _, box in good])
            for (key, box), face in zip(good, faces, strict=True):
                points = convert_points(face.points, source, target)
                apart = np.linalg.norm(points - self._rows[key].points, axis=1)
                far = float(np.nanmean(apart)) / box.side
                found[key] = max(ramp(far, FAR, FARTHEST), 0.01 * ramp(far, 0, FAR))
        return found


def _known(face: str, sample: Sample) -> Known:
    facts = {
        "dataset": sample.dataset, "group": sample.group, "split": sample.split,
        "subset": sample.subset, "attributes": dict(sample.attributes),
    }  # fmt: skip
    return Known(face, sample.points, sample.visible, sample.face, facts=facts)


def _shape(sample: Sample) -> NDArray[np.float64]:
    """Points (N, 2) in the unit coordinates of their own middle and spread."""
    points = sample.points.astype(np.float64)
    known = points[~np.isnan(points).any(axis=1)]
    if len(known) < 2 or sample.face is None:
        return np.full(points.shape, np.nan)
    spread = float(np.sqrt(known.var(axis=0).sum()))
    return np.asarray((points - known.mean(axis=0)) / max(spread, 1e-6))


def odd_shapes(shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """How badly each of B shapes (B, N, 2) is explained by the others, 0 usual to 1.

    Cross-validated: what varies is learnt from the other folds. A point that sits elsewhere, or
    left and right exchanged, is explained by no other face.
    """
    flat = shapes.reshape(len(shapes), -1)
    mean = np.nan_to_num(np.nanmean(np.where(np.isfinite(flat), flat, np.nan), axis=0))
    whole = np.where(np.isfinite(flat), flat, mean)
    residuals = np.zeros(len(shapes))
    for fold in range(min(FOLDS, len(shapes))):
        mine = np.arange(len(shapes)) % FOLDS == fold
        others = whole[~mine]
        if len(others) < 2:
            continue
        centre = np.median(others, axis=0)
        _, _, parts = np.linalg.svd(others - centre, full_matrices=False)
        parts = parts[: max(1, min(PARTS, flat.shape[1] // 4, len(others) // 6))]
        left = whole[mine] - centre
        left = left - left @ parts.T @ parts
        left[~np.isfinite(flat[mine])] = 0
        by_point = np.linalg.norm(left.reshape(len(left), -1, 2), axis=2)
        residuals[mine] = by_point.max(axis=1)
    usual = float(np.median(residuals))
    odd = np.clip((residuals / max(usual, 1e-9) - 1) / 5, 0, 1)
    odd[~np.isfinite(flat).any(axis=1)] = 1.0
    return np.asarray(odd)
