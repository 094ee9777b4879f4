"""Which engine does a run: this process, several of this machine, or a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from kpcli.batch.chunks import Chunk, ChunkResult, Job
from kpcli.batch.engines.serial import run_serial
from kpcli.errors import ModelError, UsageError
from kpcli.inference.upright import FacePredictor
from kpcli.options import ENGINES, LOCAL, RAY
from kpcli.sources.folder import is_video

MUCH_WORK = 64
"""Pictures from which on starting processes pays."""

A_VIDEO = 32
"""Pictures that a video counts for when work is weighed."""


def check_engine(name: str) -> None:
    """See that chunks can be run so.

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
            next_step="pip install ray, on all nodes of the cluster",
        )


def run_chunks(
    chunks: Sequence[Chunk], job: Job, predictor: FacePredictor | None, engine: str = LOCAL
) -> Iterator[ChunkResult]:
    """The results of all chunks, as they get done."""
    if engine == RAY:
        from kpcli.batch.engines.ray import run_ray

        return run_ray(chunks, job, predictor)
    workers = _workers(chunks, job, predictor)
    if workers <= 1:
        return run_serial(chunks, job, predictor)
    from kpcli.batch.engines.processes import run_pool

    return run_pool(chunks, job, predictor, workers)


def _workers(chunks: Sequence[Chunk], job: Job, predictor: FacePredictor | None) -> int:
    if job.options.workers:
        return min(job.options.workers, len(chunks))
    if job.heavy(predictor):
        return 1
    work = sum(A_VIDEO if is_video(Path(f)) else 1 for chunk in chunks for f in chunk.files)
    return min(cores(), len(chunks)) if work >= MUCH_WORK else 1


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
