"""Annotate pictures and videos: landmarks.csv, overlays, manifest, run.json and other formats."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kpcli.batch.engines.choose import check_engine
from kpcli.batch.ledger import Ledger
from kpcli.batch.plan import Plan, all_files, detector_files, digest_of, make_plan, settings
from kpcli.batch.report import write_manifest, write_run
from kpcli.batch.run import dry_lines, work
from kpcli.catalogue import DETECTORS
from kpcli.detectors import create_detector
from kpcli.detectors.boxes_file import BoxesFile
from kpcli.drawing import Style
from kpcli.drawing.style import STICKERS
from kpcli.errors import UsageError
from kpcli.inference.suitability import check_detector
from kpcli.inference.upright import FacePredictor
from kpcli.model_bundle import ModelBundle, ModelCard
from kpcli.options import SMOOTHINGS, AnnotateOptions
from kpcli.schemes import key_of
from kpcli.workflows.annotate.crops import OUTPUT as CROPS
from kpcli.workflows.annotate.formats import check_formats, outputs, unasked, write_formats
from kpcli.workflows.annotate.overlays import OVERLAYS, drop_pictures
from kpcli.workflows.annotate.report import Report, make_report
from kpcli.workflows.annotate.work import AnnotateJob
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
    plan = make_plan(options, options.shard)
    bundle = None if predictor else ModelBundle.open(options.model)
    card = predictor.card if predictor else ModelBundle.open(options.model).card
    check_detector(card, options.detector)
    style.check(card.landmark_scheme)
    _check_boxes(plan, options)
    ledger = _ledger(options, plan)
    now = _settings(options, plan, card, bundle)
    ledger.open(now, resume=options.resume, overwrite=options.overwrite)
    try:
        before = ledger.table()
        job = AnnotateJob(options, plan.root, ledger.staging, plan.names)
        interrupted, runtime = work(plan, job, ledger, predictor, engine=options.engine)
        scheme = card.landmark_scheme
        results = ledger.finish(header(scheme.n_points, optional(options, scheme)), plan.files)
        stale = 0 if interrupted else drop_pictures(ledger, results)
        if ledger.table() != before:  # what earlier runs made of other rows is no longer true
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
        write_run(options, card.name, key_of(scheme), report, ledger, started, root)
        return report
    finally:
        ledger.close()


def _settings(
    options: AnnotateOptions, plan: Plan, card: ModelCard, bundle: ModelBundle | None
) -> Mapping[str, Any]:
    common = settings(options, plan, card.scheme, bundle, detector_files(options.detector))
    return {**common, "sticker_files": digest_of(*_own_stickers(options))}


def _own_stickers(options: AnnotateOptions) -> list[Path]:
    """The folders of stickers that are the user's."""
    words = [word.partition(":") for word in options.draw] if options.overlays else []
    return [Path(folder) for kind, _, folder in words if kind == STICKERS and Path(folder).is_dir()]


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
    read = [Path(options.model), *detector_files(options.detector), *_own_stickers(options)]
    ledger.outputs.spare(all_files(read))
    return ledger


def dry_run(options: AnnotateOptions) -> Report:
    """A report with a plan of what `annotate` would do; nothing is written."""
    style = _check_names(options)
    plan = make_plan(options, options.shard)
    bundle = ModelBundle.open(options.model)
    check_detector(bundle.card, options.detector)
    style.check(bundle.card.landmark_scheme)
    ledger = _ledger(options, plan)
    ledger.check(
        _settings(options, plan, bundle.card, bundle),
        resume=options.resume,
        overwrite=options.overwrite,
    )
    how = f"with {options.model} and {options.detector}"
    left, lines = dry_lines(plan, ledger, "annotate", how, overwrite=options.overwrite)
    nothing = make_report(
        options.out,
        [],
        planned=left,
        ignored=plan.ignored,
        written=(),
        unwritten={},
        overlays=False,
    )
    return replace(nothing, plan=lines)
