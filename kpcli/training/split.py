"""Which rows of a CSV a training learns from, and which it validates on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kpcli.errors import InputError
from kpcli.options import CUT_SEED, TrainOptions
from kpcli.splits import cut_by_group
from kpcli.types import Sample

Parts = tuple[list[Sample], list[Sample]]


def train_and_val(samples: Sequence[Sample], options: TrainOptions, *, own_val: bool) -> Parts:
    """Rows to train and to validate on, neither of them empty.

    With ``own_val``, the CSV's rows of split val are taken where it has some; else, validation is
    cut by group out of the rows of split train.

    Raises
    ------
    InputError
        If there are no rows for one of them; names the cause.
    """
    train_set = [s for s in samples if s.split == "train"]
    val_set = [s for s in samples if s.split == "val"] if own_val else []
    if not train_set:
        found = Counter(s.split for s in samples)
        raise InputError(
            f"{options.csv}: no rows of split train",
            actual=", ".join(f"{n} {split}" for split, n in found.items()) or "an empty CSV",
            next_step="run `kpcli prepare` again with a smaller --val, or on the training part too",
        )
    if val_set:
        return train_set, val_set
    cut = cut_by_group(train_set, options.val, CUT_SEED)
    parts = [s for s in cut if s.split == "train"], [s for s in cut if s.split == "val"]
    if not all(parts):
        raise _too_few(train_set, options, own_val)
    return parts


def _too_few(train_set: Sequence[Sample], options: TrainOptions, own_val: bool) -> InputError:
    groups = {s.group for s in train_set}
    if options.val == 0:
        what, actual = "no rows to validate on", "--val 0" + ", and no rows of split val" * own_val
    elif len(train_set) == 1:
        what, actual = "one row is too few: training and validation need one each", "1 row"
    else:
        what = "its rows are all of one group, which is never cut in two"
        actual = f"{len(train_set)} rows of the group {sorted(groups)[0]!r} (a person or a video)"
    return InputError(
        f"{options.csv}: {what}",
        expected=("rows of split val, or " if own_val else "")
        + "rows of split train of several groups, and --val above 0",
        actual=actual,
        next_step="use --val 0.1"
        if options.val == 0
        else "add pictures of others, or, if the rows are of different persons, prepare them anew "
        "with groups that say so",
    )
