"""Join the outputs of `kpcli annotate --shard i/n` to what one run would have written."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from kpcli.batch.ledger import Ledger
from kpcli.batch.outcome import DONE, NO_FACE, PARTIAL, FileResult
from kpcli.batch.report import read_run, read_unread, write_manifest, write_run
from kpcli.errors import InputError, UsageError
from kpcli.options import MergeOptions
from kpcli.schemes import LandmarkScheme, key_of
from kpcli.workflows.annotate.crops import OUTPUT as CROPS
from kpcli.workflows.annotate.formats import check_formats, outputs, write_formats
from kpcli.workflows.annotate.overlays import OVERLAYS
from kpcli.workflows.annotate.report import Report, make_report
from kpcli.writers.frame_pictures import OUTPUT as IMAGES
from kpcli.writers.landmark_csv import OUTPUT as LANDMARKS

_OWN = ("shard", "input")
"""Settings in which shards may differ: other machines see the folder elsewhere."""


def merge(options: MergeOptions) -> Report:
    """Write the joined output; the shards stay as they are.

    Raises
    ------
    UsageError
        If the output folder is a shard, or lies in one.
    InputError
        If a folder is no finished shard, one is missing or there twice, they do not belong
        together, or one names files that lie elsewhere.
    """
    started = time.time()
    check_formats(options.formats)
    shards = [Ledger(path) for path in options.shards]
    settings = _common_settings(shards)
    _check_apart(options)
    results = [[r for r, _ in shard.results().values()] for shard in shards]
    runs = [_finished_run(s.out, len(mine)) for s, mine in zip(shards, results, strict=True)]
    for shard, mine in zip(shards, results, strict=True):
        _check_names(shard.out, mine)
    pictures = [OVERLAYS] * settings["overlays"] + [IMAGES] * settings["frames_out"]
    pictures += [CROPS] * settings["crops"]
    tables = outputs(options.formats, measures=settings["measures"])
    ledger = Ledger(options.out, [*pictures, *tables])
    ledger.open(settings, resume=False, overwrite=options.overwrite)
    try:
        for shard, mine in zip(shards, results, strict=True):
            _take_pictures(shard, mine, ledger)
            rows = ledger.staging / "rows.csv"
            shutil.copyfile(shard.out / LANDMARKS, rows)
            ledger.commit(rows, mine)
        unread = {name: why for shard in shards for name, why in read_unread(shard.out).items()}
        with (shards[0].out / LANDMARKS).open("rb") as file:
            header = file.readline()
        files = sorted(r.file for mine in results for r in mine)
        joined = ledger.finish(header, files)
        return _write(options, settings, ledger, joined, runs, started, unread)
    finally:
        ledger.close()


def _write(
    options: MergeOptions,
    settings: Mapping[str, Any],
    ledger: Ledger,
    results: Sequence[FileResult],
    runs: Sequence[Mapping[str, Any]],
    started: float,
    unread: Mapping[str, str],
) -> Report:
    scheme = LandmarkScheme.from_json(settings["scheme"])
    written = write_formats(options.formats, ledger, scheme, results)
    ignored: Counter[str] = Counter(runs[0].get("ignored", {}))  # every shard saw all of them
    report = make_report(
        options.out, results, planned=len(results), ignored=ignored, written=written.paths,
        unwritten=written.failed, overlays=bool(settings["overlays"]), unread=len(unread),
    )  # fmt: skip
    write_manifest(ledger, results, unread)
    root = str(settings["input"])
    write_run(options, runs[0]["model"], key_of(scheme), report, ledger, started, root)
    return report


def _check_apart(options: MergeOptions) -> None:
    """A shard that is written to would be lost before it is read."""
    out = options.out.resolve()
    for shard in options.shards:
        if out.is_relative_to(shard.resolve()):
            raise UsageError(
                f"--out {options.out}: the shard {shard} lies there, and merge leaves it as it is",
                expected="a folder of its own",
                next_step="choose another --out",
            )


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
            f"{folder}: the run did not come to its end, or {LANDMARKS} was changed since",
            next_step="finish it by the same command with --resume",
        )
    return run


def _check_names(folder: Path, results: Sequence[FileResult]) -> None:
    """Shards come from other machines: no name of theirs may lead out of the output folder."""
    for result in results:
        overlay = result.overlay.removeprefix(f"{OVERLAYS}/")
        for name in (result.file, result.output or result.file, overlay or result.file):
            if not _stays(name) or (result.overlay and overlay == result.overlay):
                raise InputError(
                    f"{folder}: the shard names a file outside of its folder",
                    expected="names relative to the annotated folder",
                    actual=repr(name),
                )


_COPIED = (f"{IMAGES}/", f"{CROPS}/")


def _stays(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and "\0" not in name


def _take_pictures(shard: Ledger, results: Sequence[FileResult], ledger: Ledger) -> None:
    """Link the shard's pictures where the disk allows it, else copy; a lost overlay is told."""
    for result in results:
        if result.overlay and not shard.outputs.owns(result.overlay):
            result.overlay = ""
            result.status = PARTIAL if result.status in (DONE, NO_FACE) else result.status
            reason = "no overlay: the shard's is gone, or changed"
            result.reason = "; ".join(p for p in (result.reason, reason) if p)
    frames = [n for n in shard.outputs.names() if n.startswith(_COPIED) and _stays(n)]
    names = [r.overlay for r in results if r.overlay]
    names += [name for name in frames if shard.outputs.owns(name)]
    staged = []
    for number, name in enumerate(names):
        temporary = ledger.staging / f"picture-{number}"
        try:
            os.link(shard.out / name, temporary)
        except OSError:
            shutil.copyfile(shard.out / name, temporary)
        staged.append((temporary, name))
    for name, problem in ledger.outputs.publish(staged).items():
        raise InputError(f"{ledger.out / name}: cannot be written", actual=str(problem))
