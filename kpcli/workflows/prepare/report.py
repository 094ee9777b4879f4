"""What `kpcli prepare` tells: the summary, the rejects, the duplicates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kpcli.errors import shown
from kpcli.files import CsvRows
from kpcli.outputs import Outputs
from kpcli.schemes import scheme_name
from kpcli.types import Note, Reject, Sample
from kpcli.workflows.prepare.duplicates import Duplicate

_ORIGIN = re.compile(r"(.*): ?((?:\w+ )?\d+)\Z")


@dataclass(frozen=True)
class Prepared:
    """What a run made."""

    out: Path
    samples: Sequence[Sample]
    rejects: Sequence[Reject]
    duplicates: Sequence[Duplicate]
    notes: Sequence[Note] = ()

    def summary(self) -> str:
        """Rows per dataset, split and scheme, rejects per reason, duplicates."""
        lines = []
        keys = Counter((s.dataset, s.split, scheme_name(s.scheme)) for s in self.samples)
        for (dataset, split, scheme), rows in sorted(keys.items()):
            chosen = [s for s in self.samples if (s.dataset, s.split) == (dataset, split)]
            pictures = len({s.image for s in chosen})
            groups = len({s.group for s in chosen})
            lines.append(
                f"{dataset}  {split}  {scheme}: {rows} rows, {pictures} pictures, {groups} groups"
            )
        lines.append(f"{self.out}: {len(self.samples)} rows")
        noted: Counter[str] = Counter()
        for note in self.notes:
            noted[note.text] += note.count
        lines += [f"  {count} {text}" for text, count in noted.items()]
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
        return "\n".join(shown(line) for line in lines)


def rejects_path(out: Path) -> Path:
    return out.with_name(f"{out.stem}.rejects.csv")


def duplicates_path(out: Path) -> Path:
    return out.with_name(f"{out.stem}.duplicates.csv")


def write_rejects(rejects: Sequence[Reject], name: str, outputs: Outputs) -> None:
    rows = []
    for reject in rejects:
        match = _ORIGIN.match(reject.origin)
        file, line = match.groups() if match else (reject.origin, "")
        reason = f"{reject.reason}: {reject.detail}" if reject.detail else reject.reason
        rows.append([file, line, reason])
    _write_table(outputs, name, ["file", "line", "reason"], rows)


def write_duplicates(duplicates: Sequence[Duplicate], name: str, outputs: Outputs) -> None:
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
    _write_table(outputs, name, header, rows)


def _write_table(outputs: Outputs, name: str, header: list[str], rows: list[list[str]]) -> None:
    """Write a CSV, or take away an earlier run's if there is nothing to say."""
    if not rows:
        outputs.remove([name])
        return
    with (
        outputs.replacing(name) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        CsvRows(file).writerows([header, *rows])
