"""Rows told twice, groups as the user says, and splits as they were before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kpcli.dataset_csv import read_dataset
from kpcli.errors import InputError, UsageError
from kpcli.formats.layout import absolute
from kpcli.types import Note, Sample

SAME = 1.0
"""Most pixels by which the points of one face differ in two lists."""


def told_once(samples: Sequence[Sample]) -> tuple[list[Sample], list[Note]]:
    """The samples without those that another label file of the set tells too.

    Of ``all.json`` beside ``test.json`` the one that says test is kept.
    """
    pictures: dict[Path, list[int]] = {}
    for i, sample in enumerate(samples):
        if sample.pixels is None:
            pictures.setdefault(absolute(sample.image), []).append(i)
    dropped: set[int] = set()
    for numbers in pictures.values():
        for at, i in enumerate(numbers):
            for j in numbers[at + 1 :]:
                if i not in dropped and j not in dropped and _same(samples[i], samples[j]):
                    known = samples[i].split != "train" or samples[j].split == "train"
                    dropped.add(j if known else i)
    notes = [Note("faces told by two label files: taken once", len(dropped))] if dropped else []
    return [s for i, s in enumerate(samples) if i not in dropped], notes


def _same(a: Sample, b: Sample) -> bool:
    if _file(a) == _file(b) or a.points.shape != b.points.shape:
        return False
    if not len(a.points):
        return a.face == b.face and a.attributes == b.attributes
    apart = np.abs(a.points - b.points)
    return bool(not np.isnan(apart).all() and np.nanmax(apart) <= SAME)


def _file(sample: Sample) -> str:
    """The label file: the origin without its line, annotation or face."""
    return re.sub(r":\s?(?:\w+ )?\d+\Z", "", sample.origin)


def grouped(samples: Sequence[Sample], by: str, root: Path) -> tuple[list[Sample], list[Note]]:
    """The samples in the groups that ``--group-by`` says.

    ``none``: every picture is a group; ``folder``: every folder is one; else a regular expression,
    searched in the picture's path below the source: what its groups (or, without any, all of it)
    match is the name. A picture that it does not match is a group of its own.

    Raises
    ------
    UsageError
        If it is no regular expression, or matches no picture at all.
    """
    pattern = None if by in ("none", "folder") else compiled(by)
    base = absolute(root if root.is_dir() else root.parent)
    out: list[Sample] = []
    alone: set[str] = set()
    for sample in samples:
        path = absolute(sample.image) if sample.pixels is None else sample.image
        name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
        group = name
        if by == "folder":
            group = Path(name).parent.as_posix()
        elif pattern is not None:
            match = pattern.search(name)
            found = [g for g in match.groups() if g] or [match[0]] if match else []
            group = "/".join(found) or name
            if not any(found):
                alone.add(name)
        out.append(replace(sample, group=f"{sample.dataset}/{group}"))
    if pattern is not None and samples and len(alone) == len({s.image for s in samples}):
        raise UsageError(
            f"--group-by {by!r} matches no picture",
            expected="a regular expression that finds the person or clip in a picture's path",
            actual=f"paths such as {min(alone)}",
        )
    text = "pictures that --group-by does not match: groups of their own"
    return out, [Note(text, len(alone))] if alone else []


def compiled(by: str) -> re.Pattern[str]:
    """The regular expression of ``--group-by``.

    Raises
    ------
    UsageError
        If it is none.
    """
    try:
        return re.compile(by)
    except re.error as e:
        raise UsageError(
            f"--group-by {by!r}: not a regular expression",
            expected="none, folder, or one such as '(person[0-9]+)_'",
            actual=str(e),
        ) from e


def kept_splits(samples: Sequence[Sample], old: Path) -> tuple[list[Sample], set[str]]:
    """The samples with every picture on the side where an earlier CSV had it.

    Returns
    -------
    list of Sample, set of str
        Pictures that are new go with their group where that has one side. The set holds the
        groups whose side is settled.

    Raises
    ------
    InputError
        If the CSV is unusable, or has none of these pictures.
    """
    before = read_dataset(old)
    by_path = {absolute(s.image).resolve(): s.split for s in before}
    names = _sides((f"{s.dataset}/{s.image.name}", s.split) for s in before)
    groups = _sides((s.group, s.split) for s in before)
    out: list[Sample] = []
    known = 0
    settled: dict[str, set[str]] = {}
    for sample in samples:
        side = by_path.get(absolute(sample.image).resolve())
        side = side or names.get(f"{sample.dataset}/{sample.image.name}")
        known += side is not None
        side = side or groups.get(sample.group)
        out.append(replace(sample, split=side) if side else sample)
        if side:
            settled.setdefault(sample.group, set()).add(side)
    if samples and not known:
        raise InputError(
            f"--keep-split {old}: has none of these pictures",
            expected="the CSV that was prepared before from the same dataset",
        )
    one = {group: next(iter(sides)) for group, sides in settled.items() if len(sides) == 1}
    return [replace(s, split=one.get(s.group, s.split)) for s in out], set(settled)


def _sides(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Key to split, of those that have one only."""
    found: dict[str, set[str]] = {}
    for key, split in pairs:
        found.setdefault(key, set()).add(split)
    return {key: next(iter(splits)) for key, splits in found.items() if len(splits) == 1}
