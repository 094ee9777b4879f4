"""Annotate pictures and videos: landmarks.csv, overlays, manifest, run.json and other formats."""

from __future__ import annotations

import csv
import json
import platform
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kpcli import __version__
from kpcli.atomic import staged_path
from kpcli.catalogue import load
from kpcli.errors import EXIT_INTERRUPTED, EXIT_SOME_FAILED
from kpcli.model_bundle import ModelBundle, ModelCard
from kpcli.options import AnnotateOptions
from kpcli.progress import progress
from kpcli.sources.folder import is_video
from kpcli.workflows.annotate_engine import run_units
from kpcli.workflows.annotate_faces import FacePredictor
from kpcli.workflows.annotate_ledger import (
    DONE,
    FAILED,
    MANIFEST,
    NO_FACE,
    OVERLAYS,
    PARTIAL,
    RUN,
    SKIPPED,
    FileResult,
    Ledger,
)
from kpcli.workflows.annotate_plan import Plan, make_plan, settings
from kpcli.workflows.annotate_unit import Job, Unit
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS
from kpcli.writers.landmark_csv import header

_NAMED = 5
"""Problems that the summary spells out."""


@dataclass(frozen=True)
class Report:
    """What came of a run; owns the exit code."""

    out: Path
    overlays: bool
    planned: int
    counts: Counter[str]
    faces: int
    frames: int
    ignored: Counter[str]
    problems: Sequence[FileResult]
    interrupted: bool
    runtime: str

    @property
    def exit_code(self) -> int:
        """0 done; 5 some files failed or ended early; 130 interrupted."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_SOME_FAILED if self.counts[FAILED] or self.counts[PARTIAL] else 0

    def summary(self) -> str:
        """Plain words for the end of the run."""
        done = sum(self.counts.values())
        lines = [
            f"{_many(done, 'file')}, {_many(self.frames, 'frame')}, {_many(self.faces, 'face')}"
        ]
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
            lines.append(f"  {ignored} ignored, neither picture nor video: {kinds}")
        lines += [f"  {r.status}: {r.file}: {r.reason}" for r in self.problems[:_NAMED]]
        if len(self.problems) > _NAMED:
            lines.append(f"  ... and {len(self.problems) - _NAMED} more, see {MANIFEST}")
        if self.interrupted:
            left = self.planned - done
            lines.append(f"interrupted: {_many(left, 'file')} left; go on with --resume")
        if self.runtime:
            lines.append(f"model ran on: {self.runtime}")
        lines.append(f"landmarks: {self.out / LANDMARKS}")
        if self.overlays:
            lines.append(f"overlays:  {self.out / OVERLAYS}")
        return "\n".join(lines)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def annotate(options: AnnotateOptions, predictor: FacePredictor | None = None) -> Report:
    """Find faces and landmarks in all files of ``options`` and write what it asks for.

    Parameters
    ----------
    options : AnnotateOptions
    predictor : FacePredictor, optional
        Used instead of the model that ``options`` names.

    Raises
    ------
    KpcliError
        If the input, the output, the model or the detector cannot be used at all. What is wrong
        with single files stands in the report.
    """
    started = time.time()
    plan = make_plan(options)
    load("detector", options.detector.partition(":")[0])  # a wrong name fails before all else
    bundle = None if predictor else ModelBundle.open(options.model)
    card = predictor.card if predictor else ModelBundle.open(options.model).card
    ledger = Ledger.open(
        options.out,
        settings(options, plan, bundle),
        resume=options.resume,
        overwrite=options.overwrite,
    )
    try:
        interrupted, runtime = _work(plan, options, ledger, predictor)
        results = ledger.finish(header(card.landmark_scheme.n_points), plan.files)
        report = _report(options, plan, results, interrupted, runtime)
        _write_manifest(options.out / MANIFEST, ledger.staging, results)
        _write_run(options, card, report, ledger.staging, started)
        return report
    finally:
        ledger.close()


def dry_run(options: AnnotateOptions) -> str:
    """What `annotate` would do, a line a file; nothing is written."""
    plan = make_plan(options)
    load("detector", options.detector.partition(":")[0])
    bundle = ModelBundle.open(options.model)
    ledger = Ledger(options.out)
    ledger.check(
        settings(options, plan, bundle), resume=options.resume, overwrite=options.overwrite
    )
    finished = set() if options.overwrite else _finished(ledger, plan)
    lines = [f"{'finished' if file in finished else 'annotate'}  {file}" for file in plan.files]
    videos = sum(is_video(Path(file)) for file in plan.files)
    left = len(plan.files) - len(finished)
    lines.append(
        f"{_many(len(plan.files) - videos, 'picture')}, {_many(videos, 'video')}; "
        f"{left} to annotate with {options.model} and {options.detector} into {options.out}"
    )
    return "\n".join(lines)


def _work(
    plan: Plan, options: AnnotateOptions, ledger: Ledger, predictor: FacePredictor | None
) -> tuple[bool, str]:
    """Do all that is not done; whether Ctrl-C stopped it, and what ran the model."""
    units = plan.units(_finished(ledger, plan))
    job = Job(options, plan.root, ledger.staging)
    left = sum(len(unit.files) for unit in units)
    runtime = ""
    commits = _commits(units, job, ledger, predictor)
    try:
        for line in progress(commits, "annotate", left, "file"):
            runtime = line
    except KeyboardInterrupt:
        return True, runtime
    return False, runtime


def _finished(ledger: Ledger, plan: Plan) -> set[str]:
    """Files that need not be looked at again."""
    return {
        file
        for file, (result, _) in ledger.results().items()
        if result.finished and result.unchanged(plan.root / file)
    }


def _commits(
    units: Sequence[Unit], job: Job, ledger: Ledger, predictor: FacePredictor | None
) -> Iterator[str]:
    """Commit the units; for every file of theirs, what ran the model."""
    if units:
        for result in run_units(units, job, predictor):
            ledger.commit(result.rows, result.files)
            yield from (result.runtime for _ in result.files)


def _report(
    options: AnnotateOptions,
    plan: Plan,
    results: Sequence[FileResult],
    interrupted: bool,
    runtime: str,
) -> Report:
    return Report(
        out=options.out,
        overlays=options.overlays,
        planned=len(plan.files),
        counts=Counter(r.status for r in results),
        faces=sum(r.faces for r in results),
        frames=sum(r.frames for r in results),
        ignored=plan.ignored,
        problems=[r for r in results if r.status in (FAILED, PARTIAL)],
        interrupted=interrupted,
        runtime=runtime,
    )


def _write_manifest(path: Path, staging: Path, results: Iterable[FileResult]) -> None:
    with (
        staged_path(path, staging) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "status", "faces", "reason", "seconds"])
        for r in results:
            writer.writerow([r.file, r.status, r.faces, r.reason, f"{r.seconds:.3f}"])


def _write_run(
    options: AnnotateOptions, card: ModelCard, report: Report, staging: Path, started: float
) -> None:
    """Everything needed to know later how the results came about."""
    values: dict[str, Any] = {
        "options": asdict(options),
        "versions": _versions(),
        "platform": platform.platform(),
        "model": card.name,
        "runtime": report.runtime,
        "scheme": card.landmark_scheme.name,
        "files": dict(report.counts),
        "faces": report.faces,
        "frames": report.frames,
        "ignored": dict(report.ignored),
        "interrupted": report.interrupted,
        "exit_code": report.exit_code,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(started)),
        "seconds": round(time.time() - started, 3),
    }
    with staged_path(options.out / RUN, staging) as temporary:
        text = json.dumps(values, indent=1, default=str, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"kpcli": __version__, "python": platform.python_version()}
    for name in ("numpy", "opencv-python", "pillow", "av", "keras", "tensorflow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
