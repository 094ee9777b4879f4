"""Anonymise pictures and videos: covered copies, covers.csv, leaks.csv, manifest, run.json."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kpcli.batch.ledger import Ledger
from kpcli.batch.outcome import FileResult
from kpcli.batch.plan import Plan, all_files, make_plan, settings
from kpcli.batch.report import counted, write_manifest, write_run
from kpcli.batch.run import dry_lines, work
from kpcli.detectors.builtin import BUNDLE
from kpcli.errors import UsageError
from kpcli.model_bundle import ModelBundle
from kpcli.options import COVERS as HOW
from kpcli.options import AnonymiseOptions
from kpcli.workflows.anonymise.copies import OUTPUT as COPIES
from kpcli.workflows.anonymise.leaks import SHEET, TABLE, doubtful, write_sheet, write_table
from kpcli.workflows.anonymise.report import Report
from kpcli.workflows.anonymise.rows import OUTPUT as COVERS
from kpcli.workflows.anonymise.rows import header, read
from kpcli.workflows.anonymise.selection import Selector
from kpcli.workflows.anonymise.work import COMMAND, AnonymiseJob


def anonymise(options: AnonymiseOptions) -> Report:
    """Write a covered copy of every picture and video, and what to look at before it is given away.

    Raises
    ------
    KpcliError
        If the input, the output, a CSV or the detector cannot be used at all. What is wrong with
        single files stands in the report.
    """
    started = time.time()
    _check(options)
    plan = make_plan(options)
    Selector(options).check(plan.files)
    bundle = ModelBundle.open(BUNDLE)
    ledger = _ledger(options, plan)
    now = settings(options, plan, "", bundle, _read_besides(options))
    if options.dry_run:
        return _dry_run(options, plan, ledger, now)
    ledger.open(now, resume=options.resume, overwrite=options.overwrite)
    try:
        job = AnonymiseJob(options, plan.root, ledger.staging, plan.names)
        interrupted, _ = work(plan, job, ledger, verb=COMMAND)
        results = ledger.finish(header(), plan.files)
        stale = 0 if interrupted else _drop_copies(ledger, results)
        found = _write_leaks(ledger, results)
        report = Report(
            out=options.out, planned=len(plan.files), ignored=plan.ignored, stale=stale,
            interrupted=interrupted, unread=len(plan.unread), doubtful=len(found),
            bare=found.count(False), **counted(results),
        )  # fmt: skip
        write_manifest(ledger, results, plan.unread)
        write_run(options, BUNDLE, "", report, ledger, started, str(plan.root.resolve()))
        return report
    finally:
        ledger.close()


def _check(options: AnonymiseOptions) -> None:
    """Wrong options fail before all else."""
    if options.how not in HOW:
        raise UsageError(f"unknown cover {options.how!r}", expected=", ".join(HOW))
    if options.only and (options.keep or options.also):
        raise UsageError("--only goes with neither --keep nor --also: it names all that is covered")


def _read_besides(options: AnonymiseOptions) -> list[Path]:
    return [path for path in (options.keep, options.only, options.also) if path]


def _ledger(options: AnonymiseOptions, plan: Plan) -> Ledger:
    """The output folder, in which nothing is that the run reads."""
    ledger = Ledger(options.out, [COPIES, TABLE, SHEET], COMMAND, COVERS)
    ledger.outputs.spare([plan.root / file for file in plan.files])
    ledger.outputs.spare(all_files(_read_besides(options)))
    return ledger


def _dry_run(options: AnonymiseOptions, plan: Plan, ledger: Ledger, now: Any) -> Report:
    """A report with a plan of what would be done; nothing is written."""
    ledger.check(now, resume=options.resume, overwrite=options.overwrite)
    how = f"by {options.how}"
    left, lines = dry_lines(plan, ledger, COMMAND, how, overwrite=options.overwrite)
    return Report(out=options.out, planned=left, ignored=plan.ignored, plan=lines, **counted([]))


def _drop_copies(ledger: Ledger, results: Sequence[FileResult]) -> int:
    """Remove copies of files that are gone, or failed now; how many went."""
    there = {r.overlay for r in results}
    names = [n for n in ledger.outputs.names() if n.startswith(f"{COPIES}/") and n not in there]
    return len(ledger.outputs.remove(names))


def _write_leaks(ledger: Ledger, results: Sequence[FileResult]) -> list[bool]:
    """leaks.csv and, if there is something to see, leaks.jpg; whether each row is covered."""
    rows = doubtful(read(ledger.out / COVERS))
    with ledger.result(TABLE) as temporary:
        write_table(temporary, rows)
    ledger.drop([SHEET])
    if any(r.overlay for r in results) and rows:
        with ledger.result(SHEET) as temporary:
            write_sheet(temporary, rows, ledger.out, results)
    return [row.covered for row in rows]
