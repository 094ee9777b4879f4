"""Read datasets, validate their labels, write one normalised CSV."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kpcli import catalogue
from kpcli.dataset_csv import SPLITS, write_dataset
from kpcli.errors import InputError, UsageError
from kpcli.files import check_writable
from kpcli.options import EXIF, PrepareOptions
from kpcli.outputs import Outputs
from kpcli.splits import cut_by_group
from kpcli.types import Reject, Sample
from kpcli.workflows.prepare.duplicates import Duplicate, Fingerprint, across_splits, linked_groups
from kpcli.workflows.prepare.grouping import compiled, kept_splits, told_once
from kpcli.workflows.prepare.pictures import EmbeddedPictures, Seen, ending_early, look_at_pictures
from kpcli.workflows.prepare.preview import PREVIEW_ENDINGS, write_preview
from kpcli.workflows.prepare.reading import find_format, read_sources
from kpcli.workflows.prepare.report import (
    Prepared,
    duplicates_path,
    rejects_path,
    write_duplicates,
    write_rejects,
)
from kpcli.workflows.prepare.schemes import check_schemes, converted, target_of, unified
from kpcli.workflows.prepare.upright import turned_upright
from kpcli.workflows.prepare.validation import PictureFacts, check


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
    outputs = _checked_places(options)
    target = target_of(options.scheme)
    formats = [(root, find_format(root, options.format)) for root in options.sources]
    with outputs.staging() as staging:
        store = EmbeddedPictures(outputs, f"{options.out.stem}_pictures", staging)
        samples, rejects, notes = read_sources(formats, options, target, store)
        samples, more = told_once(unified(samples))
        notes += more
        check_schemes(samples, target)
        seen = look_at_pictures(samples)
        notes += ending_early(seen)
        facts = {path: found for path, (found, _) in seen.items()}
        samples, more = turned_upright(samples, facts, options.exif)
        notes += more
        samples, bad = _validate(samples, facts)
        rejects += bad
        write_rejects(rejects, rejects_path(options.out).name, outputs)
        _check_rejects(samples, rejects, options)
        samples = [converted(s, target) for s in samples]
        samples = _cut(_link_groups(samples, seen), options)
        duplicates = _find_duplicates(samples, _fingerprints(seen))
        if options.preview:
            with _preview(options.preview).replacing(options.preview.name) as sheet:
                write_preview(samples, sheet, options.seed)
        samples = [store.final(s) for s in samples]
        duplicates = [
            replace(d, first=store.final_path(d.first), second=store.final_path(d.second))
            for d in duplicates
        ]
        store.publish()
    write_duplicates(duplicates, duplicates_path(options.out).name, outputs)
    with outputs.replacing(options.out.name) as temporary:
        write_dataset(samples, temporary, _common_root(samples))
    return Prepared(options.out, samples, rejects, duplicates, notes)


def _checked_places(options: PrepareOptions) -> Outputs:
    """The folder of the CSV, and of its company, where nothing of the user's is in the way."""
    outputs = Outputs(options.out.parent, "prepare")
    places = (options.out, rejects_path(options.out), duplicates_path(options.out))
    outputs.check(place.name for place in places)
    outputs.spare(options.sources)
    if options.preview is not None:
        _preview(options.preview).check([options.preview.name])
    return outputs


def _preview(path: Path) -> Outputs:
    """A drawing, which annotate passes over: the pictures of a dataset's file are input."""
    return Outputs(path.parent, "preview")


def _check_options(options: PrepareOptions) -> None:
    if options.val + options.test > 0.95:
        raise UsageError(
            "--val and --test leave nothing to train on",
            expected="0.95 together at most",
            actual=f"{options.val} and {options.test}",
        )
    if options.split is not None and options.split not in SPLITS:
        raise UsageError(f"unknown --split {options.split!r}", expected=", ".join(SPLITS))
    if options.exif not in EXIF:
        raise UsageError(f"unknown --exif {options.exif!r}", expected=", ".join(EXIF))
    if options.group_by not in (None, "none", "folder"):
        compiled(options.group_by)
    if options.face_box not in ("file", "points"):
        raise UsageError(f"unknown --face-box {options.face_box!r}", expected="file, points")
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
    if options.images is not None and not options.images.is_dir():
        raise InputError(f"--images {options.images}: there is no such folder")


def _validate(
    samples: Sequence[Sample], pictures: Mapping[Path, PictureFacts]
) -> tuple[list[Sample], list[Reject]]:
    good, bad = [], []
    for sample in samples:
        reject = check(sample, pictures[sample.image])
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
    train = [s for s in samples if s.split == "train"]
    linked = linked_groups([(s.image, s.group) for s in train], _fingerprints(seen))
    return [replace(s, group=linked[s.group]) if s.split == "train" else s for s in samples]


def _cut(samples: list[Sample], options: PrepareOptions) -> list[Sample]:
    """The samples with validation and test cut out of train, as far as no side is kept.

    Raises
    ------
    InputError
        If nothing is left to train on.
    """
    fixed: set[str] = set()
    if options.keep_split is not None:
        samples, fixed = kept_splits(samples, options.keep_split)
    before = {s.group for s in samples if s.split == "train"}
    count = sum(s.split == "train" for s in samples)
    samples = cut_by_group(samples, options.val, options.seed, settled=fixed)
    share = options.test / (1 - options.val)
    samples = cut_by_group(samples, min(share, 0.9), options.seed, into="test", settled=fixed)
    if before and not any(s.split == "train" for s in samples):
        groups = f"one group, {min(before)!r}" if len(before) == 1 else f"{len(before)} groups"
        raise InputError(
            "the cut leaves nothing to train on",
            expected="more groups (pictures, persons, videos) than sides to cut",
            actual=f"the {count} rows of train are of {groups}, and groups are never parted",
            next_step="say what a group is: --group-by none, folder, or a regular expression",
        )
    return samples


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
