"""Faces of unlabelled pictures, labelled by a model that sees each several times: COCO key points.

Usage: python tests/benchmarks/pseudo_labels.py PICTURES OUT --held-out FACES.csv
       [--count N] [--turned N] [--model large ...] [--seed 0] [--side 256]

Of PICTURES' files, in random order, the detector's faces are labelled until there are --count of
them and --turned more whose head is turned by 25 degrees or more. A face is cut by its first
points, looked at in `LOOKS` (also mirrored) by every --model, and gets the mean. Where the looks
disagree by more than `AGREED` of the box's side, or the models expect no better, the point is
marked v 1: kpcli train --soft-weight counts it less. Nothing is left out for low confidence but
what is no face.

A face that looks like a val or test face of FACES.csv (one or more) is left out, and every
picture of WIDER FACE that such a face of WFLW was cut from (`X_12_0.jpg` from `X_12.jpg`): the
perceptual hash of the picture, and the correlation of the two faces cut upright at one size,
which a picture cropped otherwise does not escape.

OUT/images/NAME.jpg is the face at 2.2 times its box, --side pixels at most; OUT/annotations.json
the labels, with `confidence` and `yaw`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.dataset_csv import read_dataset, with_landmark_box
from kpcli.detectors.builtin import create
from kpcli.errors import InputError
from kpcli.geometry import REFERENCE_FIVE, CropTransform, flip_points, landmark_box, similarity
from kpcli.images import read_image
from kpcli.inference.head_pose import head_pose
from kpcli.inference.predictor import Predictor
from kpcli.inference.upright import Look, landmarks
from kpcli.model_bundle import ModelBundle
from kpcli.schemes import convert_points, five_points
from kpcli.sources.folder import PICTURES
from kpcli.types import FaceBox, Frame, Pixels, Points
from kpcli.workflows.prepare.duplicates import (
    MAX_DISTANCE,
    MIN_CORRELATION,
    correlation,
    fingerprint,
)

LOOKS = ((1.0, 0.0, 0.0), (0.95, 0.02, -0.02), (1.06, -0.02, 0.02))
"""Scale and shift of each look, which is taken plain and mirrored: within a detector's errors."""
AGREED, SURE = 0.015, 0.6
LEAST = 0.3
TURNED = 25.0
SMALLEST = 36.0
"""Side in pixels of the least face that is worth its labels."""
ALIKE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--held-out", type=Path, action="append", required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--turned", type=int, default=0)
    parser.add_argument("--model", action="append", help="the first also finds the face")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--names", help="only files whose name matches this glob", default="*")
    options = parser.parse_args()
    files = sorted(p for p in options.pictures.rglob(options.names) if p.suffix.lower() in PICTURES)
    order = np.random.default_rng(options.seed).permutation(len(files))
    teacher = Teacher(*options.model or ["large"])
    held_out = HeldOut(options.held_out)
    writer = Writer(options.out, options.side, teacher)
    wanted = {False: options.count, True: options.turned}
    left_out = 0
    for i in order:
        if not any(wanted.values()):
            break
        if files[i].stem in held_out.pictures:
            continue
        for pixels, points in teacher.first_looks(files[i]):
            turned = bool(abs(yaw_of(points)) >= TURNED) and wanted[True] > 0
            if not wanted[turned]:
                continue
            if held_out.holds(pixels, points):
                left_out += 1
                continue
            wanted[turned] -= 1
            writer.add(files[i], pixels, points)
    writer.finish()
    print(f"{options.out}: {len(writer.annotations)} faces, {left_out} left out as held-out ones")


def yaw_of(points: Points) -> float:
    """Degrees, by a camera so far away that it matters neither where nor how large the face is."""
    frame = int(20 * np.ptp(points, axis=0).max())
    return head_pose(points - points.mean(axis=0) + frame / 2, frame, frame)[0]


class Teacher:
    """One bundle or several, that look at faces more than once; the first's mark-up is meant."""

    def __init__(self, *models: str) -> None:
        self.predictors = [Predictor(ModelBundle.open(m), threads=1) for m in models]
        self.scheme = self.predictors[0].card.landmark_scheme
        self.detector = create(None)

    def first_looks(self, path: Path) -> Iterator[tuple[Pixels, Points]]:
        try:
            pixels = read_image(path)
        except InputError:
            return
        (boxes,) = self.detector.detect([Frame.still(path, pixels)])
        boxes = [b for b in boxes if b.side >= SMALLEST]
        for seen in landmarks(self.predictors[0], [Look(pixels, b) for b in boxes]):
            if seen.confidence >= LEAST:
                yield pixels, seen.points

    def label(self, pixels: Pixels, points: Points) -> tuple[Points, NDArray[np.bool_], float]:
        """Mean points (N, 2), which of them are sure (N,), and the confidence."""
        box = landmark_box(points, self.scheme)
        five = five_points(points, self.scheme)
        turn = 0.0
        if five is not None:
            matrix = similarity(REFERENCE_FIVE, five)
            turn = -float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
            turn = turn if abs(turn) > 15 else 0.0
        every = [self._looks(p, pixels, box, turn) for p in self.predictors]
        looks, scores, confidences = (np.concatenate(v) for v in zip(*every, strict=True))
        spread = np.linalg.norm(looks.std(axis=0), axis=-1) / box.side
        sure = (spread <= AGREED) & (scores.mean(axis=0) >= SURE)
        return looks.mean(axis=0).astype(np.float32), sure, float(confidences.mean())

    def _looks(
        self, predictor: Predictor, pixels: Pixels, box: FaceBox, turn: float
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Points (L, N, 2), their confidences (L, N) and the face's (L,), of each of `LOOKS`."""
        size, crop_scale = predictor.card.input_size, predictor.card.crop_scale
        cuts = [
            (mirror, CropTransform.from_box(box, size, crop_scale * scale,
                                            rotation=turn, shift=(x, y), mirror=mirror))
            for scale, x, y in LOOKS for mirror in (False, True)
        ]  # fmt: skip
        faces = predictor.predict(np.stack([t.to_crop(pixels) for _, t in cuts]))
        scheme, meant = predictor.card.landmark_scheme, self.scheme.name
        seen = np.concatenate([faces.unit, faces.point_confidences[..., None]], axis=-1)
        seen = np.stack([
            convert_points(flip_points(one, scheme) if mirror else one, scheme.name, meant)
            for (mirror, _), one in zip(cuts, seen, strict=True)
        ])  # fmt: skip
        looks = np.stack([t.to_frame(s[:, :2]) for (_, t), s in zip(cuts, seen, strict=True)])
        return looks, seen[..., 2], faces.confidence


class HeldOut:
    """The val and test faces, to keep their pictures out whatever they are called."""

    def __init__(self, tables: list[Path]) -> None:
        samples = [
            with_landmark_box(s) for t in tables for s in read_dataset(t) if s.split != "train"
        ]
        self.pictures = {s.image.stem.rpartition("_")[0] for s in samples if s.dataset == "wflw"}
        self.codes = np.array([fingerprint(read_image(s.image)).code for s in samples], np.uint64)
        self.whole = [fingerprint(read_image(s.image)).thumbnail for s in samples]
        self.thumbnails = np.stack([
            normal(thumbnail(read_image(s.image), five)) for s in samples
            if (five := five_of(s.points, s.scheme)) is not None
        ])  # fmt: skip

    def holds(self, pixels: Pixels, points: Points) -> bool:
        found = fingerprint(pixels)
        bits = np.bitwise_count(self.codes ^ np.uint64(found.code))
        if any(
            correlation(found.thumbnail, self.whole[i]) >= MIN_CORRELATION
            for i in np.flatnonzero(bits <= MAX_DISTANCE)
        ):
            return True
        five = five_of(points, "ibug68")
        if five is None:
            return False
        alike = self.thumbnails @ normal(thumbnail(pixels, five))
        return bool(alike.max() >= MIN_CORRELATION)


def five_of(points: Points, scheme: str) -> NDArray[np.floating[Any]] | None:
    from kpcli.schemes import get_scheme

    five = five_points(points, get_scheme(scheme))
    return None if five is None or np.isnan(five).any() else five


def thumbnail(pixels: Pixels, five: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """The face upright, eyes, nose and mouth in place, (32, 32) gray."""
    matrix = similarity(five, (REFERENCE_FIVE + 0.5) * ALIKE * 4)
    face = cv2.warpAffine(pixels, matrix, (ALIKE * 4, ALIKE * 4), flags=cv2.INTER_LINEAR)
    gray = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(gray, (ALIKE, ALIKE), interpolation=cv2.INTER_AREA), np.uint8)


def normal(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    flat = gray.astype(np.float32).ravel()
    flat -= flat.mean()
    return flat / max(float(np.linalg.norm(flat)), 1e-6)


class Writer:
    def __init__(self, out: Path, side: int, teacher: Teacher) -> None:
        self.out, self.side, self.teacher = out, side, teacher
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        (out / "images").mkdir(parents=True, exist_ok=True)

    def add(self, path: Path, pixels: Pixels, first: Points) -> None:
        points, sure, confidence = self.teacher.label(pixels, first)
        box = landmark_box(points, self.teacher.scheme)
        size = min(self.side, round(box.side * 2.2))
        cut = CropTransform.from_box(box, size, 2.2)
        name = f"{path.stem.replace(' ', '_')}_{len(self.images)}.jpg"
        crop = cv2.cvtColor(cut.to_crop(pixels), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(self.out / "images" / name), crop, [cv2.IMWRITE_JPEG_QUALITY, 95])
        there = cut.to_crop_pixels(points)
        low, high = there.min(axis=0), there.max(axis=0)
        number = len(self.images) + 1
        self.images.append({"id": number, "file_name": name, "width": size, "height": size})
        self.annotations.append({
            "id": number, "image_id": number, "category_id": 1, "iscrowd": 0,
            "bbox": [*low.round(2), *(high - low).round(2)],
            "area": float(np.prod(high - low)), "num_keypoints": len(there),
            "keypoints": [
                v for (x, y), s in zip(there.round(2), sure, strict=True)
                for v in (float(x), float(y), 2 if s else 1)
            ],
            "confidence": round(confidence, 4), "yaw": round(yaw_of(points), 1),
        })  # fmt: skip

    def finish(self) -> None:
        names = list(self.teacher.scheme.point_names)
        category = {"id": 1, "name": "face", "keypoints": names, "skeleton": []}
        content = {
            "images": self.images, "annotations": self.annotations, "categories": [category],
        }  # fmt: skip
        (self.out / "annotations.json").write_text(json.dumps(content))


if __name__ == "__main__":
    main()
