from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpcli.errors import UsageError
from kpcli.splits import cut_by_group
from kpcli.types import Sample


def samples(sizes: list[int], split: str = "train") -> list[Sample]:
    """So many samples of each group."""
    nothing = np.zeros((0, 2), np.float32)
    return [
        Sample(
            Path(f"{group}.jpg"),
            None,
            nothing,
            np.zeros(0, bool),
            "boxes",
            "set",
            split,
            f"g{group}",
        )
        for group, size in enumerate(sizes)
        for _ in range(size)
    ]


def cut(sizes: list[int], share: float, seed: int = 0) -> set[str]:
    """The groups that went to val; none of them only in part."""
    after = cut_by_group(samples(sizes), share, seed)
    groups = {split: {s.group for s in after if s.split == split} for split in ("train", "val")}
    assert not groups["train"] & groups["val"]
    assert len(after) == sum(sizes)
    return groups["val"]


def taken_until_enough(sizes: list[int], share: float, seed: int) -> set[str]:
    """Whole groups in the order of their hashes until the share is reached, however far beyond."""
    order = sorted(
        (g for g, size in enumerate(sizes) if size),
        key=lambda g: hashlib.sha256(f"{seed}/g{g}".encode()).digest(),
    )
    chosen: set[str] = set()
    moved = 0
    for group in order:
        if moved >= share * sum(sizes):
            break
        chosen.add(f"g{group}")
        moved += sizes[group]
    return chosen


def off(groups: set[str], sizes: list[int], share: float) -> int:
    return abs(sum(sizes[int(g[1:])] for g in groups) - math.ceil(share * sum(sizes)))


SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=30)
SHARES = st.floats(0.01, 0.9)


@given(SIZES, SHARES, st.integers(0, 5))
def test_never_further_from_the_share_than_taking_groups_until_enough(
    sizes: list[int], share: float, seed: int
) -> None:
    simple, ours = taken_until_enough(sizes, share, seed), cut(sizes, share, seed)
    assert ours
    assert off(ours, sizes, share) <= off(simple, sizes, share)
    wanted = math.ceil(share * sum(sizes))
    if off(simple, sizes, share) <= 0.05 * wanted:
        assert ours == simple


@given(st.integers(1, 300), SHARES, st.integers(0, 5))
def test_groups_of_one_meet_the_share(count: int, share: float, seed: int) -> None:
    assert len(cut([1] * count, share, seed)) == math.ceil(share * count)


@given(SIZES, SHARES, st.randoms(use_true_random=False))
def test_the_order_of_the_list_does_not_matter(sizes: list[int], share: float, random) -> None:
    before = samples(sizes)
    shuffled = random.sample(before, len(before))
    groups = [
        {s.group for s in cut_by_group(some, share, 1) if s.split == "val"}
        for some in (before, shuffled)
    ]
    assert groups[0] == groups[1]


@pytest.mark.parametrize("seed", range(20))
def test_a_large_group_does_not_go_for_a_small_share(seed: int) -> None:
    sizes = [500, *[1] * 500]
    assert off(cut(sizes, 0.1, seed), sizes, 0.1) == 0


def test_only_train_is_cut() -> None:
    test = samples([5, 5], split="test")
    assert cut_by_group(test, 0.5, 0) == test
    assert cut([3, 3], 0) == set()


def test_a_share_out_of_range() -> None:
    with pytest.raises(UsageError, match="out of range"):
        cut([1, 1], 0.95)
