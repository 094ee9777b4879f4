"""kpcli suggest: what to label next, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kpcli.files import CsvRows
from kpcli.options import SuggestOptions
from kpcli.outputs import Outputs
from kpcli.workflows.review.queue import opened
from kpcli.workflows.review.ranking import Candidate

COLUMNS = ("rank", "file", "frame", "seconds", "face_id", "priority", "reasons")


@dataclass(frozen=True)
class Suggested:
    """The queue, the first first."""

    candidates: Sequence[Candidate]
    out: Path | None = None

    def rows(self) -> list[tuple[object, ...]]:
        """Values of `COLUMNS`."""
        return [
            (rank, c.file, c.frame, f"{c.seconds:.2f}", c.face, f"{c.priority:.3f}",
             "; ".join(c.reasons))
            for rank, c in enumerate(self.candidates, start=1)
        ]  # fmt: skip

    def summary(self) -> str:
        """The table for a terminal."""
        files = len({c.file for c in self.candidates})
        rows = [tuple(str(v) for v in row) for row in (COLUMNS, *self.rows())]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS) - 1)]
        lines = [
            "  ".join([v.ljust(w) for v, w in zip(row, widths, strict=False)] + [row[-1]])
            for row in rows
        ]
        lines.append(f"{len(self.candidates)} to look at, of {files} files")
        if self.out is not None:
            lines.append(f"written: {self.out}")
        return "\n".join(lines)


def suggest(options: SuggestOptions) -> Suggested:
    """The faces and frames that most deserve a look.

    Raises
    ------
    KpcliError
        If the results, the model or an option cannot be used.
    """
    outputs = None
    if options.out is not None:
        outputs = Outputs(options.out.parent, "suggest")
        outputs.check([options.out.name])
        outputs.spare([options.source])
    found = Suggested(opened(options).queue(), options.out)
    if outputs is not None and options.out is not None:
        with (
            outputs.replacing(options.out.name) as temporary,
            temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            writer = CsvRows(file)
            writer.writerow(COLUMNS)
            writer.writerows(found.rows())
    return found
