"""One CSV holds one landmark scheme: convert to it, or say that schemes mix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kpcli.dataset_csv import BOXES
from kpcli.errors import InputError, UsageError
from kpcli.scheme_definition import LandmarkScheme, read_definition
from kpcli.schemes import (
    SCHEMES,
    can_convert,
    convert_points,
    convert_visible,
    get_scheme,
    is_own,
    is_plain,
    key_of,
    scheme_name,
)
from kpcli.types import Reject, Sample

ALIKE = 0.9
"""Share of the points that have the same name in two files of one set."""


def target_of(scheme: str | None) -> str | None:
    """The key of what ``--scheme`` says: a name, or a file of the user's own scheme.

    Raises
    ------
    UsageError
        If there is no such scheme or file.
    InputError
        If the file is no scheme.
    """
    if scheme is None:
        return None
    path = Path(scheme)
    if path.suffix.lower() == ".json" or (path.is_file() and scheme not in SCHEMES):
        if not path.exists():
            raise UsageError(f"--scheme {scheme}: there is no such file")
        own = read_definition(path)
        if own.name in SCHEMES and key_of(own) != own.name:
            raise InputError(
                f"{path}: {own.name} is a known scheme's name", next_step="choose another name"
            )
        return key_of(own)
    try:
        return key_of(get_scheme(scheme))
    except UsageError as e:
        raise UsageError(
            e.what, expected=f"{e.expected}, or a file of your own", next_step=e.next_step
        ) from e


def unified(samples: Sequence[Sample]) -> list[Sample]:
    """The samples with one scheme for all that have points of the same names.

    Files of one set may tell more or less of it (edges in one, none in another), or name the
    points in another order.
    """
    keys = Counter(s.scheme for s in samples if s.scheme != BOXES)
    ranked = sorted(keys, key=lambda key: (-_told(key), -keys[key], key))
    targets: dict[str, str] = {}
    for key in ranked:
        same = (other for other in ranked if other in targets.values() and _alike(key, other))
        targets[key] = next(same, key)
    return [
        s
        if targets.get(s.scheme, s.scheme) == s.scheme
        else converted(s, targets[s.scheme])
        if can_convert(s.scheme, targets[s.scheme])
        else replace(s, scheme=targets[s.scheme])
        for s in samples
    ]


def _alike(key: str, other: str) -> bool:
    """Whether two schemes have points of the same names, a slip of the pen in a few aside."""
    a, b = get_scheme(key), get_scheme(other)
    if is_plain(a) or is_plain(b) or a.n_points != b.n_points:
        return False
    if set(a.point_names) == set(b.point_names):
        return True
    equal = sum(x == y for x, y in zip(a.point_names, b.point_names, strict=True))
    return equal >= ALIKE * a.n_points


def _told(key: str) -> int:
    """How much is known of a scheme."""
    scheme = get_scheme(key)
    return bool(scheme.edges) + bool(scheme.flip_order) + 4 * (key in SCHEMES)


def named_outright(samples: Sequence[Sample], target: str | None) -> list[Sample]:
    """The samples with ``target`` in place of a scheme of which only the number is known.

    So says the user: that is no conversion, and holds before a box is derived from the points.
    """
    if target is None:
        return list(samples)
    return [
        replace(s, scheme=_kept_names(s.scheme, target))
        if s.scheme not in (BOXES, target) and _by_number(s.scheme, target)
        else s
        for s in samples
    ]


def _kept_names(source: str, target: str) -> str:
    """``points21`` means no more than 21 points: names that a file gave them stay."""
    plain = is_plain(get_scheme(target))
    return source if plain and is_own(source) else target


def _by_number(source: str, target: str) -> bool:
    """Whether points of ``source`` may be called those of ``target`` because the user says so."""
    from_scheme, to_scheme = get_scheme(source), get_scheme(target)
    if from_scheme.n_points != to_scheme.n_points:
        return False
    if is_plain(to_scheme) or is_plain(from_scheme) or _numbered(from_scheme):
        return True
    # A known scheme was taken by its number; the user's own file says better.
    return source in SCHEMES and is_own(target) and not can_convert(source, target)


def _numbered(scheme: LandmarkScheme) -> bool:
    """Whether the names are numbers with the same letters before them: ``7``, ``P7``."""
    return len({name.rstrip("0123456789") for name in scheme.point_names}) == 1


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
            detail = (
                f"{len(s.points)} ({scheme_name(s.scheme)}), the others of this source are "
                f"{scheme_name(main)}"
            )
            if len(s.points) == get_scheme(main).n_points if main != BOXES else False:
                detail += " of other names"
            odd.append(Reject(s.origin, "wrong number of points", detail))
    return kept, odd


def _convertible(source: str, target: str) -> bool:
    return source == target or (
        source != BOXES and (can_convert(source, target) or _kept(source, target))
    )


def _kept(source: str, target: str) -> bool:
    return is_own(source) and is_plain(get_scheme(target)) and _by_number(source, target)


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
        names = [f"{scheme_name(scheme)} ({dataset})" for scheme, dataset in datasets.items()]
        raise UsageError(
            "the sources mix landmark schemes",
            expected="one scheme a CSV, the points of the same names",
            actual=", ".join(names),
            next_step=f"convert with --scheme {'|'.join(common)}"
            if common
            else "prepare them one by one, or say what all points are with --scheme FILE",
        )
    for scheme, dataset in datasets.items():
        if target is not None and not _convertible(scheme, target):
            ways = [t for t in SCHEMES if t != scheme and _convertible(scheme, t)]
            raise InputError(
                f"{dataset} has {_shown(scheme)}, which cannot be converted to {_shown(target)}",
                expected=f"--scheme {'|'.join(ways)}" if ways else "no --scheme",
                next_step="choose another --scheme, or prepare this dataset by itself",
            )


def _shown(key: str) -> str:
    """A scheme's name, and of an own one how its points are called."""
    if not is_own(key):
        return key
    names = get_scheme(key).point_names
    return f"{scheme_name(key)} ({', '.join(names[:4])}{' ..' if len(names) > 4 else ''})"


def converted(sample: Sample, target: str | None) -> Sample:
    """The sample in scheme ``target``."""
    if target is None or sample.scheme == target or _kept(sample.scheme, target):
        return sample
    return replace(
        sample,
        points=convert_points(sample.points, sample.scheme, target),
        visible=convert_visible(sample.visible, sample.scheme, target),
        scheme=target,
    )
