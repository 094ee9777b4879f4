"""Join the outputs of `kpcli annotate --shard i/n` to what one run would have written."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kpcli.errors import InputError
from kpcli.options import MergeOptions
from kpcli.schemes import LandmarkScheme
from kpcli.workflows.annotate.formats import check_formats, outputs, write_formats
from kpcli.workflows.annotate.ledger import MANIFEST, OVERLAYS, FileResult, Ledger
from kpcli.workflows.annotate.report import Report, make_report, read_run, write_manifest, write_run
from kpcli.writers.frame_pictures import OUTPUT as IMAGES
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS

_OWN = ("shard", "input")
"""Settings in which shards may differ: other machines see the folder elsewhere."""


def merge(options: MergeOptions) -> Report:
    """Write the joined output; the shards stay as they are.

    Raises
    ------
    InputError
        If a folder is no finished shard, one is missing or there twice, or they do not belong
        together.
    """
    started = time.time()
    check_formats(options.formats)
    shards = [Ledger(path) for path in options.shards]
    settings = _common_settings(shards)
    results = [[r for r, _ in shard.results().values()] for shard in shards]
    runs = [_finished_run(s.out, len(mine)) for s, mine in zip(shards, results, strict=True)]
    ledger = Ledger(options.out, outputs())
    ledger.open(settings, resume=False, overwrite=options.overwrite)
    try:
        for shard, mine in zip(shards, results, strict=True):
            rows = ledger.staging / "rows.csv"
            shutil.copyfile(shard.out / LANDMARKS, rows)
            ledger.commit(rows, mine)
            for name in (OVERLAYS, IMAGES):
                _copy_pictures(shard.out / name, options.out / name)
        with (shards[0].out / LANDMARKS).open("rb") as file:
            header = file.readline()
        files = sorted(r.file for mine in results for r in mine)
        joined = ledger.finish(header, files)
        return _write(options, settings, ledger, joined, runs, started)
    finally:
        ledger.close()


def _write(
    options: MergeOptions,
    settings: Mapping[str, Any],
    ledger: Ledger,
    results: Sequence[FileResult],
    runs: Sequence[Mapping[str, Any]],
    started: float,
) -> Report:
    scheme = LandmarkScheme.from_json(settings["scheme"])
    written = write_formats(options.formats, options.out, ledger.staging, scheme, results)
    ignored: Counter[str] = Counter(runs[0].get("ignored", {}))  # every shard saw all of them
    report = make_report(
        options.out, results, planned=len(results), ignored=ignored, written=written,
        overlays=bool(settings["overlays"]),
    )  # fmt: skip
    write_manifest(options.out / MANIFEST, ledger.staging, results)
    write_run(options, runs[0]["model"], scheme.name, report, ledger.staging, started)
    return report


def _common_settings(shards: Sequence[Ledger]) -> dict[str, Any]:
    """What all shards were made with, and that all are there."""
    found = [_settings(shard) for shard in shards]
    first = found[0]
    for shard, other in zip(shards, found, strict=True):
        differing = [k for k in first if k not in _OWN and first[k] != other.get(k)]
        if differing or first["shard"][1] != other["shard"][1]:
            raise InputError(
                f"{shard.out}: made with other options than {shards[0].out}",
                actual=", ".join(differing) or "another number of shards",
                next_step="annotate all shards with the same options",
            )
    numbers = sorted(settings["shard"][0] for settings in found)
    count = first["shard"][1]
    if numbers != list(range(1, count + 1)):
        raise InputError(
            "these are not all shards, each once",
            expected=f"1 to {count} of {count}",
            actual=", ".join(str(n) for n in numbers),
        )
    return {**first, "shard": [1, 1]}


def _settings(shard: Ledger) -> dict[str, Any]:
    settings = shard.settings()
    if settings is None or "shard" not in settings:
        raise InputError(
            f"{shard.out}: not an output folder of kpcli annotate",
            expected="a folder that `kpcli annotate --shard i/n` wrote",
        )
    return settings


def _finished_run(folder: Path, files: int) -> Mapping[str, Any]:
    """Its run.json; the files that the state knows must be those that it counts."""
    run = read_run(folder)
    if run is None or run.get("interrupted") or sum(run["files"].values()) != files:
        raise InputError(
            f"{folder}: the run did not come to its end",
            next_step="finish it by the same command with --resume",
        )
    return run


def _copy_pictures(source: Path, target: Path) -> None:
    """Link where the disk allows it, else copy."""
    for folder, _, names in os.walk(source):
        there = target / Path(folder).relative_to(source)
        there.mkdir(parents=True, exist_ok=True)
        for name in names:
            try:
                os.link(Path(folder) / name, there / name)
            except OSError:
                shutil.copyfile(Path(folder) / name, there / name)
