"""Put a trained landmark bundle into kpcli/assets, with its ONNX export and its card.

Usage: python tests/benchmarks/ship_model.py RUN/model NAME FACES.csv --test NAME=CSV[:SPLIT] ...
       [--note TEXT ...]

FACES.csv is the CSV it was trained on (its train rows set the ranges of the int8 export, its val
rows check it). Each --test is scored once by
`kpcli eval` with label boxes; the figures go into the card with the command's name.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kpcli.model_bundle import ModelBundle, assets, write_card
from kpcli.options import EvalOptions, ExportOptions
from kpcli.workflows.evaluate.run import evaluate
from kpcli.workflows.export.run import export

LICENCE = (
    "non-commercial research, the terms of the data it was trained on (300-W, WFLW, WIDER FACE, "
    "MTFL, FG-NET, FaceSynthetics, SCUT-FBP5500, CelebA, UTKFace, All-Age-Faces, YouTube Faces "
    "where named); the London sets are CC BY (DeBruine and Jones 2017)"
)
KEPT = (
    "faces", "missed", "nme_mean", "nme_median", "failure_rate", "auc", "protocol", "boxes",
    "interval", "cut",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("name")
    parser.add_argument("csv", type=Path)
    parser.add_argument("--test", action="append", default=[])
    parser.add_argument("--note", action="append", default=[])
    options = parser.parse_args()

    # Made beside and put in place at the end: `kpcli export` leaves embedded bundles alone.
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / options.name
        folder.mkdir()
        shutil.copy(options.bundle / "model.keras", folder)
        card = ModelBundle.open(options.bundle).card
        training = {**plain_paths(card.training), "recipe": options.name}
        write_card(
            replace(card, name=options.name, training=training, licence=LICENCE, exports={},
                    notes=tuple(options.note)),
            folder,
        )  # fmt: skip
        export(
            ExportOptions(
                str(folder), "onnx", quantize="int8", calibrate=options.csv, csv=options.csv
            )
        )
        for test in options.test:
            label, _, where = test.partition("=")
            csv, _, split = where.partition(":")
            add_test(folder, label, Path(csv), split or "test")
        shutil.rmtree(assets() / options.name, ignore_errors=True)
        shutil.copytree(folder, assets() / options.name)


def plain_paths(training: Mapping[str, Any]) -> dict[str, Any]:
    """What the card says of the training, without the folders of the machine that trained."""
    options = {
        k: Path(v).name if isinstance(v, str) and "/" in v else v
        for k, v in training["options"].items()
    }
    return {**training, "options": options}


def add_test(folder: Path, label: str, csv: Path, split: str) -> None:
    with tempfile.TemporaryDirectory() as out:
        evaluate(EvalOptions(csv=csv, split=split, model=str(folder), out=Path(out)))
        values = json.loads((Path(out) / "metrics.json").read_text())
    card = ModelBundle.open(folder).card
    figures = {k: round(values[k], 4) if isinstance(values[k], float) else values[k]
               for k in KEPT if k in values}  # fmt: skip
    figures["command"] = f"kpcli eval {csv.name} --split {split} --model {card.name}"
    write_card(replace(card, metrics={**card.metrics, label: figures}), folder)


if __name__ == "__main__":
    main()
