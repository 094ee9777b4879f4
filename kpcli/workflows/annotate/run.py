"""Annotate pictures and videos: landmarks.csv, overlays, manifest, run.json and other formats."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from kpcli.catalogue import DETECTORS
from kpcli.detectors import create_detector
from kpcli.detectors.boxes_file import BoxesFile
from kpcli.drawing import Style
from kpcli.errors import UsageError, shown
from kpcli.inference.suitability import check_detector
from kpcli.inference.upright import FacePredictor
from kpcli.model_bundle import ModelBundle
from kpcli.options import SMOOTHINGS, AnnotateOptions
from kpcli.progress import progress
from kpcli.sources.folder import is_video
from kpcli.workflows.annotate.crops import OUTPUT as CROPS
from kpcli.workflows.annotate.engines.choose import check_engine, run_chunks
from kpcli.workflows.annotate.formats import check_formats, outputs, unasked, write_formats
from kpcli.workflows.annotate.ledger import OVERLAYS, Ledger
from kpcli.workflows.annotate.plan import Plan, make_plan, read_besides, settings
from kpcli.workflows.annotate.report import Report, make_report, many, write_manifest, write_run
from kpcli.workflows.annotate.work import Chunk, Job
from kpcli.writers.frame_pictures import OUTPUT as IMAGES
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
    if options.dry_run:
        return dry_run(options)
    started = time.time()
    style = _check_names(options)
    plan = make_plan(options)
    bundle = None if predictor else ModelBundle.open(options.model)
    card = predictor.card if predictor else ModelBundle.open(options.model).card
    check_detector(card, options.detector)
    style.check(card.landmark_scheme)
    _check_boxes(plan, options)
    ledger = _ledger(options, plan)
    now = settings(options, plan, card, bundle)
    ledger.open(now, resume=options.resume, overwrite=options.overwrite)
    try:
        before = ledger.landmarks()
        interrupted, runtime = _work(plan, options, ledger, predictor)
        scheme = card.landmark_scheme
        results = ledger.finish(header(scheme.n_points, optional(options, scheme)), plan.files)
        stale = 0 if interrupted else ledger.drop_pictures(results)
        if ledger.landmarks() != before:  # what earlier runs made of other rows is no longer true
            stale += ledger.drop(unasked(options.formats, measures=options.measures))
        written = write_formats(options.formats, ledger, scheme, results)
        report = make_report(
            options.out,
            results,
            planned=len(plan.files),
            ignored=plan.ignored,
            written=written.paths,
            unwritten=written.failed,
            overlays=options.overlays,
            stale=stale + written.stale,
            interrupted=interrupted,
            runtime=runtime,
            unread=len(plan.unread),
        )
        write_manifest(ledger, results, plan.unread)
        root = str(plan.root.resolve())
        write_run(options, card.name, scheme.name, report, ledger, started, root)
        return report
    finally:
        ledger.close()


def _check_boxes(plan: Plan, options: AnnotateOptions) -> None:
    """Refuse a CSV of boxes that names none of the files; of a shard's few it may name none."""
    if options.shard == (1, 1) and options.detector.partition(":")[0] == "boxes_file":
        detector = create_detector(options.detector)
        if isinstance(detector, BoxesFile):
            detector.check(plan.root / file for file in plan.files)


def _check_names(options: AnnotateOptions) -> Style:
    """A wrong name fails before all else; what overlays show."""
    DETECTORS.load(options.detector.partition(":")[0])
    check_formats(options.formats)
    check_engine(options.engine)
    if options.smooth not in SMOOTHINGS:
        raise UsageError(f"unknown smoothing {options.smooth!r}", expected=", ".join(SMOOTHINGS))
    return Style.of(options.draw, options.draw_size)


def _ledger(options: AnnotateOptions, plan: Plan) -> Ledger:
    """The output folder, in which nothing is that the run reads."""
    pictures = [OVERLAYS] * options.overlays + [IMAGES] * options.frames_out
    pictures += [CROPS] * options.crops
    tables = outputs(options.formats, measures=options.measures)
    ledger = Ledger(options.out, [*pictures, *tables])
    ledger.outputs.spare([plan.root / file for file in plan.files])
    ledger.outputs.spare(read_besides(options))
    return ledger


def dry_run(options: AnnotateOptions) -> Report:
    """A report with a plan of what `annotate` would do; nothing is written."""
    style = _check_names(options)
    plan = make_plan(options)
    bundle = ModelBundle.open(options.model)
    check_detector(bundle.card, options.detector)
    style.check(bundle.card.landmark_scheme)
    ledger = _ledger(options, plan)
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
    nothing = make_report(
        options.out,
        [],
        planned=left,
        ignored=plan.ignored,
        written=(),
        unwritten={},
        overlays=False,
    )
    return replace(nothing, plan=[shown(line) for line in lines])


def _work(
    plan: Plan, options: AnnotateOptions, ledger: Ledger, predictor: FacePredictor | None
) -> tuple[bool, str]:
    """Do all that is not done; whether Ctrl-C stopped it, and what ran the model."""
    chunks = plan.chunks(_finished(ledger, plan))
    job = Job(options, plan.root, ledger.staging, plan.names)
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
        if result.finished
        and result.unchanged(plan.root / file)
        and result.output == plan.names.get(file, "")
    }


def _commits(
    chunks: Sequence[Chunk], job: Job, ledger: Ledger, predictor: FacePredictor | None
) -> Generator[str]:
    """Commit the chunks; for every file of theirs, what ran the model."""
    if chunks:
        for result in run_chunks(chunks, job, predictor):
            ledger.commit(result.rows, result.files)
            yield from (result.runtime for _ in result.files)
