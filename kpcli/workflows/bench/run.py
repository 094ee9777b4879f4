"""kpcli bench: how fast kpcli is on this machine, part by part."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from kpcli.detectors import create_detector
from kpcli.detectors.builtin import BUNDLE
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.files import check_writable
from kpcli.images import read_image, write_image
from kpcli.inference.predictor import Predictor
from kpcli.model_bundle import LANDMARKS, ModelBundle
from kpcli.options import BenchOptions
from kpcli.outputs import Outputs
from kpcli.plug_ins import Detector
from kpcli.runtimes import choice, usable
from kpcli.sources.folder import is_video, list_media
from kpcli.types import Frame, Pixels
from kpcli.version import __version__
from kpcli.workflows.bench.machine import machine

BATCHES = (1, 16)
BUILTIN = "builtin"
MOST_PICTURES = 16
PROCESSES = 2
"""Runs of each measurement that starts a process."""

FIRST_FACE = """
import sys
import numpy as np
from kpcli.model_bundle import ModelBundle
from kpcli.inference.predictor import Predictor
predictor = Predictor(ModelBundle.open(sys.argv[1]), sys.argv[2])
size = predictor.card.input_size
predictor.predict(np.zeros((1, size, size, 3), np.uint8))
"""


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one part: the least and the median of its runs."""

    part: str
    runtime: str
    per: str
    least_ms: float
    median_ms: float


def bench(options: BenchOptions, say: Callable[[str], None] = print) -> list[Timing]:
    """Measure, say the table, and write it as JSON if asked.

    Raises
    ------
    UsageError
        If a folder is named, which only a device profile has.
    InputError
        If a picture cannot be read, or the JSON not be written.
    ModelError
        If the bundle holds no landmark model that can be run here.
    """
    if options.out is not None:
        raise UsageError("out: only a device profile has it", next_step="for figures: json")
    bundle = ModelBundle.open(options.model)
    if bundle.card.task != LANDMARKS:
        raise ModelError(
            f"{options.model}: its task is {bundle.card.task!r}", expected=f"{LANDMARKS!r}"
        )
    if options.json is not None:
        check_writable(options.json)
        _outputs(options.json).check([options.json.name])
    with tempfile.TemporaryDirectory() as folder:
        timings = _measure(options, bundle, Path(folder), say)
    for line in _table(timings):
        say(line)
    if options.json is not None:
        _write(options.json, options, timings)
        say(f"figures: {options.json}")
    return timings


def _measure(
    options: BenchOptions, bundle: ModelBundle, folder: Path, say: Callable[[str], None]
) -> list[Timing]:
    files = _files(options, folder)
    pictures = [read_image(path) for path in files]
    detector = create_detector(options.detector)
    for line in _choices(options, bundle):
        say(line)
    timings = [_process([sys.executable, "-m", "kpcli", "--version"], "kpcli --version", "")]
    timings.append(_detector(detector, options, pictures))
    for runtime in usable(bundle):
        command = [sys.executable, "-c", FIRST_FACE, str(bundle.path), runtime]
        timings.append(_process(command, "process to first face", runtime))
        predictor = Predictor(bundle, runtime, options.threads)
        say(f"{runtime}: {predictor.runtime_line}")
        timings += [_model(predictor, runtime, batch, options.repeats) for batch in BATCHES]
        timings.append(_annotate(options, runtime, folder, files))
    of = f"{len(files)} pictures" if options.pictures else "drawn pictures, each taken as one face"
    say(f"{of}; detector {options.detector}; {machine()['cpu']}")
    return timings


def _choices(options: BenchOptions, bundle: ModelBundle) -> list[str]:
    """What ``--runtime auto`` takes, for the model and for a detector that has a choice."""
    lines = [f"{options.model}: {choice(bundle)}"]
    if options.detector == BUILTIN:
        lines.append(f"detector {BUILTIN}: {choice(ModelBundle.open(BUNDLE))}")
    return lines


def _files(options: BenchOptions, folder: Path) -> list[Path]:
    """The pictures to work on; drawn into ``folder`` if none are given."""
    files: list[Path] = []
    for path in options.pictures:
        files += _stills(path) if path.is_dir() else [path]
    if options.pictures and not files:
        raise InputError(f"{options.pictures[0]}: no pictures there")
    if not files:
        rng = np.random.default_rng(0)
        for i, noise in enumerate(rng.integers(0, 256, (4, 30, 40, 3), np.uint8)):
            files.append(folder / f"drawn_{i}.jpg")
            write_image(files[-1], np.asarray(cv2.resize(noise, (640, 480)), np.uint8))
    return files[:MOST_PICTURES]


def _stills(folder: Path) -> list[Path]:
    listed = [folder / name for name in list_media(folder).files]
    return [path for path in listed if not is_video(path)]


def _timed(work: Callable[[], object], repeats: int) -> list[float]:
    """Milliseconds of each of ``repeats`` runs."""
    took = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        took.append((time.perf_counter() - started) * 1000)
    return took


def _timing(part: str, runtime: str, per: str, took: Sequence[float], count: int = 1) -> Timing:
    each = [t / count for t in took]
    return Timing(part, runtime, per, round(min(each), 3), round(statistics.median(each), 3))


def _process(
    command: Sequence[str], part: str, runtime: str, per: str = "start", count: int = 1
) -> Timing:
    def start() -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            if done.returncode < 0:
                last = f"ended by signal {-done.returncode}"
            raise ModelError(f"{part} fails with {runtime or 'kpcli'}", actual=last)

    return _timing(part, runtime, per, _timed(start, PROCESSES), count)


def _detector(detector: Detector, options: BenchOptions, pictures: Sequence[Pixels]) -> Timing:
    def detect() -> None:
        for i, picture in enumerate(pictures):
            detector.detect([Frame.still(Path(f"{i}.png"), picture)])

    detect()
    took = _timed(detect, options.repeats)
    return _timing("detector", options.detector, "picture", took, len(pictures))


def _model(predictor: Predictor, runtime: str, batch: int, repeats: int) -> Timing:
    size = predictor.card.input_size
    crops = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
    predictor.predict(crops)
    took = _timed(lambda: predictor.predict(crops), max(repeats, 3))
    return _timing(f"model, batch {batch}", runtime, "face", took, batch)


def _annotate(options: BenchOptions, runtime: str, folder: Path, files: Sequence[Path]) -> Timing:
    """The real command on all pictures, from the start of its process to its end."""
    detector = options.detector if options.pictures else "whole_image"
    command = [
        *(sys.executable, "-m", "kpcli", "annotate", "file", *map(str, files)),
        *("--model", options.model, "--runtime", runtime, "--detector", detector),
        *("--out", str(folder / runtime), "--no-overlays", "--overwrite"),
    ]
    return _process(command, "annotate, whole process", runtime, "picture", len(files))


def _table(timings: Sequence[Timing]) -> list[str]:
    rows = [("part", "runtime", "least ms", "median ms", "per")]
    rows += [(t.part, t.runtime, f"{t.least_ms:.2f}", f"{t.median_ms:.2f}", t.per) for t in timings]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return [
        f"{r[0]:{widths[0]}}  {r[1]:{widths[1]}}  {r[2]:>{widths[2]}}  {r[3]:>{widths[3]}}  {r[4]}"
        for r in rows
    ]


def _write(path: Path, options: BenchOptions, timings: Sequence[Timing]) -> None:
    values = {
        "kpcli": __version__,
        "machine": machine(),
        "model": options.model,
        "detector": options.detector,
        "threads": options.threads,
        "pictures": [str(p) for p in options.pictures] or "drawn",
        "choices": _choices(options, ModelBundle.open(options.model)),
        "timings": [asdict(t) for t in timings],
    }
    with _outputs(path).replacing(path.name) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _outputs(path: Path) -> Outputs:
    return Outputs(path.parent, "bench")
