"""The outcome of a run: exit code, summary, manifest.csv, run.json."""

from __future__ import annotations

import csv
import json
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from kpcli.batch.ledger import MANIFEST, RUN, Ledger
from kpcli.batch.outcome import DONE, FAILED, IGNORED, NO_FACE, PARTIAL, SKIPPED, FileResult
from kpcli.errors import EXIT_INTERRUPTED, EXIT_SOME_FAILED, shown
from kpcli.files import CsvRows
from kpcli.options import BatchOptions, MergeOptions
from kpcli.version import __version__

_NAMED = 5
"""Problems that the summary spells out."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a run; owns the exit code."""

    NOUN: ClassVar[str] = "face"
    """What ``faces`` counts, in the summary."""

    out: Path
    planned: int
    counts: Counter[str]
    faces: int
    frames: int
    ignored: Counter[str]
    problems: Sequence[FileResult]
    silent: Counter[str]
    """Videos written without their sound, by its codec."""
    interrupted: bool = False
    runtime: str = ""
    unwritten: Mapping[Path, str] = field(default_factory=dict)
    """Outputs that could not be written, and why."""
    stale: int = 0
    """Files of earlier runs that went, because they were of sources or results that are gone."""
    unread: int = 0
    """Ignored files that look like media."""
    plan: Sequence[str] = ()
    """Of a dry run, which did nothing: what would be done, a line a file."""

    @property
    def exit_code(self) -> int:
        """0 done; 5 some files failed or ended early; 130 interrupted."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        failed = self.counts[FAILED] or self.counts[PARTIAL] or self.unwritten
        return EXIT_SOME_FAILED if failed else 0

    def summary(self) -> str:
        """Plain words for the end of the run."""
        lines = self.plan or [*self._counted(), *self.outputs(), *self._gone()]
        return "\n".join(shown(line) for line in lines)

    def outputs(self) -> list[str]:
        """Lines of the summary that say where the results are."""
        return []

    def _counted(self) -> list[str]:
        done = sum(self.counts.values())
        counted = ((done, "file"), (self.frames, "frame"), (self.faces, self.NOUN))
        lines = [", ".join(many(count, noun) for count, noun in counted)]
        words = {
            DONE: "with faces",
            NO_FACE: "without a face",
            PARTIAL: "only in part",
            FAILED: "failed",
            SKIPPED: "skipped (no frame selected)",
        }
        lines += [f"  {self.counts[s]} {w}" for s, w in words.items() if self.counts[s]]
        if self.ignored:
            kinds = ", ".join(f"{n} {e}" for e, n in self.ignored.most_common(5))
            ignored = sum(self.ignored.values())
            media = f" ({self.unread} look like media, see {MANIFEST})" if self.unread else ""
            lines.append(f"  {ignored} ignored, neither picture nor video: {kinds}{media}")
        lines += [f"  {r.status}: {r.file}: {r.reason}" for r in self.problems[:_NAMED]]
        if len(self.problems) > _NAMED:
            lines.append(f"  ... and {len(self.problems) - _NAMED} more, see {MANIFEST}")
        if self.interrupted:
            left = self.planned - done
            lines.append(f"interrupted: {many(left, 'file')} left; go on with --resume")
        if self.runtime:
            lines.append(f"model ran on: {self.runtime}")
        return lines

    def _gone(self) -> list[str]:
        lines = [f"not written: {path}: {why}" for path, why in self.unwritten.items()]
        if self.stale:
            lines.append(f"removed: {many(self.stale, 'output')} of earlier runs, no longer true")
        return lines


def many(count: int, what: str) -> str:
    """The count and its word, in the plural where it is due."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def counted(results: Sequence[FileResult]) -> dict[str, Any]:
    """The fields of a report that count outcomes."""
    return {
        "counts": Counter(r.status for r in results),
        "faces": sum(r.faces for r in results),
        "frames": sum(r.frames for r in results),
        "problems": [r for r in results if r.status in (FAILED, PARTIAL)],
        "silent": Counter(r.silent for r in results if r.silent),
    }


def write_manifest(
    ledger: Ledger, results: Sequence[FileResult], unread: Mapping[str, str] = MappingProxyType({})
) -> None:
    """manifest.csv: what became of each file, what its outputs' names begin with, what is ignored.

    ``unread`` says why files that look like media are not read.
    """
    ignored = [FileResult(file, IGNORED, reason=reason) for file, reason in unread.items()]
    with (
        ledger.result(MANIFEST) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = CsvRows(file)
        writer.writerow(["file", "status", "faces", "reason", "seconds", "output"])
        for r in sorted([*results, *ignored], key=lambda r: r.file):
            name = "" if r.status == IGNORED else r.output or r.file
            writer.writerow([r.file, r.status, r.faces, r.reason, f"{r.seconds:.3f}", name])


def read_unread(folder: Path) -> dict[str, str]:
    """Of its manifest.csv, the files that are ignored, and why; none where it cannot be read."""
    try:
        with (folder / MANIFEST).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return {}
    ignored = [r for r in rows if r.get("status") == IGNORED and r.get("file")]
    return {r["file"]: r.get("reason") or "" for r in ignored}


def write_run(
    options: BatchOptions | MergeOptions,
    model: str,
    scheme: str,
    report: Report,
    ledger: Ledger,
    started: float,
    root: str,
) -> None:
    """run.json: everything needed to know later how the results came about."""
    values: dict[str, Any] = {
        "input": root,
        "options": asdict(options),
        "versions": _versions(),
        "platform": platform.platform(),
        "model": model,
        "runtime": report.runtime,
        "scheme": scheme,
        "files": dict(report.counts),
        "faces": report.faces,
        "frames": report.frames,
        "ignored": dict(report.ignored),
        "interrupted": report.interrupted,
        "exit_code": report.exit_code,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(started)),
        "seconds": round(time.time() - started, 3),
    }
    with ledger.result(RUN) as temporary:
        text = json.dumps(values, indent=1, default=str, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def read_run(folder: Path) -> dict[str, Any] | None:
    """What `write_run` wrote; None if there is none that can be read."""
    try:
        values: dict[str, Any] = json.loads((folder / RUN).read_text(encoding="utf-8"))
        return values
    except (OSError, ValueError):
        return None


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"kpcli": __version__, "python": platform.python_version()}
    for name in ("numpy", "opencv-python", "pillow", "av", "keras", "tensorflow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
