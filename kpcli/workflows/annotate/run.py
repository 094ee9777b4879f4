"""Annotate pictures and videos: landmarks.csv, overlays, manifest, run.json and other formats."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from kpcli.catalogue import DETECTORS
from kpcli.errors import UsageError
from kpcli.inference.upright import FacePredictor
from kpcli.model_bundle import ModelBundle
from kpcli.options import SMOOTHINGS, AnnotateOptions
from kpcli.progress import progress
from kpcli.sources.folder import is_video
from kpcli.workflows.annotate.engines.choose import check_engine, run_chunks
from kpcli.workflows.annotate.formats import check_formats, outputs, write_formats
from kpcli.workflows.annotate.ledger import MANIFEST, Ledger
from kpcli.workflows.annotate.plan import Plan, make_plan, settings
from kpcli.workflows.annotate.report import Report, make_report, many, write_manifest, write_run
from kpcli.workflows.annotate.work import Chunk, Job
from kpcli.writers.landmark_csv import header, optional


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
    _check_names(options)
    plan = make_plan(options)
    bundle = None if predictor else ModelBundle.open(options.model)
    card = predictor.card if predictor else ModelBundle.open(options.model).card
    ledger = Ledger(options.out, outputs())
    now = settings(options, plan, card, bundle)
    ledger.open(now, resume=options.resume, overwrite=options.overwrite)
    try:
        interrupted, runtime = _work(plan, options, ledger, predictor)
        scheme = card.landmark_scheme
        results = ledger.finish(header(scheme.n_points, optional(options, scheme)), plan.files)
        written = write_formats(options.formats, options.out, ledger.staging, scheme, results)
        report = make_report(
            options.out,
            results,
            planned=len(plan.files),
            ignored=plan.ignored,
            written=written,
            overlays=options.overlays,
            interrupted=interrupted,
            runtime=runtime,
        )
        write_manifest(options.out / MANIFEST, ledger.staging, results)
        write_run(options, card.name, scheme.name, report, ledger.staging, started)
        return report
    finally:
        ledger.close()


def _check_names(options: AnnotateOptions) -> None:
    """A wrong name fails before all else."""
    DETECTORS.load(options.detector.partition(":")[0])
    check_formats(options.formats)
    check_engine(options.engine)
    if options.smooth not in SMOOTHINGS:
        raise UsageError(f"unknown smoothing {options.smooth!r}", expected=", ".join(SMOOTHINGS))


def dry_run(options: AnnotateOptions) -> str:
    """What `annotate` would do, a line a file; nothing is written."""
    _check_names(options)
    plan = make_plan(options)
    bundle = ModelBundle.open(options.model)
    ledger = Ledger(options.out)
    ledger.check(
        settings(options, plan, bundle.card, bundle),
        resume=options.resume,
        overwrite=options.overwrite,
    )
    finished = set() if options.overwrite else _finished(ledger, plan)
    lines = [f"{'finished' if file in finished else 'annotate'}  {file}" for file in plan.files]
    videos = sum(is_video(Path(file)) for file in plan.files)
    left = len(plan.files) - len(finished)
    lines.append(
        f"{many(len(plan.files) - videos, 'picture')}, {many(videos, 'video')}; "
        f"{left} to annotate with {options.model} and {options.detector} into {options.out}"
    )
    return "\n".join(lines)


def _work(
    plan: Plan, options: AnnotateOptions, ledger: Ledger, predictor: FacePredictor | None
) -> tuple[bool, str]:
    """Do all that is not done; whether Ctrl-C stopped it, and what ran the model."""
    chunks = plan.chunks(_finished(ledger, plan))
    job = Job(options, plan.root, ledger.staging)
    left = sum(len(chunk.files) for chunk in chunks)
    runtime = ""
    with closing(_commits(chunks, job, ledger, predictor)) as commits:
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
    chunks: Sequence[Chunk], job: Job, ledger: Ledger, predictor: FacePredictor | None
) -> Generator[str]:
    """Commit the chunks; for every file of theirs, what ran the model."""
    if chunks:
        for result in run_chunks(chunks, job, predictor):
            ledger.commit(result.rows, result.files)
            yield from (result.runtime for _ in result.files)
