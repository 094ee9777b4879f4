"""What an export is worth: its deviation from Keras, and its error on labelled faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.boxes import average_precision, grade
from kpcli.dataset_csv import BOXES, label_box, with_landmark_box
from kpcli.detectors.builtin import FaceDetector
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.geometry import CropTransform
from kpcli.images import read_image, to_gray
from kpcli.inference.predictor import interpret
from kpcli.letterbox import Letterbox
from kpcli.metrics import nme, normalisers
from kpcli.model_bundle import DETECTION, ModelCard
from kpcli.plug_ins import Runtime
from kpcli.progress import progress
from kpcli.schemes import can_convert, convert_points, get_scheme, key_of
from kpcli.types import Pixels, Sample

BATCH = 32
DRAWN = 32
"""Drawn crops to compare on where no CSV is given."""
NME_LIMIT = 0.1
"""Most points of NME (percent) that an int8 landmark model may lose."""
AP_LIMIT = 0.5
"""Most points of average precision (percent) that an int8 detector may lose."""
LEAST_SCORE = 0.02
"""Boxes of lower scores take no part in the average precision."""

Crop = tuple[Sample, CropTransform, Pixels]
Checks = dict[str, Any]


def model_input(card: ModelCard, crops: Pixels) -> Pixels:
    """RGB crops (B, S, S, 3) as the model takes them."""
    return to_gray(crops) if card.colour == "gray" else crops


def face_crops(samples: Iterable[Sample], card: ModelCard) -> Iterator[Crop]:
    """Each labelled face as the model sees it; faces without a label or a picture are left out."""
    for sample in samples:
        if np.isnan(sample.points).any(axis=1).all():
            continue  # nothing is labelled
        try:
            pixels = read_image(sample.image)
        except InputError:
            continue
        box = label_box(sample, card.face_box, (pixels.shape[1], pixels.shape[0]))
        if box is None or not box.side > 0:
            continue
        transform = CropTransform.from_box(box, card.input_size, card.crop_scale)
        yield sample, transform, transform.to_crop(pixels)


def calibration_input(samples: Sequence[Sample], card: ModelCard) -> list[NDArray[np.uint8]]:
    """Typical inputs of the model, in batches."""
    if card.task == DETECTION:
        pictures = {s.image: s for s in samples}.values()
        return [_letterbox(s, card).pixels[None] for s in pictures]
    crops = [model_input(card, crop) for _, _, crop in face_crops(samples, card)]
    return [np.stack(crops[i : i + BATCH]) for i in range(0, len(crops), BATCH)]


def drawn_crops(card: ModelCard) -> Pixels:
    """Smooth noise (B, S, S, 3): what there is to compare on without pictures."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (DRAWN, 8, 8, 3), np.uint8)
    size = (card.input_size, card.input_size)
    return np.stack([cv2.resize(n, size, interpolation=cv2.INTER_CUBIC) for n in noise])


def compare_on_drawn(card: ModelCard, reference: Runtime, export: Runtime) -> Checks:
    """Deviation of the outputs on `drawn_crops`.

    Raises
    ------
    ModelError
        If the export's outputs have other names than the model's.
    """
    crops = model_input(card, drawn_crops(card))
    a, b = reference.run(crops[:1]), export.run(crops[:1])
    if set(a) != set(b):
        raise ModelError(
            "the export has other outputs than the model",
            expected=", ".join(sorted(a)),
            actual=", ".join(sorted(b)),
        )
    if card.task == DETECTION:
        off = max(float(np.abs(a[name] - b[name]).max()) for name in a)
        return {"compared_on": "1 drawn picture", "max_deviation": round(off, 6)}
    deviation = _Deviation(card)
    for first in range(0, DRAWN, BATCH):
        batch = crops[first : first + BATCH]
        deviation.add(reference.run(batch), export.run(batch))
    return {"compared_on": f"{DRAWN} drawn crops", **deviation.values()}


def compare_on_faces(
    card: ModelCard, reference: Runtime, export: Runtime, samples: Sequence[Sample], origin: Path
) -> Checks:
    """Deviation in crop pixels and NME of both on labelled faces.

    Raises
    ------
    UsageError
        If no map takes the model's points to the labels'.
    InputError
        If no face can be used.
    """
    labels, own = samples[0].scheme, key_of(card.landmark_scheme)
    scheme = get_scheme(labels)
    if not can_convert(own, labels):
        name = card.landmark_scheme.name
        raise UsageError(
            f"the model gives {name} points, {origin} holds {scheme.name}",
            expected=f"a CSV of scheme {name}, the points of the same names",
        )
    deviation = _Deviation(card)
    used: list[Sample] = []
    found: list[list[Any]] = [[], []]
    crops = progress(face_crops(samples, card), "checking", total=len(samples), unit="face")
    for batch in _batches(crops):
        pixels = model_input(card, np.stack([crop for _, _, crop in batch]))
        outputs = reference.run(pixels), export.run(pixels)
        deviation.add(*outputs)
        used += [sample for sample, _, _ in batch]
        for side, values in zip(found, outputs, strict=True):
            side += [
                convert_points(transform.to_frame(unit), own, labels)
                for (_, transform, _), unit in zip(batch, values["points"], strict=True)
            ]
    if not used:
        raise InputError(f"{origin}: no face to check on", next_step="say where they are: --root")
    truth = np.stack([sample.points for sample in used])
    lengths = normalisers(truth, scheme, scheme.default_normaliser)
    before, after = (float(np.nanmean(nme(np.stack(side), truth, lengths))) for side in found)
    return {
        "compared_on": f"{len(used)} faces of {origin.name}, {samples[0].split}",
        **deviation.values(),
        "protocol": scheme.default_normaliser,
        "nme": round(after, 4),
        "nme_keras": round(before, 4),
    }


def compare_on_pictures(
    card: ModelCard, reference: Runtime, export: Runtime, samples: Sequence[Sample], origin: Path
) -> Checks:
    """Average precision (percent, all labelled boxes, IoU 0.5) of a detector and of its export."""
    detectors = [FaceDetector(card, runtime, least_score=LEAST_SCORE) for runtime in
                 (reference, export)]  # fmt: skip
    graded: list[list[Any]] = [[], []]
    by_picture: dict[Path, list[Sample]] = {}
    for sample in samples:
        by_picture.setdefault(sample.image, []).append(sample)
    given = samples[0].scheme == BOXES
    wanted = "box" if given or card.face_box != "landmarks" else "landmark_box"
    for path, here in progress(by_picture.items(), "checking", unit="picture"):
        boxes = [s.face if given else with_landmark_box(s).face for s in here]
        truth = np.array(
            [[b.left, b.top, b.right, b.bottom] for b in boxes if b is not None], np.float64
        ).reshape(-1, 4)
        pixels = read_image(path)
        for side, detector in zip(graded, detectors, strict=True):
            side.append(grade(*detector.arrays([pixels], wanted)[0], truth, np.zeros((0, 4))))
    before, after = (round(100 * average_precision(side), 3) for side in graded)
    return {
        "compared_on": f"{len(by_picture)} pictures of {origin.name}, {samples[0].split}",
        "average_precision": after,
        "average_precision_keras": before,
    }


def loss(checks: Checks) -> tuple[float, float, str]:
    """What quantisation cost, how much of it is allowed, and its unit."""
    if "nme" in checks:
        return checks["nme"] - checks["nme_keras"], NME_LIMIT, "points of NME"
    before, after = checks["average_precision_keras"], checks["average_precision"]
    return before - after, AP_LIMIT, "points of average precision"


class _Deviation:
    """Distances between two runtimes' points in crop pixels, and between their confidences."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._pixels: list[NDArray[Any]] = []
        self._confidence: list[NDArray[Any]] = []

    def add(self, a: dict[str, Any], b: dict[str, Any]) -> None:
        card = self._card
        how = (card.crop_scale, card.calibration, card.landmark_scheme)
        sides = [interpret(outputs, *how) for outputs in (a, b)]
        distance = np.linalg.norm(sides[0].unit - sides[1].unit, axis=-1)
        self._pixels.append(distance.ravel() * self._card.input_size / 2)
        self._confidence.append(np.abs(sides[0].confidence - sides[1].confidence))

    def values(self) -> Checks:
        pixels = np.concatenate(self._pixels)
        return {
            "max_deviation_px": round(float(pixels.max()), 6),
            "mean_deviation_px": round(float(pixels.mean()), 6),
            "max_confidence_deviation": round(float(np.concatenate(self._confidence).max()), 6),
        }


def _letterbox(sample: Sample, card: ModelCard) -> Letterbox:
    return Letterbox.fit(read_image(sample.image), card.input_size, max(card.strides))


def _batches(crops: Iterable[Crop]) -> Iterator[list[Crop]]:
    batch: list[Crop] = []
    for crop in crops:
        batch.append(crop)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
