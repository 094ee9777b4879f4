"""``kpcli train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.shared import ArchitectureName, Root, is_given, values
from kpcli.options import Loss, Precision, Schedule, TrainBox, TrainOptions

_D = TrainOptions(csv=Path(), out=Path())


def command(
    context: typer.Context,
    csv: Annotated[Path, typer.Argument(help="A CSV that `kpcli prepare` wrote.")],
    out: Annotated[Path, typer.Option(help="Run folder to make.")],
    recipe: Annotated[
        str | None, typer.Option(help="Start from the options of a shipped model's recipe.")
    ] = None,
    arch: Annotated[ArchitectureName, typer.Option(help="Architecture.")] = _D.arch,
    epochs: Annotated[int, typer.Option(min=1)] = _D.epochs,
    batch_size: Annotated[int, typer.Option(min=1)] = _D.batch_size,
    learning_rate: Annotated[float, typer.Option(min=0)] = _D.learning_rate,
    weight_decay: Annotated[float, typer.Option(min=0)] = _D.weight_decay,
    loss: Annotated[Loss, typer.Option(help="Of the points.")] = _D.loss,
    soft_weight: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Weight of occluded points (COCO's v 1); below 1 they may "
            "slide along the outline.",
        ),
    ] = _D.soft_weight,
    schedule: Annotated[Schedule, typer.Option(help="Of the learning rate.")] = _D.schedule,
    warmup_epochs: Annotated[float, typer.Option(min=0)] = _D.warmup_epochs,
    ema: Annotated[
        float, typer.Option(min=0, max=0.99999, help="Momentum of averaged weights; 0: off.")
    ] = _D.ema,
    clip_norm: Annotated[float, typer.Option(min=0, help="Gradient norm; 0: off.")] = _D.clip_norm,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after so many epochs without a better one; 0: never.")
    ] = _D.patience,
    val: Annotated[
        float,
        typer.Option(
            min=0, max=0.9, help="Share of train to validate on, if the CSV has no val rows."
        ),
    ] = _D.val,
    seed: Annotated[int, typer.Option(min=0)] = _D.seed,
    crop_scale: Annotated[
        float, typer.Option(min=0.5, help="Side of the crop over side of the face box.")
    ] = _D.crop_scale,
    face_box: Annotated[
        TrainBox,
        typer.Option(
            help="landmarks: tight box as kpcli's detectors give; dataset: the CSV's box; image: "
            "the whole picture."
        ),
    ] = _D.face_box,
    weights: Annotated[
        str, typer.Option(help="none, a Keras weights file or, for MobileNets, imagenet.")
    ] = _D.weights,
    init: Annotated[
        str | None, typer.Option(help="Bundle (or 'default') whose weights to start from.")
    ] = _D.init,
    precision: Annotated[Precision, typer.Option(help="Of the arithmetic.")] = _D.precision,
    augment: Annotated[
        float, typer.Option(min=0, help="Strength of augmentation; 0: off, 1: default.")
    ] = 1.0,
    negatives: Annotated[
        Path | None, typer.Option(help="CSV of boxes (widerface) to take faceless crops from.")
    ] = _D.negatives,
    faces: Annotated[
        Path | None,
        typer.Option(help="face_detector: CSV of 68-point faces, which teach the landmark box."),
    ] = _D.faces,
    cache_mb: Annotated[
        int, typer.Option(min=0, help="Memory for decoded faces, MiB.")
    ] = _D.cache_mb,
    root: Root = _D.root,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with this run.")] = False,
) -> None:
    """Train a model on a prepared CSV; the run folder then holds its bundle."""
    chosen = values(context, TrainOptions)
    given = {name for name in context.params if is_given(context, name)}
    if recipe is not None:  # which holds where the command line says nothing
        chosen = {k: v for k, v in chosen.items() if k in given}
    from kpcli.library import train

    bundle = train(verbose=True, given=given, **chosen)
    typer.echo(bundle.summary())
