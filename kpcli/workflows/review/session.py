"""What the page asks for and what it saves; knows nothing of HTTP."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np

from kpcli.errors import UsageError
from kpcli.formats.review import LABELS, OPEN, STATUSES, Entry, points_of
from kpcli.outputs import Outputs
from kpcli.types import FaceBox
from kpcli.workflows.review.commands import next_steps
from kpcli.workflows.review.faces import Collection, Known, Shown, shown
from kpcli.workflows.review.journal import Journal
from kpcli.workflows.review.pictures import Pictures, labelled_picture
from kpcli.workflows.review.proposals import SMALLEST, Proposer
from kpcli.workflows.review.ranking import Candidate

Values = Mapping[str, Any]
_FACE = re.compile(r"[A-Za-z0-9_.-]{1,40}\Z")
FARTHEST = 1e6
"""Pixels from the corner that a point may be."""


class Session:
    """One review; its answers are what JSON can hold.

    Files go by their number in the queue, so that a request can name no other.
    """

    def __init__(
        self, collection: Collection, journal: Journal, queue: Sequence[Candidate],
        pictures: Pictures, proposer: Proposer, outputs: Outputs,
    ) -> None:  # fmt: skip
        self._collection = collection
        self._journal = journal
        self._queue = list(queue)
        self._pictures = pictures
        self._propose = proposer
        self._outputs = outputs
        self._guard = Lock()
        self._files = list(dict.fromkeys(c.file for c in self._queue))
        self._numbers = {file: i for i, file in enumerate(self._files)}

    def queue(self) -> dict[str, Any]:
        """The scheme, and what is to be looked at."""
        scheme = self._collection.scheme
        return {
            "of": self._journal.header.table, "folder": str(self._journal.folder),
            "kind": self._journal.header.kind, "model": self._collection.model,
            "scheme": {"name": scheme.name, "names": scheme.point_names,
                       "edges": scheme.edges, "flip": scheme.flip_order},
            "files": self._files, "items": [self._item(c) for c in self._queue],
            "counts": self.counts(),
        }  # fmt: skip

    def counts(self) -> dict[str, int]:
        """Faces by status."""
        counts = Counter(entry.status for entry in self._journal.latest())
        return {status: counts[status] for status in STATUSES if status != OPEN}

    def _item(self, c: Candidate) -> dict[str, Any]:
        entries = list(self._journal.of_frame(c.file, c.frame))
        mine = [e.status for e in entries if c.face in ("", e.face)]
        return {
            "file": self._numbers[c.file], "frame": c.frame, "face": c.face,
            "seconds": round(c.seconds, 3), "moving": c.moving, "reasons": c.reasons,
            "priority": round(c.priority, 3), "status": mine[0] if mine else OPEN,
        }  # fmt: skip

    def _file(self, values: Values) -> tuple[str, int]:
        try:
            number, frame = int(values["file"]), int(values["frame"])
        except (KeyError, ValueError, TypeError) as e:
            raise UsageError("file and frame are numbers", actual=repr(e)) from e
        if not (0 <= number < len(self._files) and frame >= 1):
            raise UsageError("no such file or frame")
        return self._files[number], frame

    def _shown(self, file: str, frame: int) -> list[Shown]:
        known = self._collection.faces(file, frame)
        return shown(known, self._journal.of_frame(file, frame))

    def frame(self, values: Values) -> dict[str, Any]:
        """A frame's size, its faces, and the frames before and after it."""
        file, frame = self._file(values)
        height, width = self._pictures.frame(file, frame).pixels.shape[:2]
        numbers = list(self._collection.frames(file))
        before = [n for n in numbers if n < frame]
        after = [n for n in numbers if n > frame]
        return {
            "file": self._numbers[file], "name": file, "frame": frame, "width": width,
            "height": height, "faces": [face.to_json() for face in self._shown(file, frame)],
            "before": max(before, default=None), "after": min(after, default=None),
        }  # fmt: skip

    def faces(self, values: Values) -> dict[str, Any]:
        """The faces of a frame, without its picture."""
        file, frame = self._file(values)
        return {"faces": [face.to_json() for face in self._shown(file, frame)]}

    def picture(self, values: Values) -> bytes:
        """The frame as JPEG."""
        return self._pictures.jpeg(*self._file(values))

    def propose(self, values: Values) -> dict[str, Any]:
        """Points for a box."""
        file, frame = self._file(values)
        box = _box(values.get("box"))
        if box is None or min(box.width, box.height) < SMALLEST:
            raise UsageError(f"a face's box is at least {SMALLEST:g} pixels wide and high")
        return self._propose(self._pictures.frame(file, frame).pixels, box)

    def save(self, values: Values) -> dict[str, Any]:
        """Keep a face as it is now; raises Stale if another tab was faster."""
        file, frame = self._file(values)
        entry, base = self._entry(file, frame, values)
        if entry.status in LABELS:
            found = self._pictures.frame(file, frame)
            height, width = found.pixels.shape[:2]
            with self._guard:
                picture = labelled_picture(self._outputs, found, file)
            entry = replace(entry, picture=picture, size=(width, height))
        saved = self._journal.save(entry, base)
        face = next((s for s in self._shown(file, frame) if s.face == saved.face), None)
        return {
            "version": saved.version, "when": saved.when, "counts": self.counts(),
            "face": face.to_json() if face else None,
        }  # fmt: skip

    def _entry(self, file: str, frame: int, values: Values) -> tuple[Entry, int]:
        known = {s.face: s.known for s in self._shown(file, frame) if s.known}
        try:
            face, base, status = str(values["face"]), int(values["base"]), values["status"]
            if not _FACE.match(face) or status not in STATUSES:
                raise ValueError(f"face {face!r}, status {status!r}")
            n = self._collection.scheme.n_points
            points = points_of(values["points"], n)
            if (np.abs(points[np.isfinite(points)]) > FARTHEST).any():
                raise ValueError("a point far outside any picture")
            if status in LABELS and np.isnan(points).all():
                raise ValueError("no point is there: mark it as no face")
            visible = np.asarray(np.isfinite(points).all(axis=1), np.bool_)
            hidden = [int(i) for i in values.get("occluded", [])]
            if not all(0 <= i < n for i in hidden):
                raise ValueError("no such point is occluded")
            visible[hidden] = False
            box = _box(values.get("box"))
        except (KeyError, ValueError, TypeError, IndexError) as e:
            raise UsageError("not a face that can be saved", actual=str(e) or repr(e)) from e
        earlier = self._journal.get((file, frame, face))
        began = earlier.before if earlier else known[face].raw() if face in known else None
        entry = Entry(
            file, frame, face, 0, status, points, visible, box, "", None,
            what=str(values.get("what", ""))[:300], facts=_facts(known, face), before=began,
        )  # fmt: skip
        return entry, base

    def steps(self) -> dict[str, Any]:
        """The commands that make a model of the corrections, and what came of them."""
        labelled = sum(e.status in LABELS for e in self._journal.latest())
        found = self._collection
        return next_steps(
            self._journal.folder, found.model, labelled, self._journal.header.scheme, found.splits
        )


def _facts(known: Mapping[str, Known], face: str) -> dict[str, Any]:
    """The row's own, or for a face that was missed, those of its picture."""
    if face in known:
        return dict(known[face].facts)
    other = next((k.facts for k in known.values() if k.facts), {})
    return {k: v for k, v in other.items() if k != "attributes"}


def _box(values: object) -> FaceBox | None:
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != 4:
        raise UsageError("a box has four corners")
    try:
        corners = [float(v) for v in values]
    except (TypeError, ValueError) as e:
        raise UsageError("a box is of numbers") from e
    if not all(abs(v) <= FARTHEST for v in corners):
        raise UsageError("a box far outside any picture")
    return FaceBox(*corners)
