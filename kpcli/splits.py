"""Cut a validation split out of the training faces, never through a group."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from kpcli.errors import UsageError
from kpcli.types import Sample


def cut_by_group(samples: Sequence[Sample], share: float, seed: int) -> list[Sample]:
    """The samples with about ``share`` of those of split train moved to split val.

    Groups go over whole, in the order of a hash of seed and name, so the same groups go whatever
    else the list holds in whatever order.

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
        if sample.split == "train":
            sizes[sample.group] = sizes.get(sample.group, 0) + 1
    order = sorted(sizes, key=lambda g: hashlib.sha256(f"{seed}/{g}".encode()).digest())
    wanted, moved, chosen = share * sum(sizes.values()), 0, set()
    for group in order:
        if moved >= wanted:
            break
        chosen.add(group)
        moved += sizes[group]
    return [
        replace(s, split="val") if s.split == "train" and s.group in chosen else s for s in samples
    ]
