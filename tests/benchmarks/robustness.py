"""How a landmark model stands rotation, occlusion, small faces, bad light and non-faces.

Usage: python tests/benchmarks/robustness.py FACES.csv [--split test] [--model default]
       [--background WIDER.csv] [--json FILE]

Prints NME (the scheme's default protocol, label boxes, a second look where kpcli takes one) under
each condition; by the face's turn to the side; with boxes that are off, each face cut once and, as
kpcli does, again by its points; the confidence's AUROC against failures and against crops without
a face (from pictures of split val of a widerface CSV); how far expected and true errors agree; and
how points follow a shift by one pixel and a re-encoding.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from kpcli.dataset_csv import read_dataset, with_landmark_box
from kpcli.geometry import CropTransform, turned_box
from kpcli.images import read_image
from kpcli.inference import upright
from kpcli.inference.predictor import PredictedFaces, Predictor
from kpcli.inference.upright import Look, landmarks
from kpcli.metrics import face_nme, failure_rate
from kpcli.model_bundle import ModelBundle
from kpcli.schemes import get_scheme
from kpcli.training.landmarks.negatives import negative_patches
from kpcli.types import FaceBox

Change = Callable[[np.ndarray], np.ndarray]


def half(side: str) -> Change:
    def cover(crop: np.ndarray) -> np.ndarray:
        crop, middle = crop.copy(), crop.shape[0] // 2
        area = {"left": np.s_[:, :middle], "right": np.s_[:, middle:],
                "top": np.s_[:middle], "bottom": np.s_[middle:]}[side]  # fmt: skip
        crop[area] = 127
        return crop

    return cover


def small(face_px: int, scale: float) -> Change:
    def shrink(crop: np.ndarray) -> np.ndarray:
        side = max(2, round(2 * face_px * scale))
        down = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        return cv2.resize(down, crop.shape[:2], interpolation=cv2.INTER_LINEAR)

    return shrink


def gain(factor: float) -> Change:
    return lambda crop: np.clip(crop.astype(np.float32) * factor, 0, 255).astype(np.uint8)


def jpeg(quality: int) -> Change:
    def encode(crop: np.ndarray) -> np.ndarray:
        _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(data, cv2.IMREAD_COLOR)

    return encode


def auroc(good: np.ndarray, bad: np.ndarray) -> float:
    """Probability that a good one scores above a bad one (ties count half)."""
    ranks = np.concatenate([good, bad]).argsort().argsort().astype(float)
    return float(
        (ranks[: len(good)].sum() - len(good) * (len(good) - 1) / 2) / len(good) / len(bad)
    )


def _after(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Two affine maps (2, 3) as one."""
    return second @ np.vstack([first, [0.0, 0.0, 1.0]])


class Bench:
    def __init__(self, csv: Path, split: str, model: str) -> None:
        bundle = ModelBundle.open(model)
        self.predictor, self.card = Predictor(bundle), bundle.card
        self.samples = [with_landmark_box(s) for s in read_dataset(csv, split=split)]
        self.scheme = get_scheme(self.samples[0].scheme)
        self.pictures = [read_image(s.image) for s in self.samples]

    def predict(
        self,
        change: Change | None = None,
        rotation: float = 0.0,
        shift: float = 0.0,
        off: float = 0.0,
    ) -> tuple[PredictedFaces, np.ndarray, list[CropTransform]]:
        """Predictions and true points as unit points of a plain crop, and its transforms.

        Each face is put into a frame of its own, twice the crop, and changed there. Boxes are
        `off` by this share of their side (standard deviation), and by as much in the logarithm of
        their size.
        """
        by = off * np.random.default_rng(0).normal(size=(len(self.samples), 3))
        looks, truth, transforms = [], [], []
        size, scale = self.card.input_size, self.card.crop_scale
        for sample, pixels, (x, y, larger) in zip(self.samples, self.pictures, by, strict=True):
            box, moved = sample.face, (0.0, 0.0)
            if rotation:
                box, moved = turned_box(sample.points, box, self.scheme, rotation)
            offset = shift / box.side
            whole = CropTransform.from_box(
                box,
                2 * size,
                2 * scale,
                rotation=rotation,
                shift=(moved[0] + offset, moved[1] + offset),
            )
            frame = whole.to_crop(pixels)
            middle, half_side = (2 * size - 1) / 2, size / scale / 2
            cx, cy = middle + 2 * half_side * x, middle + 2 * half_side * y
            half_side *= np.exp(larger)
            around = FaceBox(cx - half_side, cy - half_side, cx + half_side, cy + half_side)
            look = Look(frame if change is None else change(frame), around)
            plain = look.transform(self.card)
            looks.append(look)
            truth.append(plain.to_unit(whole.to_crop_pixels(sample.points)))
            transforms.append(CropTransform(_after(plain.matrix, whole.matrix), size))
        seen = landmarks(self.predictor, looks)
        unit = [look.transform(self.card).to_unit(s.points)
                for look, s in zip(looks, seen, strict=True)]  # fmt: skip
        faces = PredictedFaces(
            np.array(unit, np.float32),
            np.array([s.point_confidences for s in seen], np.float32),
            np.array([s.confidence for s in seen], np.float32),
        )
        return faces, np.stack(truth), transforms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", default="default")
    parser.add_argument("--background", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    bench = Bench(options.csv, options.split, options.model)
    scale = bench.card.crop_scale
    conditions: dict[str, dict[str, object]] = {
        "as it is": {},
        **{
            f"rotated {a}": {"rotation": float(a)}
            for a in (-60, -45, -30, -15, 15, 30, 45, 60, 90, 180)
        },
        **{f"{s} half covered": {"change": half(s)} for s in ("left", "right", "top", "bottom")},
        **{f"face of {p} px": {"change": small(p, scale)} for p in (64, 48, 32, 24, 16)},
        "dark (x 0.2)": {"change": gain(0.2)},
        "over-exposed (x 2.5)": {"change": gain(2.5)},
        "JPEG quality 10": {"change": jpeg(10)},
    }
    rows, errors, confidences = {}, [], []
    print(f"{len(bench.samples)} faces, {bench.card.name}, {bench.scheme.default_normaliser}\n")
    print("| condition | NME mean % | median % | failures above 8 % |\n|---|---|---|---|")
    for name, condition in conditions.items():
        faces, truth, _ = bench.predict(**condition)  # type: ignore[arg-type]
        nme = face_nme(faces.unit, truth, bench.scheme)
        rows[name] = {
            "mean": nme.mean(),
            "median": np.median(nme),
            "failures": failure_rate(nme, 8.0),
        }
        print(
            f"| {name} | {nme.mean():.2f} | {np.median(nme):.2f} | {failure_rate(nme, 8.0):.1f} % |"
        )
        errors.append(nme)
        confidences.append(faces.confidence)
    report: dict[str, object] = {"conditions": rows}
    report |= turned(bench, errors[0])
    report |= misplaced(bench)
    report |= confidence(
        bench,
        np.concatenate(errors),
        np.concatenate(confidences),
        confidences[0],
        options.background,
    )
    report |= stability(bench)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, default=float) + "\n")


def turned(bench: Bench, errors: np.ndarray) -> dict[str, object]:
    """NME by how far the nose tip lies off the middle of the jaw (ibug68): 0 frontal, 1 profile."""
    if bench.scheme.name != "ibug68":
        return {}
    side = []
    for s in bench.samples:
        left, right = (np.linalg.norm(s.points[30] - s.points[i]) for i in (2, 14))
        side.append(abs(left - right) / (left + right))
    rows = {}
    print("\n| nose off the middle | faces | NME mean % |\n|---|---|---|")
    for low, high in ((0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 1.01)):
        chosen = (np.array(side) >= low) & (np.array(side) < high)
        if chosen.any():
            rows[f"{low}-{high}"] = {"faces": int(chosen.sum()), "mean": errors[chosen].mean()}
            print(f"| {low} to {high} | {chosen.sum()} | {errors[chosen].mean():.2f} |")
    return {"turned": rows}


def misplaced(bench: Bench) -> dict[str, object]:
    """NME by how far boxes are off, each face cut once, and again by its points."""
    rows = {}
    print("\n| boxes off by | cut once: NME mean % | cut by their points |\n|---|---|---|")
    for off in (0.0, 0.05, 0.1, 0.15):
        means = []
        for limit in (0.0, upright.FRAMED):
            with patch.object(upright, "FRAMED", limit):
                faces, truth, _ = bench.predict(off=off)
            means.append(float(face_nme(faces.unit, truth, bench.scheme).mean()))
        rows[str(off)] = means
        print(f"| {off:.0%} | {means[0]:.2f} | {means[1]:.2f} |")
    return {"boxes_off": rows}


def confidence(
    bench: Bench, errors: np.ndarray, scores: np.ndarray, plain: np.ndarray, background: Path | None
) -> dict[str, object]:
    failed = errors > 8.0
    report: dict[str, object] = {"auroc_failure": auroc(scores[~failed], scores[failed])}
    print(
        f"\nAUROC of confidence, fits below against above 8 % ({failed.sum()} failed): "
        f"{report['auroc_failure']:.4f}"
    )
    if background is not None:
        patches = negative_patches(read_dataset(background, split="val"), 1000, 0)[0]
        scale = bench.card.crop_scale
        looks = [Look(p, FaceBox(0, 0, (p.shape[0] - 1) / scale, (p.shape[0] - 1) / scale))
                 for p in patches]  # fmt: skip
        none = np.array([s.confidence for s in landmarks(bench.predictor, looks)])
        report["auroc_background"] = auroc(plain, none)
        print(
            f"AUROC of confidence, faces against {len(none)} crops without one: "
            f"{report['auroc_background']:.4f}; mean {plain.mean():.3f} against {none.mean():.3f}"
        )
    faces, truth, _ = bench.predict()
    distance = np.linalg.norm(faces.unit - truth, axis=-1).ravel()
    near = distance < 0.05 * 2 / bench.card.crop_scale
    bins = np.clip((faces.point_confidences.ravel() * 10).astype(int), 0, 9)
    gaps = [
        (bins == b).mean()
        * abs(near[bins == b].mean() - faces.point_confidences.ravel()[bins == b].mean())
        for b in range(10)
        if (bins == b).any()
    ]
    report["expected_calibration_error"] = float(sum(gaps))
    print(f"expected calibration error of the points' scores: {sum(gaps):.4f}")
    return report


def stability(bench: Bench) -> dict[str, object]:
    """Mean distance, in percent of the normaliser, between points of a face seen twice."""
    first, _, transforms = bench.predict()
    report: dict[str, object] = {}
    for name, condition in {
        "shifted by one pixel": {"shift": 1.0},
        "JPEG quality 80": {"change": jpeg(80)},
    }.items():
        again, _, moved = bench.predict(**condition)  # type: ignore[arg-type]
        frames = [
            (a.to_frame(p), b.to_frame(q))
            for a, p, b, q in zip(transforms, first.unit, moved, again.unit, strict=True)
        ]
        residual = face_nme(
            np.stack([t.to_unit(b) for (_, b), t in zip(frames, transforms, strict=True)]),
            np.stack([t.to_unit(a) for (a, _), t in zip(frames, transforms, strict=True)]),
            bench.scheme,
        )
        report[name] = residual.mean()
        print(f"{name}: points move by {residual.mean():.3f} % of the normaliser besides")
    return {"stability": report}


if __name__ == "__main__":
    main()
