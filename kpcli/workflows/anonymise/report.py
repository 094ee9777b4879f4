"""What came of a run of anonymise, and where its results are."""

from __future__ import annotations

from dataclasses import dataclass

from kpcli.batch.report import Report as BatchReport
from kpcli.batch.report import many
from kpcli.workflows.anonymise.copies import OUTPUT as COPIES
from kpcli.workflows.anonymise.leaks import SHEET, TABLE
from kpcli.workflows.anonymise.rows import OUTPUT as COVERS


@dataclass(frozen=True, kw_only=True)
class Report(BatchReport):
    """What came of a run; owns the exit code. ``faces`` are places covered on a guess too."""

    NOUN = "cover"

    doubtful: int = 0
    """Faces in leaks.csv."""
    bare: int = 0
    """Of them, those that are left bare."""

    def outputs(self) -> list[str]:
        """Where the results are, and what to look at."""
        lines = [f"copies:    {self.out / COPIES}", f"covers:    {self.out / COVERS}"]
        if self.silent:
            codecs = ", ".join(f"{n} {codec}" for codec, n in self.silent.most_common())
            lines.append(f"  without their sound, which MP4 cannot carry: {codecs}")
        if self.doubtful:
            lines.append(
                f"look at:   {self.out / SHEET}, {TABLE}: {many(self.doubtful, 'doubtful place')}, "
                f"{self.bare} left bare"
            )
        return lines
