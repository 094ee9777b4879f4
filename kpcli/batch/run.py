"""Do what of a plan is not done yet, and commit it chunk by chunk."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from kpcli.batch.chunks import Chunk, Job
from kpcli.batch.engines.choose import run_chunks
from kpcli.batch.ledger import Ledger
from kpcli.batch.plan import Plan
from kpcli.batch.report import many
from kpcli.inference.upright import FacePredictor
from kpcli.options import LOCAL
from kpcli.progress import progress
from kpcli.sources.folder import is_video


def work(
    plan: Plan,
    job: Job,
    ledger: Ledger,
    predictor: FacePredictor | None = None,
    *,
    engine: str = LOCAL,
    verb: str = "annotate",
) -> tuple[bool, str]:
    """Do all that is not done; whether Ctrl-C stopped it, and what ran the model."""
    chunks = plan.chunks(ledger.finished(plan.root, plan.names))
    left = sum(len(chunk.files) for chunk in chunks)
    runtime = ""
    with closing(_commits(chunks, job, ledger, predictor, engine)) as commits:
        try:
            for line in progress(commits, verb, left, "file"):
                runtime = line
        except KeyboardInterrupt:
            return True, runtime
    return False, runtime


def _commits(
    chunks: Sequence[Chunk], job: Job, ledger: Ledger, predictor: FacePredictor | None, engine: str
) -> Generator[str]:
    """Commit the chunks; for every file of theirs, what ran the model."""
    if chunks:
        for result in run_chunks(chunks, job, predictor, engine):
            ledger.commit(result.rows, result.files)
            yield from (result.runtime for _ in result.files)


def dry_lines(
    plan: Plan, ledger: Ledger, verb: str, how: str, *, overwrite: bool
) -> tuple[int, list[str]]:
    """How many files are left to do, and what would be done, a line a file and one for all."""
    finished = set() if overwrite else ledger.finished(plan.root, plan.names)
    lines = [f"{'finished' if file in finished else verb}  {file}" for file in plan.files]
    videos = sum(is_video(Path(file)) for file in plan.files)
    left = len(plan.files) - len(finished)
    lines.append(
        f"{many(len(plan.files) - videos, 'picture')}, {many(videos, 'video')}; "
        f"{left} to {verb} {how} into {ledger.out}"
    )
    return left, lines
