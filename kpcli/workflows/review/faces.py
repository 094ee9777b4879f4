"""What is reviewed, one interface for annotate's results and for a prepared CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kpcli.formats.review import NOT_A_FACE, OPEN, Entry, Header, places
from kpcli.schemes import LandmarkScheme
from kpcli.types import FaceBox, Points
from kpcli.workflows.review.ranking import Candidate

SAME = 0.02
"""Pixels by which a raw face and what a correction began with may differ by rounding."""
OVERLAP = 0.5
"""Intersection over union from which on an unknown raw face is one that was corrected."""


@dataclass(frozen=True)
class Known:
    """A face as a table has it; ``facts`` are `Entry.facts`."""

    face: str
    points: Points
    visible: NDArray[np.bool_]
    box: FaceBox | None
    confidences: NDArray[np.float32] | None = None
    confidence: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def raw(self) -> dict[str, Any]:
        """What a correction keeps of it: `Entry.before`."""
        known = ~np.isnan(self.points).any(axis=1)
        values = {
            "points": places(self.points),
            "occluded": np.flatnonzero(known & ~self.visible).tolist(),
            "box": None if self.box is None else [round(v, 3) for v in self.box.corners],
        }
        if self.confidence is not None:
            values["confidence"] = round(self.confidence, 4)
        return values


class Collection(Protocol):
    """Faces by file and frame."""

    header: Header
    model: str | None
    """The bundle that looks at pictures, if one is known."""
    splits: frozenset[str]
    """Sides on which faces stand already: none of annotate's."""

    @property
    def scheme(self) -> LandmarkScheme: ...

    def candidates(self) -> list[Candidate]:
        """All that may deserve a look."""

    def path(self, file: str) -> Path:
        """Where the file lies; InputError if that is not known."""

    def faces(self, file: str, frame: int) -> Sequence[Known]:
        """The faces of a frame; none of one that the table lacks."""

    def frames(self, file: str) -> Sequence[int]:
        """Numbers of the file's frames in the table, in order."""


@dataclass(frozen=True)
class Shown:
    """A face as the page has it: the table's, a correction, or both."""

    face: str
    known: Known | None
    entry: Entry | None

    @property
    def points(self) -> Points:
        """As they are now."""
        return self._now.points

    @property
    def visible(self) -> NDArray[np.bool_]:
        return self._now.visible

    @property
    def box(self) -> FaceBox | None:
        return self._now.box

    @property
    def status(self) -> str:
        return self.entry.status if self.entry else OPEN

    @property
    def version(self) -> int:
        return self.entry.version if self.entry else 0

    @property
    def _now(self) -> Known | Entry:
        now = self.entry or self.known
        assert now is not None
        return now

    def to_json(self) -> dict[str, Any]:
        """For the page."""
        known, box = self.known, self.box
        unseen = ~np.isnan(self.points).any(axis=1) & ~self.visible
        scores = None if known is None or known.confidences is None else known.confidences
        before = self.entry.before if self.entry and self.entry.before else None
        raw = before or (known.raw() if known else None)
        return {
            "face": self.face, "status": self.status, "version": self.version,
            "points": places(self.points), "occluded": np.flatnonzero(unseen).tolist(),
            "box": None if box is None else [round(v, 2) for v in box.corners],
            "raw": raw["points"] if raw else None,
            "rawBox": raw["box"] if raw else None,
            "rawOccluded": raw.get("occluded", []) if raw else [],
            "confidence": known.confidence if known else None,
            "confidences": None if scores is None else [round(float(s), 2) for s in scores],
            "who": self.entry.who if self.entry else "", "when": self.entry.when if self.entry
            else "",
        }  # fmt: skip


def shown(known: Sequence[Known], entries: Iterable[Entry]) -> list[Shown]:
    """The faces of one frame, with their corrections.

    A table that was made anew may call another face by the same name: a correction stays with
    its own points, and a raw face that it covers is not shown twice.
    """
    by_name = {entry.face: entry for entry in entries}
    names = [_name(face, by_name) for face in known]
    others = [entry for name, entry in by_name.items() if name not in names]
    found = [Shown(e.face, None, e) for e in others if e.status != OPEN]
    for name, face in zip(names, known, strict=True):
        if name in by_name or not any(_covers(other, face) for other in others):
            found.append(Shown(name, face, by_name.get(name)))
    return sorted(found, key=lambda s: (s.status == NOT_A_FACE, len(s.face), s.face))


def _name(face: Known, entries: Mapping[str, Entry]) -> str:
    """The raw face's own, unless a correction of another face has it."""
    name = face.face
    while name in entries and not _began_with(entries[name], face):
        name += "b"
    return name


def _began_with(entry: Entry, face: Known) -> bool:
    if entry.before is None:
        return False
    raw = entry.before.get("points")
    now = places(face.points)
    if not isinstance(raw, list) or len(raw) != len(now):
        return False
    return all(
        (a is None) == (b is None)
        and (a is None or b is None or max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= SAME)
        for a, b in zip(raw, now, strict=True)
    )


def _covers(entry: Entry, face: Known) -> bool:
    if entry.box is None or face.box is None or entry.status == OPEN:
        return False
    raw = (entry.before or {}).get("box")
    began = FaceBox(*raw) if raw else entry.box
    return max(entry.box.iou(face.box), began.iou(face.box)) >= OVERLAP
