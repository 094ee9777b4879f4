"""``kpcli eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.catalogue import DETECTORS, RUNTIMES
from kpcli.options import EvalOptions, ReportOptions

_D = EvalOptions(csv=Path())


def command(
    csv: Annotated[Path, typer.Argument(help="A CSV that `kpcli prepare` wrote.")],
    split: Annotated[str, typer.Option(help="The rows to score.")] = _D.split,
    model: Annotated[
        str, typer.Option(help="A model bundle's folder, or an embedded model's name.")
    ] = _D.model,
    protocol: Annotated[
        str | None,
        typer.Option(help="Normaliser: ocular, pupil or box.", show_default="the scheme's"),
    ] = _D.protocol,
    cut: Annotated[
        float | None,
        typer.Option(help="Error in percent that counts as failed.", show_default="by protocol"),
    ] = _D.cut,
    boxes: Annotated[
        str, typer.Option(help=f"labels, or a detector: {', '.join(DETECTORS)}.")
    ] = _D.boxes,
    detect_size: Annotated[
        int, typer.Option(min=64, help="Long side, pixels, at which a detector looks for faces.")
    ] = _D.detect_size,
    out: Annotated[
        Path | None, typer.Option(help="Report folder.", show_default="eval_<CSV>_<split>")
    ] = _D.out,
    root: Annotated[
        Path | None, typer.Option(help="Where the pictures are, if not where the CSV says.")
    ] = _D.root,
    runtime: Annotated[
        str, typer.Option(help=f"Library that runs the model: auto, {', '.join(RUNTIMES)}.")
    ] = _D.runtime,
    tta: Annotated[
        str, typer.Option(help="none, or flip: each face is looked at mirrored too, and averaged.")
    ] = _D.tta,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Resamples of the interval; 0: none.")
    ] = _D.bootstrap,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = _D.seed,
) -> None:
    """Score a model on one split: NME, failure rate, AUC, a CED plot, the worst faces."""
    from kpcli.errors import UsageError

    if cut is not None and not cut > 0:
        raise UsageError("--cut", expected="a percentage above 0", actual=f"{cut:g}")
    options = EvalOptions(
        csv=csv, split=split, model=model, protocol=protocol, cut=cut, boxes=boxes,
        detect_size=detect_size, out=out, root=root, runtime=runtime, tta=tta,
        bootstrap=bootstrap,
        seed=seed,
    )  # fmt: skip
    from kpcli.workflows.evaluate.run import evaluate, folder
    from kpcli.workflows.report.run import check_place, report

    page = ReportOptions((folder(options),))
    check_place(page)
    evaluation = evaluate(options, say=typer.echo)
    typer.echo(f"page: {report(page)}")
    if evaluation.exit_code:
        raise typer.Exit(evaluation.exit_code)
