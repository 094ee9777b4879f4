"""What came of an annotation run, and where its results are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpcli.batch.outcome import FileResult
from kpcli.batch.report import Report as BatchReport
from kpcli.batch.report import counted
from kpcli.workflows.annotate.overlays import OVERLAYS
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS


@dataclass(frozen=True, kw_only=True)
class Report(BatchReport):
    """What came of a run; owns the exit code."""

    overlays: bool
    written: Sequence[Path]

    def outputs(self) -> list[str]:
        """Where the results are."""
        lines = [f"landmarks: {self.out / LANDMARKS}"]
        if self.overlays:
            lines.append(f"overlays:  {self.out / OVERLAYS}")
        if self.silent:
            codecs = ", ".join(f"{n} {codec}" for codec, n in self.silent.most_common())
            lines.append(f"  without their sound, which MP4 cannot carry: {codecs}")
        return lines + [f"also:      {path}" for path in self.written]


def make_report(out: Path, results: Sequence[FileResult], **values: Any) -> Report:
    """Count the outcomes of the files; ``values`` are the other fields of the report."""
    return Report(out=out, **counted(results), **values)
