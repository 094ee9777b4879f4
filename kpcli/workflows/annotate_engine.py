"""Run the units of a job: in this process, or in several that may hang or die, here or afar."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from kpcli.detectors import create_detector
from kpcli.errors import ModelError, UsageError
from kpcli.model_bundle import ModelBundle
from kpcli.options import ENGINES, RAY, AnnotateOptions
from kpcli.runtimes import AUTO, usable
from kpcli.sources.folder import is_video
from kpcli.workflows.annotate_faces import FaceAnnotator
from kpcli.workflows.annotate_unit import Job, Unit, UnitResult, run_unit
from kpcli.workflows.looks import FacePredictor

MUCH_WORK = 64
"""From so many pictures on, starting processes pays."""
A_VIDEO = 32
"""Pictures whose work a video may be."""


def check_engine(name: str) -> None:
    """See that units can be run so.

    Raises
    ------
    UsageError
        If there is no such engine.
    ModelError
        If its library is not installed.
    """
    if name not in ENGINES:
        raise UsageError(f"unknown engine {name!r}", expected=", ".join(ENGINES))
    if name == RAY and find_spec("ray") is None:
        raise ModelError(
            "--engine ray needs Ray, which is not installed",
            next_step="pip install 'kpcli[ray]', on all nodes of the cluster",
        )


def run_units(
    units: Sequence[Unit], job: Job, predictor: FacePredictor | None
) -> Iterator[UnitResult]:
    """The results of all units, as they get done."""
    if job.options.engine == RAY:
        from kpcli.workflows.annotate_ray import run_ray

        return run_ray(units, job, predictor)
    workers = _workers(units, job.options, predictor)
    if workers <= 1:
        return run_serial(units, job, predictor)
    from kpcli.workflows.annotate_pool import run_pool

    return run_pool(units, job, predictor, workers)


def _workers(
    units: Sequence[Unit], options: AnnotateOptions, predictor: FacePredictor | None
) -> int:
    if options.workers:
        return min(options.workers, len(units))
    if predictor is not None or _runtime(options) == "keras":
        return 1  # Keras takes seconds and hundreds of megabytes to start, and uses every core
    work = sum(A_VIDEO if is_video(Path(f)) else 1 for unit in units for f in unit.files)
    return min(cores(), len(units)) if work >= MUCH_WORK else 1


def _runtime(options: AnnotateOptions) -> str:
    if options.runtime != AUTO:
        return options.runtime
    return next(iter(usable(ModelBundle.open(options.model))), "")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_annotator(options: AnnotateOptions, predictor: FacePredictor | None) -> FaceAnnotator:
    """Detector and predictor, ready to work."""
    detector = create_detector(options.detector, options.detect_size)
    if predictor is None:
        from kpcli.predictor import Predictor

        predictor = Predictor(ModelBundle.open(options.model), options.runtime)
    return FaceAnnotator(detector, predictor, options)


class _Overtime(BaseException):
    """The file in work takes too long; no handler of errors may swallow it."""


def run_serial(
    units: Sequence[Unit], job: Job, predictor: FacePredictor | None
) -> Iterator[UnitResult]:
    """One unit after the other, here; a file over time is given up, its unit run again."""
    annotator = make_annotator(job.options, predictor)
    queue = deque(units)
    with _alarm(job.options.timeout) as clock:
        while queue:
            unit = queue.popleft()
            try:
                result = run_unit(unit, job, annotator, clock.restart)
            except _Overtime:
                queue.appendleft(give_up(unit, clock.file, overtime(job.options.timeout)))
                continue
            finally:
                clock.stop()
            yield result


def give_up(unit: Unit, file: str, reason: str) -> Unit:
    """The same unit, which will not try this file."""
    return replace(unit, given_up={**unit.given_up, file: reason})


def overtime(timeout: float) -> str:
    """Why a file was given up."""
    return f"given up: no progress in {timeout:g} s (--timeout)"


class _Clock:
    """An alarm that every sign of life sets back; without signals, it never rings."""

    def __init__(self, timeout: float) -> None:
        main = threading.current_thread() is threading.main_thread()
        self.rings = timeout > 0 and main and hasattr(signal, "setitimer")
        self._timeout = timeout
        self.file = ""

    def restart(self, file: str) -> None:
        self.file = file
        if self.rings:
            signal.setitimer(signal.ITIMER_REAL, self._timeout)

    def stop(self) -> None:
        if self.rings:
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def _alarm(timeout: float) -> Iterator[_Clock]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise _Overtime

    clock = _Clock(timeout)
    if not clock.rings:
        yield clock
        return
    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield clock
    finally:
        clock.stop()
        signal.signal(signal.SIGALRM, before)
