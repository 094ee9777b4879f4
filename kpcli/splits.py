"""Cut a validation split out of the training faces, never through a group."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from kpcli.errors import UsageError
from kpcli.types import Sample

SLACK = 0.05
"""Share of a split by which it may be larger than asked, so that groups stay whole."""


def cut_by_group(
    samples: Sequence[Sample],
    share: float,
    seed: int,
    *,
    into: str = "val",
    settled: Collection[str] = (),
) -> list[Sample]:
    """The samples with about ``share`` of those of split train moved to split ``into``.

    Groups go over whole, in the order of a hash of seed and name, so the same groups go whatever
    order the list is in. A group stays that would take the split further beyond the share than it
    falls short without it, by more than `SLACK`; those after it fill up the rest. One group goes
    at any rate. Groups that are ``settled`` stay where they are, and do not count.

    Raises
    ------
    UsageError
        If the share is not within 0 .. 0.9.
    """
    if not 0 <= share <= 0.9:
        raise UsageError(
            "the validation share is out of range", expected="0 .. 0.9", actual=f"{share}"
        )
    sizes: dict[str, int] = {}
    for sample in samples:
        if sample.split == "train" and sample.group not in settled:
            sizes[sample.group] = sizes.get(sample.group, 0) + 1
    order = sorted(sizes, key=lambda g: hashlib.sha256(f"{seed}/{g}".encode()).digest())
    wanted = math.ceil(share * sum(sizes.values()))
    chosen: set[str] = set()
    left = wanted
    for group in order:
        if left > 0 and sizes[group] - left <= max(left, SLACK * wanted):
            chosen.add(group)
            left -= sizes[group]
    if wanted and not chosen:
        chosen.add(min(order, key=lambda group: sizes[group]))
    return [
        replace(s, split=into) if s.split == "train" and s.group in chosen else s for s in samples
    ]
