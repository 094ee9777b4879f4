"""What people corrected in `kpcli review`: ``journal.jsonl``, a line a save.

The first line says what was reviewed: ``{"kpcli": "review", "scheme": .., "kind": .., "table": ..,
"dataset": ..}``; each further one is an `Entry`, and of a face the last one counts. Points are
[x, y] in pixels of the upright picture, null where absent. Faces that were marked as none are left
out. Where a prepared CSV was reviewed (``kind`` dataset), its other rows come as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpcli.dataset_csv import SPLITS, n_points_of, read_dataset
from kpcli.errors import InputError, UsageError
from kpcli.formats.layout import absolute, find_files
from kpcli.formats.pictures import named
from kpcli.formats.reading import head, open_binary
from kpcli.schemes import get_scheme
from kpcli.types import FaceBox, Points, Reject, Sample

JOURNAL = "journal.jsonl"
ANNOTATED, DATASET = "annotated", "dataset"
OPEN, ACCEPTED, CORRECTED, NOT_A_FACE = "open", "accepted", "corrected", "not_a_face"
STATUSES = (OPEN, ACCEPTED, CORRECTED, NOT_A_FACE)
"""Of a face: put back as it was; looked at and right; moved by hand; none at all."""
LABELS = (ACCEPTED, CORRECTED)
LARGEST_LINE = 1 << 22

Key = tuple[str, int, str]
"""File, frame from 1, and the face's name in it."""


@dataclass(frozen=True)
class Header:
    """The first line: ``scheme`` is a key of `kpcli.schemes`, ``table`` what was reviewed."""

    scheme: str
    kind: str
    table: str
    dataset: str
    root: str = ""
    """Where the pictures of a CSV are, if not where it says."""

    def to_json(self) -> dict[str, Any]:
        """The line's values."""
        return {"kpcli": "review", "format": 1, **vars(self)}


@dataclass(frozen=True)
class Entry:
    """One save of one face. ``version`` counts from 1 a face; ``before`` is what it began with.

    ``picture`` is absolute, or relative to the journal; ``facts`` are the dataset, group, split,
    subset and attributes of the row in prepare's CSV.
    """

    file: str
    frame: int
    face: str
    version: int
    status: str
    points: Points
    visible: NDArray[np.bool_]
    box: FaceBox | None
    picture: str
    size: tuple[int, int] | None
    who: str = ""
    when: str = ""
    what: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None

    @property
    def key(self) -> Key:
        return self.file, self.frame, self.face

    def to_json(self) -> dict[str, Any]:
        """The line's values; `entry_of` reads them back."""
        known = ~np.isnan(self.points).any(axis=1)
        hidden = known & ~self.visible
        values = {
            **{k: getattr(self, k) for k in _PLAIN},
            "points": places(self.points),
            "occluded": np.flatnonzero(hidden).tolist(),
            "box": None if self.box is None else [round(v, 3) for v in self.box.corners],
            "size": None if self.size is None else list(self.size),
        }
        return {k: v for k, v in values.items() if v not in ("", None, {})}


_PLAIN = ("file", "frame", "face", "version", "status", "who", "when", "what", "picture",
          "facts", "before")  # fmt: skip


def places(points: Points) -> list[list[float] | None]:
    """Points (N, 2) as JSON has them; null for NaN."""
    return [None if np.isnan(p).any() else [round(float(v), 3) for v in p] for p in points]


def points_of(values: Any, n: int) -> Points:
    """Points (n, 2) of what `places` made; ValueError for anything else."""
    if not isinstance(values, list) or len(values) != n:
        raise ValueError(f"expected {n} points")
    points = np.full((n, 2), np.nan, np.float32)
    for i, place in enumerate(values):
        if place is not None:
            x, y = place
            points[i] = float(x), float(y)
            if not np.isfinite(points[i]).all():
                raise ValueError(f"point {i} is not a number")
    return points


def entry_of(values: Any, n: int) -> Entry:
    """The entry of a line; ValueError, KeyError, TypeError or OverflowError if it is none."""
    if values["status"] not in STATUSES:
        raise ValueError(f"unknown status {values['status']!r}")
    points = points_of(values["points"], n)
    visible = np.asarray(np.isfinite(points).all(axis=1), np.bool_)
    for i in values.get("occluded", []):
        if type(i) is not int or not 0 <= i < n:
            raise ValueError(f"no point {i!r}")
        visible[i] = False
    box = values.get("box")
    size = values.get("size")
    facts, before = values.get("facts") or {}, values.get("before")
    if not isinstance(facts, dict) or not isinstance(before, dict | None):
        raise ValueError("facts is not an object")
    return Entry(
        file=str(values["file"]), frame=int(values["frame"]), face=str(values["face"]),
        version=int(values["version"]), status=values["status"], points=points, visible=visible,
        box=None if box is None else FaceBox(*(float(v) for v in box)),
        picture=str(values.get("picture", "")),
        size=None if size is None else (int(size[0]), int(size[1])),
        facts=facts, before=before,
        **{k: str(values.get(k, "")) for k in ("who", "when", "what")},
    )  # fmt: skip


def read_header(path: Path) -> Header | None:
    """The first line of a journal; None if the file is none, or there is none."""
    try:
        line = head(path, 1 << 20).split(b"\n", 1)[0]
        values = json.loads(line.decode("utf-8"))
        if values["kpcli"] != "review" or values["kind"] not in (ANNOTATED, DATASET):
            return None
        scheme, kind, table, dataset = (
            str(values[k]) for k in ("scheme", "kind", "table", "dataset")
        )
        header = Header(scheme, kind, table, dataset, root=str(values.get("root", "")))
        get_scheme(header.scheme)
        return header
    except (OSError, ValueError, KeyError, TypeError, RecursionError, UsageError):
        return None


def read_entries(path: Path, scheme: str) -> Iterator[Entry | Reject]:
    """All entries, in the order of the saves; a last line that is cut short was never saved."""
    n = n_points_of(scheme)
    with open_binary(path) as file:
        file.readline(LARGEST_LINE)
        for number, line in enumerate(iter(lambda: file.readline(LARGEST_LINE), b""), start=2):
            if not line.strip() or not line.endswith(b"\n"):
                continue
            try:
                yield entry_of(json.loads(line.decode("utf-8")), n)
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError,
                    RecursionError) as e:  # fmt: skip
                yield Reject(f"{path}:{number}", "damaged label", str(e) or repr(e))


def sniff(root: Path) -> bool:
    """Whether a review's journal stands at or just below ``root``."""
    return any(read_header(path) for path in find_files(root, JOURNAL, depth=2))


def read(root: Path) -> Iterator[Sample | Reject]:
    """One sample a face that was accepted or corrected."""
    for path in find_files(root, JOURNAL, depth=2):
        header = read_header(path)
        if header is None:
            continue
        latest: dict[Key, tuple[int, Entry]] = {}
        try:
            for number, item in enumerate(read_entries(path, header.scheme), start=1):
                if isinstance(item, Reject):
                    yield item
                else:
                    latest[item.key] = number, item
        except (OSError, ValueError) as e:
            yield Reject(str(path), "damaged file", str(e))
        for number, entry in latest.values():
            if entry.status in LABELS:
                yield _sample(entry, header, path, f"{path}: save {number}")
        if header.kind == DATASET:
            yield from _others(header, {key for key, (_, e) in latest.items() if e.status != OPEN})


def _sample(entry: Entry, header: Header, path: Path, origin: str) -> Sample | Reject:
    facts = entry.facts
    try:
        image = named(path.parent, entry.picture)
    except ValueError as e:
        return Reject(origin, "damaged label", str(e))
    dataset = str(facts.get("dataset") or header.dataset)
    split = facts.get("split")
    attributes = facts.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    told = {"review": entry.status, "reviewed_by": entry.who, "reviewed_at": entry.when}
    return Sample(
        image=image,
        face=entry.box,
        points=entry.points,
        visible=entry.visible,
        scheme=header.scheme,
        dataset=dataset,
        split=split if split in SPLITS else "train",
        group=str(facts.get("group") or f"{dataset}/{entry.file}"),
        subset=str(facts.get("subset", "")),
        box_source="file" if entry.box else "",
        attributes={**{str(k): str(v) for k, v in attributes.items()}, **told},
        origin=origin,
        size=entry.size,
    )


def keyed_rows(table: Path, root: Path | None = None) -> dict[Key, Sample]:
    """The faces of a prepared CSV by picture, and their number in it, from 0."""
    rows: dict[Key, Sample] = {}
    counts: dict[str, int] = {}
    for sample in read_dataset(table, root=root):
        name = str(absolute(sample.image))
        number = counts.get(name, 0)
        counts[name] = number + 1
        rows[name, 1, str(number)] = sample
    return rows


def _others(header: Header, known: set[Key]) -> Iterator[Sample | Reject]:
    try:
        root = Path(header.root) if header.root else None
        rows = keyed_rows(Path(header.table), root)
    except InputError as e:
        yield Reject(header.table, "damaged file", str(e).replace("\n", " "))
        return
    yield from (sample for key, sample in rows.items() if key not in known)
