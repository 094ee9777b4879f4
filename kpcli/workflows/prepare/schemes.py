"""One CSV holds one landmark scheme: convert to it, or say that schemes mix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from kpcli.dataset_csv import BOXES
from kpcli.errors import InputError, UsageError
from kpcli.schemes import SCHEMES, can_convert, convert_points, convert_visible
from kpcli.types import Reject, Sample


def of_one_scheme(samples: list[Sample], target: str | None) -> tuple[list[Sample], list[Reject]]:
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


def check_schemes(samples: Sequence[Sample], target: str | None) -> None:
    """See that all samples end in one scheme.

    Raises
    ------
    UsageError
        If schemes mix and no ``target`` is given; the message names those that would do.
    InputError
        If a scheme cannot be converted to ``target``.
    """
    datasets = {s.scheme: s.dataset for s in samples}
    if target is None and len(datasets) > 1:
        common = [t for t in SCHEMES if all(_convertible(s, t) for s in datasets)]
        raise UsageError(
            "the sources mix landmark schemes",
            expected="one scheme a CSV",
            actual=", ".join(f"{scheme} ({dataset})" for scheme, dataset in datasets.items()),
            next_step=f"convert with --scheme {'|'.join(common)}"
            if common
            else "prepare them one by one",
        )
    for scheme, dataset in datasets.items():
        if target is not None and not _convertible(scheme, target):
            ways = [t for t in SCHEMES if t != scheme and _convertible(scheme, t)]
            raise InputError(
                f"{dataset} has {scheme}, which cannot be converted to {target}",
                expected=f"--scheme {'|'.join(ways)}" if ways else "no --scheme",
                next_step="choose another --scheme, or prepare this dataset by itself",
            )


def converted(sample: Sample, target: str | None) -> Sample:
    """The sample in scheme ``target``."""
    if target is None or sample.scheme == target:
        return sample
    return replace(
        sample,
        points=convert_points(sample.points, sample.scheme, target),
        visible=convert_visible(sample.visible, sample.scheme, target),
        scheme=target,
    )
