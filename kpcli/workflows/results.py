"""What `kpcli annotate` left in a folder: run.json, manifest.csv, landmarks.csv and its scheme."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpcli.errors import InputError, KpcliError
from kpcli.model_bundle import ModelBundle, ModelCard
from kpcli.schemes import LandmarkScheme, get_scheme, scheme_for_count
from kpcli.sources.folder import is_video
from kpcli.types import FrameFaces
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS
from kpcli.writers.landmark_csv import columns_of, read_frames

RUN, MANIFEST = "run.json", "manifest.csv"


@dataclass(frozen=True)
class Outcome:
    """A line of manifest.csv."""

    file: str
    status: str
    faces: int
    reason: str
    output: str = ""


@dataclass(frozen=True)
class Results:
    """A finished run of annotate."""

    folder: Path
    run: Mapping[str, Any]
    scheme: LandmarkScheme
    card: ModelCard | None

    @classmethod
    def open(cls, folder: Path) -> Results:
        """The results in a folder.

        Raises
        ------
        InputError
            If there are none, or they cannot be read.
        """
        run = read_json(folder / RUN)
        if not (folder / LANDMARKS).is_file():
            raise InputError(
                f"{folder}: holds no results of `kpcli annotate`",
                expected=f"a folder with {LANDMARKS}, {MANIFEST} and {RUN}",
                actual="a run that did not come to its end" if run else "none of them",
                next_step="finish the run with --resume, or name its --out",
            )
        card = _card(run)
        return cls(folder, run, _scheme(folder / LANDMARKS, run, card), card)

    def frames(self) -> Iterator[FrameFaces]:
        """All frames of the table, file by file."""
        return table_frames(self.folder / LANDMARKS)

    def outcomes(self) -> Iterator[Outcome]:
        """What became of every file."""
        path = self.folder / MANIFEST
        for row in csv_rows(path):
            try:
                yield Outcome(
                    row["file"], row["status"], int(row["faces"]), row["reason"],
                    row.get("output") or row["file"],
                )  # fmt: skip
            except (KeyError, ValueError, TypeError) as e:
                raise InputError(f"{path}: a damaged manifest", actual=repr(e)) from e

    def root(self, given: Path | None) -> Path | None:
        """The annotated folder, if it is still there."""
        options = self.run.get("options", {})
        inputs = options.get("inputs") or []
        found = given or self.run.get("input")
        if not found and inputs and options.get("folder"):
            found = inputs[0]
        elif not found and inputs:
            found = os.path.commonpath([Path(p).absolute().parent for p in inputs])
        return Path(found) if found and Path(found).is_dir() else None

    @property
    def whole_overlays(self) -> bool:
        """Whether the overlay videos hold every frame, at its own place."""
        options = self.run.get("options", {})
        frames = options.get("frames") or {}
        all_of_them = frames.get("every", 1) == 1 and frames.get("first", 1) == 1
        return all_of_them and not frames.get("start") and not options.get("overlay_fps")


def table_frames(path: Path) -> Iterator[FrameFaces]:
    """The frames of a landmarks.csv; ``moving`` is told by the name and the frame's number."""
    return read_frames(path, lambda file, frame: (0, 0, frame > 1 or is_video(Path(file))))


def csv_rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a table by the names of its header; none where there is no such file."""
    if path.is_file():
        try:
            with path.open(newline="", encoding="utf-8") as file:
                yield from csv.DictReader(file)
        except (OSError, UnicodeDecodeError, csv.Error) as e:
            raise InputError(f"{path}: a damaged table", actual=str(e)) from e


def read_json(path: Path) -> dict[str, Any]:
    """An object; empty where there is none that can be read."""
    values = _json(path)
    return values if isinstance(values, dict) else {}


def read_list(path: Path) -> list[dict[str, Any]]:
    """The objects of a list; empty where there is none that can be read."""
    values = _json(path)
    return [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _card(run: Mapping[str, Any]) -> ModelCard | None:
    for name in (run.get("options", {}).get("model"), run.get("model")):
        try:
            if name:
                return ModelBundle.open(str(name)).card
        except (KpcliError, OSError):
            continue
    return None


def scheme_of(table: Path) -> LandmarkScheme:
    """The scheme of a landmarks.csv, by the run.json beside it, else by the number of points."""
    run = read_json(table.parent / RUN)
    return _scheme(table, run, _card(run))


def _scheme(table: Path, run: Mapping[str, Any], card: ModelCard | None) -> LandmarkScheme:
    n = sum(name.startswith("x_") for name in columns_of(table))
    if card is not None and card.scheme and card.landmark_scheme.n_points == n:
        return card.landmark_scheme
    try:
        scheme = get_scheme(str(run.get("scheme", "")))
    except KpcliError:
        scheme = get_scheme(scheme_for_count(n))
    return scheme if scheme.n_points == n else get_scheme(f"points{n}")
