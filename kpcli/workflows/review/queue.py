"""What to look at, opened and ranked: what suggest and review share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from kpcli.dataset_csv import read_dataset
from kpcli.errors import InputError, KpcliError, UsageError
from kpcli.geometry import box_to_unit
from kpcli.inference.predictor import Predictor
from kpcli.model_bundle import ModelBundle
from kpcli.options import QueueOptions
from kpcli.schemes import scheme_name
from kpcli.types import FaceBox
from kpcli.workflows.review.annotated import Annotated
from kpcli.workflows.review.copies import with_copies
from kpcli.workflows.review.dataset import Dataset
from kpcli.workflows.review.faces import Collection, Known
from kpcli.workflows.review.pictures import Pictures
from kpcli.workflows.review.ranking import UNLIKE, Candidate, chosen, unlikeness

LOOKED_AT = 2
"""Candidates, for each place in the queue, whose copies are compared."""
MOST_KNOWN = 800
"""Faces of the training that others are compared with."""


@dataclass
class Opened:
    """A collection with its pictures and its model."""

    options: QueueOptions
    collection: Collection
    pictures: Pictures

    @cached_property
    def predictor(self) -> Predictor | None:
        """The model that looks at faces; None where there is none, or it cannot be used."""
        if self.collection.model is None:
            return None
        try:
            return Predictor(ModelBundle.open(self.collection.model))
        except KpcliError:
            if self.options.model:  # the user's choice; else the one that annotated is gone
                raise
            return None

    def queue(self) -> list[Candidate]:
        """The candidates that come first."""
        n = self.options.n
        found = self.collection.candidates()
        if self.options.unlike is not None:
            found = self._with_unlikeness(found, self.options.unlike)
        if self.options.copies and self.predictor is not None:
            first = chosen(found, LOOKED_AT * n)
            found = with_copies(first, self.predictor, self.pictures.frame, self._box)
        return chosen(found, n)

    def _known(self, candidate: Candidate) -> Known | None:
        faces = self.collection.faces(candidate.file, candidate.frame)
        return next((k for k in faces if k.face == candidate.face), None)

    def known_of(self, candidates: Sequence[Candidate]) -> list[Known]:
        """The candidates' faces, as far as they are such."""
        return [known for c in candidates if c.face and (known := self._known(c))]

    def _box(self, candidate: Candidate) -> FaceBox | None:
        known = self._known(candidate)
        return known.box if known else None

    def _with_unlikeness(self, found: Sequence[Candidate], csv: Path) -> list[Candidate]:
        rows = read_dataset(csv, split="train")
        scheme = self.collection.header.scheme
        if not rows or rows[0].scheme != scheme:
            raise UsageError(
                f"--unlike {csv}: no train rows of this scheme",
                expected=scheme_name(scheme),
                actual=scheme_name(rows[0].scheme) if rows else "none",
            )
        rows = rows[:: max(1, len(rows) // MOST_KNOWN)]
        train = np.stack([box_to_unit(r.points, r.face) for r in rows if r.face is not None])
        faces = [(i, k) for i, c in enumerate(found) if c.face and (k := self._known(c))]
        faces = [(i, k) for i, k in faces if k.box is not None and k.box.side > 0]
        shapes = [box_to_unit(k.points, k.box) for _, k in faces if k.box is not None]
        out = list(found)
        if shapes:
            values = unlikeness(np.stack(shapes), train)
            for (i, _), value in zip(faces, values, strict=True):
                out[i] = out[i].noting(UNLIKE, float(value))
        return out


def opened(options: QueueOptions) -> Opened:
    """Open an output folder of annotate, or a CSV of prepare.

    Raises
    ------
    KpcliError
        If it is neither, or cannot be used.
    """
    if options.root is not None and not options.root.is_dir():
        raise InputError(f"--root {options.root}: there is no such folder")
    if options.source.is_dir():
        collection: Collection = Annotated(options.source, options.root, options.model)
    elif options.source.is_file():
        collection = Dataset(options.source, options.root, options.model)
    else:
        raise InputError(
            f"{options.source}: there is no such folder or file",
            expected="an output folder of `kpcli annotate`, or a CSV of `kpcli prepare`",
        )
    return Opened(options, collection, Pictures(collection.path))
