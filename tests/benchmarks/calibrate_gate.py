"""Shift a model's face logit until it passes no more look-alikes than another model: its card.

Usage: python tests/benchmarks/calibrate_gate.py WIDER.csv BUNDLE [--like BUNDLE] [--most N]
       [--pictures 900] [--write]

Look-alikes are what the embedded detector finds in pictures of split train without a face (see
`false_alarms.py`), true faces the boxed ones from 24 px that it finds. Of the shifts 0, -0.25,
-0.5 .. the first is chosen with which no more look-alikes pass the gate of `kpcli annotate` than
--like BUNDLE lets pass (the embedded default model), or than --most. --write puts it into
the card's calibration. First looks only: the gate itself is measured by `false_alarms.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from detector_data import HIT, corners, grown
from false_alarms import LEAST_FACE, backgrounds, pictures
from numpy.typing import NDArray

from kpcli.boxes import pairwise_iou
from kpcli.detectors.builtin import create
from kpcli.geometry import CropTransform
from kpcli.images import read_image
from kpcli.inference.predictor import interpret
from kpcli.model_bundle import ModelBundle, write_card
from kpcli.options import AnnotateOptions
from kpcli.runtimes import AUTO, open_runtime
from kpcli.types import FaceBox, Frame, Pixels

SHIFTS = np.linspace(0, -4, 17)
GATE = AnnotateOptions((), Path()).min_confidence
Crop = tuple[Pixels, FaceBox]


@dataclass
class Judge:
    """A bundle, and what it says of look-alikes and faces: raw outputs, batch by batch."""

    bundle: ModelBundle
    alike: list[Mapping[str, Any]] = field(default_factory=list)
    faces: list[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runtime = open_runtime(self.bundle, AUTO, 1)

    def look(self, pixels: Pixels, boxes: Sequence[FaceBox]) -> Mapping[str, Any]:
        card = self.bundle.card
        cuts = [CropTransform.from_box(b, card.input_size, card.crop_scale) for b in boxes]
        return self.runtime.run(np.stack([cut.to_crop(pixels) for cut in cuts]))

    def passed(self, batches: Sequence[Mapping[str, Any]], shift: float) -> int:
        card = self.bundle.card
        calibration = {**card.calibration, "face_logit_shift": shift}
        how = (card.crop_scale, calibration, card.landmark_scheme)
        confidences = [interpret(b, *how).confidence for b in batches]
        return int((np.concatenate(confidences) >= GATE).sum())


def alike(csv: Path, limit: int) -> Iterator[tuple[Pixels, list[FaceBox]]]:
    detector = create(None)
    for number, frame in enumerate(backgrounds(csv, "train")):
        if number == limit:
            return
        (boxes,) = detector.detect([frame])
        yield frame.pixels, boxes


def faces(csv: Path, limit: int) -> Iterator[tuple[Pixels, list[FaceBox]]]:
    detector = create(None)
    for path, rows in pictures(csv, "train")[: 2 * limit : 2]:
        pixels = read_image(path)
        (boxes,) = detector.detect([Frame.still(path, pixels)])
        valid = [s.face for s in rows if s.attributes.get("invalid") != "1"]
        truth = corners(b for b in valid if b and b.side >= LEAST_FACE)
        overlap = pairwise_iou(truth, grown(corners(boxes)))
        if overlap.size:
            best: NDArray[np.int64] = overlap.argmax(axis=1)
            hit = sorted(set(best[overlap.max(axis=1) > HIT].tolist()))
            yield pixels, [boxes[j] for j in hit]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("bundle")
    parser.add_argument("--like", default="default")
    parser.add_argument("--most", type=int)
    parser.add_argument("--pictures", type=int, default=900)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    judge, other = Judge(ModelBundle.open(options.bundle)), Judge(ModelBundle.open(options.like))
    for source, name in ((alike, "alike"), (faces, "faces")):
        for pixels, boxes in source(options.csv, options.pictures):
            for one in (judge, other) if boxes else ():
                getattr(one, name).append(one.look(pixels, boxes))
    now = other.bundle.card.calibration.get("face_logit_shift", 0.0)
    most = other.passed(other.alike, now) if options.most is None else options.most
    print(f"at most {most} look-alikes; {options.like}: {other.passed(other.faces, now)} faces")
    chosen = SHIFTS[-1]
    for shift in SHIFTS:
        n, kept = judge.passed(judge.alike, shift), judge.passed(judge.faces, shift)
        print(f"shift {shift:.2f}: {n} look-alikes, {kept} faces")
        if n <= most:
            chosen = shift
            break
    if options.write:
        card = judge.bundle.card
        calibration = {**card.calibration, "face_logit_shift": float(chosen)}
        write_card(replace(card, calibration=calibration), judge.bundle.path)
        print(f"{judge.bundle.path}: face_logit_shift {chosen:.2f}")


if __name__ == "__main__":
    main()
