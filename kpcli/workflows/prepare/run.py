"""Read datasets, validate their labels, write one normalised CSV."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kpcli import catalogue
from kpcli.dataset_csv import BOXES, write_dataset
from kpcli.errors import InputError, UsageError
from kpcli.files import check_writable
from kpcli.geometry import landmark_box
from kpcli.options import PrepareOptions
from kpcli.progress import progress
from kpcli.schemes import get_scheme
from kpcli.splits import cut_by_group
from kpcli.types import FaceBox, Reject, Sample
from kpcli.workflows.prepare.duplicates import Duplicate, Fingerprint, across_splits, linked_groups
from kpcli.workflows.prepare.pictures import EmbeddedPictures, Seen, look_at_pictures
from kpcli.workflows.prepare.preview import PREVIEW_ENDINGS, write_preview
from kpcli.workflows.prepare.report import (
    Prepared,
    duplicates_path,
    rejects_path,
    write_duplicates,
    write_rejects,
)
from kpcli.workflows.prepare.schemes import check_schemes, converted, of_one_scheme
from kpcli.workflows.prepare.validation import check


def prepare(options: PrepareOptions) -> Prepared:
    """Make the CSV that ``options`` asks for.

    Raises
    ------
    UsageError
        If options contradict each other, formats are ambiguous, or schemes mix.
    InputError
        If a source is unusable, nothing usable is found, or ``strict`` and a label is rejected.
    """
    _check_options(options)
    formats = [(root, find_format(root, options.format)) for root in options.sources]
    with EmbeddedPictures(options.out.with_name(f"{options.out.stem}_pictures")) as store:
        samples, rejects = _read_all(formats, options, store)
        check_schemes(samples, options.scheme)
        seen = look_at_pictures(samples)
        samples, bad = _validate(samples, seen)
        rejects += bad
        write_rejects(rejects, rejects_path(options.out))
        _check_rejects(samples, rejects, options)
        samples = [converted(s, options.scheme) for s in samples]
        samples = _link_groups(samples, seen)
        samples = cut_by_group(samples, options.val, options.seed)
        duplicates = _find_duplicates(samples, _fingerprints(seen))
        if options.preview:
            write_preview(samples, options.preview, options.seed)
        samples = [store.final(s) for s in samples]
        duplicates = [
            replace(d, first=store.final_path(d.first), second=store.final_path(d.second))
            for d in duplicates
        ]
    write_duplicates(duplicates, duplicates_path(options.out))
    write_dataset(samples, options.out, _common_root(samples))
    return Prepared(options.out, samples, rejects, duplicates)


def _check_options(options: PrepareOptions) -> None:
    if not 0 <= options.val <= 0.9:
        raise UsageError("--val is out of range", expected="0 .. 0.9", actual=f"{options.val}")
    if options.face_box not in ("file", "points"):
        raise UsageError(f"unknown --face-box {options.face_box!r}", expected="file, points")
    if options.scheme is not None:
        get_scheme(options.scheme)
    if options.out.is_dir():
        raise UsageError(f"{options.out}: a folder", expected="a file name such as faces.csv")
    if options.format is not None and options.format not in catalogue.FORMATS:
        raise UsageError(
            f"unknown dataset format {options.format!r}", expected=", ".join(catalogue.FORMATS)
        )
    if options.preview is not None and options.preview.suffix.lower() not in PREVIEW_ENDINGS:
        raise UsageError(
            f"--preview {options.preview}: not a picture's name",
            expected=f"a name ending in {', '.join(PREVIEW_ENDINGS)}",
        )
    for path in filter(None, (options.out, options.preview)):
        check_writable(path)
    if len({root.resolve() for root in options.sources}) < len(options.sources):
        raise UsageError("a source is named twice", actual=" ".join(map(str, options.sources)))
    for root in options.sources:
        if not root.exists():
            raise InputError(f"{root}: there is no such folder or file")


def find_format(root: Path, name: str | None) -> str:
    """The format of a source: the given one, or the only one whose layout fits."""
    if name is not None:
        if not catalogue.FORMATS.load(name).sniff(root):
            raise InputError(
                f"{root}: no {name} labels found here",
                expected=catalogue.FORMATS[name].help,
                next_step="leave --format out to have the layout recognised",
            )
        return name
    fits = [n for n in catalogue.FORMATS if catalogue.FORMATS.load(n).sniff(root)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise UsageError(
            f"{root}: the layout fits {' and '.join(fits)}",
            next_step=f"choose one with --format {'|'.join(fits)}, or name a folder further down",
        )
    raise InputError(
        f"{root}: no known dataset layout",
        expected="; ".join(f"{n}: {e.help}" for n, e in catalogue.FORMATS.items()),
        next_step="name the dataset's own folder, or choose with --format",
    )


def _read_all(
    formats: Iterable[tuple[Path, str]], options: PrepareOptions, store: EmbeddedPictures
) -> tuple[list[Sample], list[Reject]]:
    """All sources' samples with a box each, and what could not be parsed."""
    samples: list[Sample] = []
    rejects: list[Reject] = []
    for number, (root, name) in enumerate(formats, start=1):
        module = catalogue.FORMATS.load(name)
        own: list[Sample] = []
        for item in progress(module.read(root), f"reading {root.name}", unit="label"):
            if isinstance(item, Reject):
                rejects.append(item)
            else:
                own.append(_with_box(store.keep(item, f"{number}_{name}"), options.face_box))
        own, odd = of_one_scheme(own, options.scheme)
        samples += own
        rejects += odd
    return samples, rejects


def _with_box(sample: Sample, face_box: str) -> Sample:
    """The sample with the dataset's box, or one derived from the points."""
    box = sample.face
    if sample.scheme == BOXES:
        return sample
    if face_box == "file" and box is not None and (box.width != 0 or box.height != 0):
        return replace(sample, box_source="file")
    derived = FaceBox(0, 0, 0, 0)  # where none can be derived, validation tells why
    if not np.isinf(sample.points).any():
        with contextlib.suppress(ValueError):
            derived = landmark_box(sample.points, get_scheme(sample.scheme))
    return replace(sample, face=derived, box_source="points")


def _validate(samples: Sequence[Sample], seen: Seen) -> tuple[list[Sample], list[Reject]]:
    good, bad = [], []
    for sample in samples:
        reject = check(sample, seen[sample.image][0])
        if reject:
            bad.append(reject)
        else:
            good.append(sample)
    return good, bad


def _check_rejects(
    samples: Sequence[Sample], rejects: Sequence[Reject], options: PrepareOptions
) -> None:
    reasons = Counter(r.reason for r in rejects).most_common()
    told = ", ".join(f"{count} {reason}" for reason, count in reasons)
    if rejects and options.strict:
        raise InputError(
            f"{len(rejects)} labels rejected and --strict given",
            actual=told,
            next_step=f"see {rejects_path(options.out)}",
        )
    if not samples:
        raise InputError(
            f"no usable label in {', '.join(map(str, options.sources))}",
            actual=told or "no label at all",
            next_step=f"see {rejects_path(options.out)}" if rejects else "",
        )


def _fingerprints(seen: Seen) -> dict[Path, Fingerprint]:
    return {path: found for path, (_, found) in seen.items() if found is not None}


def _link_groups(samples: Sequence[Sample], seen: Seen) -> list[Sample]:
    """Groups of train that hold the same picture become one: no cut may part them."""
    groups = {s.image: s.group for s in samples if s.split == "train"}
    linked = linked_groups(groups, _fingerprints(seen))
    return [replace(s, group=linked[s.group]) if s.split == "train" else s for s in samples]


def _find_duplicates(
    samples: Sequence[Sample], fingerprints: Mapping[Path, Fingerprint]
) -> list[Duplicate]:
    splits: dict[str, list[Path]] = {}
    for sample in samples:
        splits.setdefault(sample.split, []).append(sample.image)
    return across_splits(splits, fingerprints)


def _common_root(samples: Sequence[Sample]) -> Path:
    folders = {image.parent for image in {s.image for s in samples}}
    return Path(os.path.commonpath([folder.resolve() for folder in folders]))
