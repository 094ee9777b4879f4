"""Read datasets, validate their labels, write one normalised CSV."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from kpcli import catalogue
from kpcli.atomic import atomic_path
from kpcli.dataset_csv import BOXES, write_dataset
from kpcli.duplicates import Duplicate, Fingerprint, across_splits, fingerprint
from kpcli.errors import InputError, UsageError
from kpcli.geometry import landmark_box
from kpcli.images import read_image
from kpcli.options import PrepareOptions
from kpcli.progress import progress
from kpcli.schemes import SCHEMES, can_convert, convert_points, convert_visible, get_scheme
from kpcli.splits import cut_by_group
from kpcli.types import FaceBox, Reject, Sample
from kpcli.validation import PictureFacts, check
from kpcli.workflows.embedded_pictures import EmbeddedPictures
from kpcli.workflows.prepare_preview import write_preview

_ORIGIN = re.compile(r"(.*): ?((?:\w+ )?\d+)\Z")
Seen = dict[Path, tuple[PictureFacts, Fingerprint | None]]


@dataclass(frozen=True)
class Prepared:
    """What a run made."""

    out: Path
    samples: Sequence[Sample]
    rejects: Sequence[Reject]
    duplicates: Sequence[Duplicate]

    def summary(self) -> str:
        """Rows per dataset, split and scheme, rejects per reason, duplicates."""
        lines = []
        keys = Counter((s.dataset, s.split, s.scheme) for s in self.samples)
        for (dataset, split, scheme), rows in sorted(keys.items()):
            chosen = [s for s in self.samples if (s.dataset, s.split) == (dataset, split)]
            pictures = len({s.image for s in chosen})
            groups = len({s.group for s in chosen})
            lines.append(
                f"{dataset}  {split}  {scheme}: {rows} rows, {pictures} pictures, {groups} groups"
            )
        lines.append(f"{self.out}: {len(self.samples)} rows")
        if self.rejects:
            lines.append(f"{rejects_path(self.out)}: {len(self.rejects)} rejected")
            reasons = Counter(r.reason for r in self.rejects)
            lines += [f"  {count} {reason}" for reason, count in reasons.most_common()]
        if self.duplicates:
            lines.append(
                f"{duplicates_path(self.out)}: {len(self.duplicates)} pairs of pictures look the "
                "same in two splits"
            )
            sides = Counter((d.first_split, d.second_split) for d in self.duplicates)
            lines += [f"  {count} {a} - {b}" for (a, b), count in sorted(sides.items())]
        return "\n".join(lines)


def rejects_path(out: Path) -> Path:
    return out.with_name(f"{out.stem}.rejects.csv")


def duplicates_path(out: Path) -> Path:
    return out.with_name(f"{out.stem}.duplicates.csv")


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
        seen = _look_at_pictures(samples)
        samples, bad = _validate(samples, seen)
        rejects += bad
        _write_rejects(rejects, rejects_path(options.out))
        _check_rejects(samples, rejects, options)
        samples = [_converted(s, options.scheme) for s in samples]
        _check_one_scheme(samples)
        samples = cut_by_group(samples, options.val, options.seed)
        duplicates = _find_duplicates(samples, seen)
        if options.preview:
            write_preview(samples, options.preview, options.seed)
        samples = [store.final(s) for s in samples]
        duplicates = [
            replace(d, first=store.final_path(d.first), second=store.final_path(d.second))
            for d in duplicates
        ]
    _write_duplicates(duplicates, duplicates_path(options.out))
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
    for root in options.sources:
        if not root.exists():
            raise InputError(f"{root}: there is no such folder or file")


def find_format(root: Path, name: str | None) -> str:
    """The format of a source: the given one, or the only one whose layout fits."""
    if name is not None:
        return name
    fits = [n for n in catalogue.FORMATS if catalogue.load("dataset format", n).sniff(root)]
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
        module = catalogue.load("dataset format", name)
        own: list[Sample] = []
        for item in progress(module.read(root), f"reading {root.name}", unit="label"):
            if isinstance(item, Reject):
                rejects.append(item)
            else:
                own.append(_with_box(store.keep(item, f"{number}_{name}"), options.face_box))
        own, odd = _of_one_scheme(own, options.scheme)
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
    try:
        derived = landmark_box(sample.points, get_scheme(sample.scheme))
    except (ValueError, IndexError):
        derived = FaceBox(0, 0, 0, 0)  # validation tells why
    return replace(sample, face=derived, box_source="points")


def _of_one_scheme(samples: list[Sample], target: str | None) -> tuple[list[Sample], list[Reject]]:
    """Reject those of one source that have another number of points than most of it."""
    if not samples:
        return [], []
    main = Counter(s.scheme for s in samples).most_common(1)[0][0]
    kept, odd = [], []
    for s in samples:
        if s.scheme == main or (target and _convertible(s.scheme, target)):
            kept.append(s)
        else:
            detail = f"{len(s.points)} ({s.scheme}), the others of this source are {main}"
            odd.append(Reject(s.origin, "wrong number of points", detail))
    return kept, odd


def _convertible(source: str, target: str) -> bool:
    return source == target or (source != BOXES and can_convert(source, target))


def _look_at_pictures(samples: Sequence[Sample]) -> Seen:
    """Open every picture once: size, fingerprint, or what is wrong with it."""
    paths = sorted({s.image for s in samples})
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        try:
            results = pool.map(_look, paths)
            bar = progress(results, "checking pictures", total=len(paths), unit="picture")
            return dict(zip(paths, bar, strict=True))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _look(path: Path) -> tuple[PictureFacts, Fingerprint | None]:
    try:
        pixels = read_image(path)
    except InputError as e:
        facts = PictureFacts(missing=not path.exists(), problem=e.actual or e.what)
        return facts, None
    return PictureFacts(pixels.shape[1], pixels.shape[0]), fingerprint(pixels)


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


def _converted(sample: Sample, target: str | None) -> Sample:
    if target is None or sample.scheme == target:
        return sample
    if sample.scheme == BOXES:
        raise InputError(
            f"{sample.dataset} holds boxes only; it cannot be converted to {target}",
            next_step="leave --scheme out",
        )
    return replace(
        sample,
        points=convert_points(sample.points, sample.scheme, target),
        visible=convert_visible(sample.visible, sample.scheme, target),
        scheme=target,
    )


def _check_one_scheme(samples: Sequence[Sample]) -> None:
    schemes = {s.scheme: s.dataset for s in samples}
    if len(schemes) == 1:
        return
    common = [t for t in SCHEMES if all(_convertible(s, t) for s in schemes)]
    way_out = f"convert with --scheme {'|'.join(common)}" if common else ""
    raise UsageError(
        "the sources mix landmark schemes",
        expected="one scheme a CSV",
        actual=", ".join(f"{s} ({dataset})" for s, dataset in schemes.items()),
        next_step=way_out or "prepare them one by one",
    )


def _find_duplicates(samples: Sequence[Sample], seen: Seen) -> list[Duplicate]:
    splits: dict[str, list[Path]] = {}
    for sample in samples:
        splits.setdefault(sample.split, []).append(sample.image)
    return across_splits(splits, {p: f for p, (_, f) in seen.items() if f is not None})


def _common_root(samples: Sequence[Sample]) -> Path:
    return Path(os.path.commonpath({s.image.resolve().parent for s in samples}))


def _write_rejects(rejects: Sequence[Reject], path: Path) -> None:
    rows = []
    for reject in rejects:
        match = _ORIGIN.match(reject.origin)
        file, line = match.groups() if match else (reject.origin, "")
        reason = f"{reject.reason}: {reject.detail}" if reject.detail else reject.reason
        rows.append([file, line, reason])
    _write_table(path, ["file", "line", "reason"], rows)


def _write_duplicates(duplicates: Sequence[Duplicate], path: Path) -> None:
    header = ["first", "first_split", "second", "second_split", "distance", "correlation"]
    rows = [
        [
            str(d.first),
            d.first_split,
            str(d.second),
            d.second_split,
            str(d.distance),
            f"{d.correlation:.4f}",
        ]
        for d in duplicates
    ]
    _write_table(path, header, rows)


def _write_table(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """Write a CSV, or take away an earlier run's if there is nothing to say."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
