"""``kpcli eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.catalogue import DETECTORS
from kpcli.cli.shared import DetectSize, Root, Runtime, values
from kpcli.options import EvalOptions, ProtocolName, ReportOptions, Tta

_D = EvalOptions(csv=Path())


def command(
    context: typer.Context,
    csv: Annotated[Path, typer.Argument(help="A CSV that `kpcli prepare` wrote.")],
    split: Annotated[str, typer.Option(help="The rows to score.")] = _D.split,
    protocol: Annotated[
        ProtocolName | None,
        typer.Option(help="What errors are divided by.", show_default="the scheme's"),
    ] = _D.protocol,
    cut: Annotated[
        float | None,
        typer.Option(help="Error in percent that counts as failed.", show_default="by protocol"),
    ] = _D.cut,
    boxes: Annotated[
        str, typer.Option(help=f"labels, or a detector: {', '.join(DETECTORS)}.")
    ] = _D.boxes,
    tta: Annotated[Tta, typer.Option(help="flip: look at each face mirrored too.")] = _D.tta,
    by: Annotated[
        list[str],
        typer.Option(
            help="Tell groups apart: dataset, subset, group, size, yaw or an attribute of the CSV."
        ),
    ] = [],  # noqa: B006
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Resamples of the interval; 0: none.")
    ] = _D.bootstrap,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = _D.seed,
    out: Annotated[
        Path | None, typer.Option(help="Report folder.", show_default="eval_<CSV>_<split>")
    ] = _D.out,
    model: Annotated[
        list[str],
        typer.Option(
            help="A model bundle's folder, or an embedded model's name; given several times, the "
            "others are compared with the first, face by face."
        ),
    ] = [_D.model],  # noqa: B006
    runtime: Runtime = _D.runtime,
    detect_size: DetectSize = _D.detect_size,
    root: Root = _D.root,
) -> None:
    """Score a model on one split: NME, failure rate, AUC, CED plot."""
    from kpcli.errors import UsageError

    if cut is not None and not cut > 0:
        raise UsageError("--cut", expected="a percentage above 0", actual=f"{cut:g}")
    from kpcli.library import evaluate
    from kpcli.workflows.evaluate.run import folder
    from kpcli.workflows.report.run import check_place, report

    page = ReportOptions((folder(EvalOptions(csv, split=split, out=out)),))
    check_place(page)
    evaluation = evaluate(verbose=True, **values(context, EvalOptions))
    typer.echo(f"page: {report(page).path}")
    if evaluation.exit_code:
        raise typer.Exit(evaluation.exit_code)
