"""``kpcli train``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from kpcli.cli.terminal import say
from kpcli.options import LOSS_NAMES, PRECISIONS, SCHEDULES, AugmentOptions, TrainOptions
from kpcli.recipes import recipe_options

_D = TrainOptions(csv=Path(), out=Path())


def command(
    context: typer.Context,
    csv: Annotated[Path, typer.Argument(help="A CSV that `kpcli prepare` wrote.")],
    out: Annotated[Path, typer.Option(help="Run folder to make.")],
    recipe: Annotated[
        str | None, typer.Option(help="Start from the options of a shipped model's recipe.")
    ] = None,
    arch: Annotated[str, typer.Option(help="Architecture; see README for the names.")] = _D.arch,
    epochs: Annotated[int, typer.Option(min=1)] = _D.epochs,
    batch_size: Annotated[int, typer.Option(min=1)] = _D.batch_size,
    learning_rate: Annotated[float, typer.Option(min=0)] = _D.learning_rate,
    weight_decay: Annotated[float, typer.Option(min=0)] = _D.weight_decay,
    loss: Annotated[str, typer.Option(help=f"{', '.join(LOSS_NAMES)}.")] = _D.loss,
    soft_weight: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Weight of occluded points (COCO's v 1); below 1 they may "
            "slide along the outline.",
        ),
    ] = _D.soft_weight,
    schedule: Annotated[str, typer.Option(help=f"{', '.join(SCHEDULES)}.")] = _D.schedule,
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
        str,
        typer.Option(help="landmarks: tight box as kpcli's detectors give; csv: the CSV's box."),
    ] = _D.face_box,
    weights: Annotated[
        str, typer.Option(help="none, a Keras weights file or, for MobileNets, imagenet.")
    ] = _D.weights,
    init: Annotated[
        str | None, typer.Option(help="Bundle (or 'default') whose weights to start from.")
    ] = _D.init,
    precision: Annotated[str, typer.Option(help=f"{', '.join(PRECISIONS)}.")] = _D.precision,
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
    root: Annotated[
        Path | None, typer.Option(help="Where the pictures are, if not where the CSV says.")
    ] = _D.root,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with this run.")] = False,
) -> None:
    """Train a landmark model on a prepared CSV; the run folder then holds a model bundle."""
    options = TrainOptions(
        csv=csv, out=out, arch=arch, epochs=epochs, batch_size=batch_size,
        learning_rate=learning_rate, weight_decay=weight_decay, loss=loss, soft_weight=soft_weight,
        schedule=schedule,
        warmup_epochs=warmup_epochs, ema=ema, clip_norm=clip_norm, patience=patience, val=val,
        seed=seed, crop_scale=crop_scale, face_box=face_box, weights=weights, init=init,
        precision=precision, augment=AugmentOptions(strength=augment), negatives=negatives,
        faces=faces, cache_mb=cache_mb, resume=resume, root=root,
    )  # fmt: skip
    if recipe is not None:
        given = {name for name in context.params if _is_given(context, name)}
        values = {k: v for k, v in recipe_options(recipe).items() if k not in given}
        options = replace(options, **values)
    from kpcli.workflows.train import train

    bundle = train(options, say=say)
    say(f"model: {bundle.path}")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")
