"""Between the weights of two bundles of one lineage: which mean of them is best on val.

Usage: python tests/benchmarks/average_models.py FACES.csv NEW OLD OUT [--shares 1,0.75,0.5,0.25]

Each share s makes weights s * NEW + (1 - s) * OLD, batch statistics too; the one with the least
NME on FACES.csv's val rows is written to OUT, a bundle with NEW's card. Wortsman et al., "Robust
fine-tuning of zero-shot models", CVPR 2022: a fine-tuned model and what it came from lie in one
valley, and a point between them is often better than either.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from kpcli.dataset_csv import read_dataset, with_landmark_box
from kpcli.model_bundle import ModelBundle, ModelCard, write_card
from kpcli.runtimes.keras_runtime import compiled_call, load_model
from kpcli.training.faces import CropFormat, FaceStore
from kpcli.training.landmarks.batches import validation_arrays
from kpcli.training.landmarks.validation import Validation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("new")
    parser.add_argument("old")
    parser.add_argument("out", type=Path)
    parser.add_argument("--shares", default="1,0.75,0.5,0.25")
    options = parser.parse_args()
    new, old = ModelBundle.open(options.new), ModelBundle.open(options.old)
    card = new.card
    network = load_model(new.weights)
    ours, theirs = network.get_weights(), load_model(old.weights).get_weights()
    validation = measurement(card, network, options.csv)
    best: tuple[float, float, dict[str, float]] | None = None
    for share in map(float, options.shares.split(",")):
        mixed = [share * a + (1 - share) * b for a, b in zip(ours, theirs, strict=True)]
        network.set_weights(mixed)
        row = validation()
        print(
            f"{share:g}: val NME {row['val_nme']:.4f} %, above the cut "
            f"{row['val_failure_rate']:.2f} %"
        )
        if best is None or row["val_nme"] < best[0]:
            best = (row["val_nme"], share, row)
    if best is None:
        parser.error("--shares: none given")
    _, share, row = best
    network.set_weights([share * a + (1 - share) * b for a, b in zip(ours, theirs, strict=True)])
    averaged = {**card.training, "averaged_with": {"model": Path(options.old).name,
                "share_of_new": share}}  # fmt: skip
    write_measured(network, replace(card, training=averaged), row, options.out)
    print(f"{options.out}: share {share:g}")


def measurement(card: ModelCard, network: Any, csv: Path) -> Validation:
    """What scores the network on the val rows of a table."""
    samples = [with_landmark_box(s) for s in read_dataset(csv, split="val")]
    crop = CropFormat(card.input_size, card.crop_scale, card.colour)
    crops, truth = validation_arrays(FaceStore(samples, crop, 1024))
    return Validation(compiled_call(network), crops, truth, card.landmark_scheme, card.crop_scale)


def write_measured(network: Any, card: ModelCard, row: dict[str, float], out: Path) -> None:
    """A bundle of changed weights, with the figures and the calibration that a row says."""
    out.mkdir(parents=True, exist_ok=True)
    network.save(out / "model.keras")
    figures = {"nme_mean": round(row["val_nme"], 4),
               "failure_rate": round(row["val_failure_rate"], 4)}  # fmt: skip
    calibration = {k: v for k, v in card.calibration.items() if k != "log_scale_shift"}
    calibration["log_scale_shift"] = round(row["val_log_scale_shift"], 5)
    metrics = {**card.metrics, "validation": {**card.metrics["validation"], **figures}}
    write_card(replace(card, metrics=metrics, calibration=calibration, exports={}), out)


if __name__ == "__main__":
    main()
