"""Where a look at an unsure face from its other sides pays: by the size of its box.

Usage: python tests/benchmarks/other_sides.py FOLDER ... [--model default]

Of the detector's boxes in the folders' pictures of which the model is less sure than `UNSURE`,
by the side of the box in pixels: how many there are, for how many another side is taken (surer by
`SURER`), and how many of these then pass annotate's gate.
`kpcli.inference.upright.LEAST_TURNED` was chosen by it.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from kpcli.detectors.builtin import create
from kpcli.errors import InputError
from kpcli.images import read_image
from kpcli.inference import upright
from kpcli.inference.predictor import Predictor
from kpcli.model_bundle import ModelBundle
from kpcli.options import FaceOptions
from kpcli.sources.folder import PICTURES
from kpcli.types import Frame

EDGES = (0, 8, 12, 16, 20, 24, 32, 64, np.inf)
GATE = FaceOptions().min_confidence
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    upright.LEAST_TURNED = 0.0
    predictor = Predictor(ModelBundle.open(options.model))
    detector = create(None)
    pictures, boxes_seen = 0, 0
    rows: list[tuple[float, float, float]] = []
    for path in sorted(p for folder in options.folders for p in folder.rglob("*.*")):
        if path.suffix.lower() not in PICTURES:
            continue
        try:
            pixels = read_image(path)
        except InputError:
            continue
        pictures += 1
        (boxes,) = detector.detect([Frame.still(path, pixels)])
        boxes_seen += len(boxes)
        looks = [upright.Look(pixels, box) for box in boxes]
        for look, face in zip(looks, upright._see(predictor, looks, BATCH), strict=True):
            others = list(upright._sides(look, face, predictor.card))
            if others:
                surest = max(f.confidence for f in upright._see(predictor, others, BATCH))
                rows.append((look.box.side, face.confidence, surest))
    side, first, surest = np.array(rows).reshape(-1, 3).T
    taken = surest >= first + upright.SURER
    print(f"{pictures} pictures, {boxes_seen} boxes, {len(rows)} of them unsure\n")
    print(f"| side, px | unsure | another side taken | and given ({GATE}) |\n|---|---|---|---|")
    for low, high in itertools.pairwise(EDGES):
        here = (side >= low) & (side < high)
        given = here & taken & (surest >= GATE)
        print(f"| {low:g} to {high:g} | {here.sum()} | {(here & taken).sum()} | {given.sum()} |")


if __name__ == "__main__":
    main()
