"""The landmark models on a rented GPU: the faces there, the weights back.

The training itself is `gpu_landmarks_train.py`, which needs JAX, numpy and OpenCV only. Here, with
the tables of the recipe ``default_gpu`` (DATA: the datasets, MORE: plain pictures; nothing of them
that looks like a val or test face of the held-out tables is taken, as in `pseudo_labels.py`)::

    python tests/benchmarks/gpu_landmarks.py labelled stages/faces.npz faces.csv
    python tests/benchmarks/gpu_landmarks.py labelled stages/scut.npz scut.csv --count 600
    python tests/benchmarks/gpu_landmarks.py plain stages/utk.npz MORE/utkface \
        --held-out faces.csv --held-out wflw.csv --count 2300
    python tests/benchmarks/gpu_landmarks.py negatives stages/negatives.npz wider.csv
    python tests/benchmarks/gpu_landmarks.py weights stages/weights.npz large
    python tests/benchmarks/gpu_landmarks.py weights stages/weights_default.npz default
    python tests/benchmarks/gpu_landmarks.py part lm1 stages/faces.npz stages/schemes.npz ...
    (copy the parts and gpu_landmarks_train.py there, run it, copy its folder of results back)
    python tests/benchmarks/gpu_landmarks.py unpack results/default.npz default faces.csv \
        runs/default/model

A stage is one .npz: WebP pictures one after the other and what is known of each.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pseudo_labels import HeldOut, Teacher, yaw_of

from kpcli.dataset_csv import read_dataset, with_landmark_box
from kpcli.detectors.builtin import BUNDLE as FACE_DETECTOR
from kpcli.detectors.builtin import open_detector
from kpcli.geometry import CropTransform, landmark_box
from kpcli.images import read_image
from kpcli.model_bundle import ModelBundle, write_card
from kpcli.runtimes.keras_runtime import compiled_call, load_model
from kpcli.schemes import IBUG68, WFLW98, WFLW98_TO_IBUG68
from kpcli.training.faces import CropFormat, FaceStore
from kpcli.training.landmarks.batches import validation_arrays
from kpcli.training.landmarks.negatives import negative_patches
from kpcli.training.landmarks.validation import Validation
from kpcli.types import FaceBox, Frame, Pixels, Points, Sample

REGION = 1.9
"""Side of a stored picture over that of the face box."""
UNKNOWN = -32768
FINE = 64
"""Points are stored as whole numbers of a pixel's 64th."""
TURNED = 25.0


@dataclass
class Stage:
    """Pictures with boxes, points of both mark-ups and how far each point is to be trusted."""

    quality: int
    pictures: list[bytes] = field(default_factory=list)
    boxes: list[tuple[float, ...]] = field(default_factory=list)
    points: dict[int, list[NDArray[np.int16]]] = field(default_factory=lambda: {68: [], 98: []})
    seen: dict[int, list[NDArray[np.uint8]]] = field(default_factory=lambda: {68: [], 98: []})
    names: list[str] = field(default_factory=list)

    def add(
        self, name: str, pixels: Pixels, box: FaceBox, known: dict[int, tuple[Points, Any]]
    ) -> None:
        """``known``: for 68 and 98, points in the picture's pixels and which are exact."""
        picture = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, self.quality])
        self.pictures.append(data.tobytes())
        self.boxes.append(box.corners)
        self.names.append(name)
        for n in (68, 98):
            points, exact = known.get(n, (np.full((n, 2), np.nan, np.float32), np.zeros(n)))
            missing = np.isnan(points).any(axis=1)
            whole = np.round(np.where(missing[:, None], 0, points) * FINE)
            whole = np.clip(whole, UNKNOWN + 1, -UNKNOWN - 1)
            whole[missing] = UNKNOWN
            self.points[n].append(whole.astype(np.int16))
            self.seen[n].append(np.where(missing, 0, np.where(exact, 2, 1)).astype(np.uint8))

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path,
            blob=np.frombuffer(b"".join(self.pictures), np.uint8),
            sizes=np.array([len(p) for p in self.pictures], np.int32),
            boxes=np.array(self.boxes, np.float32),
            names=np.array(self.names),
            **{f"points{n}": np.stack(v) for n, v in self.points.items()},
            **{f"seen{n}": np.stack(v) for n, v in self.seen.items()},
        )
        size = path.stat().st_size
        print(f"{path}: {len(self.pictures)} pictures, {size / 2**20:.1f} MiB", flush=True)


def region(pixels: Pixels, box: FaceBox, most: int) -> tuple[Pixels, CropTransform]:
    """The surroundings of a face, ``most`` pixels a side at most; see `faces.cut_region`."""
    side = math.ceil(box.side * REGION)
    if side > most:
        transform = CropTransform.from_box(box, most, REGION)
    else:
        left, top = (math.floor(c - side / 2) for c in box.centre)
        transform = CropTransform(np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]]), side)
    return transform.to_crop(pixels), transform


def moved(box: FaceBox, transform: CropTransform) -> FaceBox:
    corners = transform.to_crop_pixels(np.array(box.corners).reshape(2, 2))
    return FaceBox(*(float(v) for v in corners.ravel()))


def labelled(options: argparse.Namespace) -> None:
    stage = Stage(options.quality)
    samples = [s for s in read_dataset(options.csv) if s.split == options.split]
    if options.count:
        order = np.random.default_rng(0).permutation(len(samples))[: options.count]
        samples = [samples[i] for i in order]
    fine = {}
    kept: set[str] | None = None
    if options.fine is not None:  # WFLW's own 98 points, of the faces that both tables train on
        rows = read_dataset(options.fine)
        fine = {s.image.resolve(): s for s in rows}
        kept = {str(s.image.resolve()) for s in rows if s.split == options.split}
    for sample in samples:
        mixed = kept is not None and sample.dataset == "wflw" and options.split == "train"
        if mixed and kept is not None and str(sample.image.resolve()) not in kept:
            continue
        add_labelled(stage, sample, fine.get(sample.image.resolve()), options.most)
    stage.save(options.out)


def add_labelled(stage: Stage, sample: Sample, fine: Sample | None, most: int) -> None:
    from mix_faces import hidden_jaw

    sample = with_landmark_box(hidden_jaw(sample))
    if sample.face is None:
        return
    pixels, transform = region(read_image(sample.image), sample.face, most)

    def there(s: Sample) -> Points:
        return transform.to_crop_pixels(s.points).astype(np.float32)

    known: dict[int, tuple[Points, Any]] = {len(sample.points): (there(sample), sample.visible)}
    if fine is not None:
        known[98] = there(fine), fine.visible
    if 68 not in known:
        points, exact = known[98]
        order = list(WFLW98_TO_IBUG68)
        known[68] = points[order], exact[order]
    name = f"{sample.dataset}/{sample.image.stem}"
    stage.add(name, pixels, moved(sample.face, transform), known)


def plain(options: argparse.Namespace) -> None:
    """Faces that the detector finds, without labels but the box of a first look."""
    stage = Stage(options.quality)
    files = sorted(p for p in options.pictures.rglob("*") if p.suffix.lower() in (".jpg", ".webp"))
    order = np.random.default_rng(options.seed).permutation(len(files))
    teacher = Teacher(options.model)
    held_out = HeldOut(options.held_out)
    wanted = {False: options.count, True: options.turned}
    left_out = small = 0
    for number, i in enumerate(order):
        if not any(wanted.values()):
            break
        if files[i].stem in held_out.pictures:
            continue
        for pixels, points in teacher.first_looks(files[i]):
            box = landmark_box(points, teacher.scheme)
            if box.side < options.least:
                small += 1
                continue
            turned = bool(abs(yaw_of(points)) >= TURNED) and wanted[True] > 0
            if not wanted[turned]:
                continue
            if held_out.holds(pixels, points):
                left_out += 1
                continue
            wanted[turned] -= 1
            cut, transform = region(pixels, box, options.most)
            first = transform.to_crop_pixels(points).astype(np.float32)
            name = f"{options.pictures.name}/{files[i].stem}"
            known = {68: (first, np.zeros(68))}
            stage.add(name, cut, moved(box, transform), known)
        if number % 500 == 499:
            print(f"{options.pictures.name}: {number + 1} files, {len(stage.names)}", flush=True)
    stage.save(options.out)
    print(f"{left_out} left out as held-out ones, {small} too small", flush=True)


def negatives(options: argparse.Namespace) -> None:
    """Backgrounds and look-alikes, as `kpcli train --negatives` takes them."""
    from kpcli.training.landmarks.train import LOOK_ALIKE

    detector = open_detector(FACE_DETECTOR, least_score=LOOK_ALIKE)

    def find(pixels: Pixels) -> list[FaceBox]:
        return detector.detect([Frame.still(Path(), pixels)])[0]

    samples = read_dataset(options.csv, split="train")
    stage = Stage(options.quality)
    for name, patches in zip(
        ("background", "look_alike"), negative_patches(samples, options.count, 0, find), strict=True
    ):
        for patch in patches:
            small = cv2.resize(patch, (options.most,) * 2, interpolation=cv2.INTER_AREA)
            box = FaceBox(0, 0, options.most - 1, options.most - 1)
            stage.add(name, np.asarray(small, np.uint8), box, {})
        print(f"{name}: {len(patches)}", flush=True)
    stage.save(options.out)


def weights(options: argparse.Namespace) -> None:
    """The weights of bundles by the names of layers: BUNDLE/LAYER/NUMBER."""
    values: dict[str, Any] = {}
    for name in options.bundles:
        network = load_model(ModelBundle.open(name).weights)
        for layer in network.layers:
            for i, value in enumerate(layer.get_weights()):
                values[f"{Path(name).name}/{layer.name}/{i}"] = value.astype(np.float16)
    np.savez_compressed(options.out, **values)
    values = {}
    for scheme in (IBUG68, WFLW98):
        values[f"flip{scheme.n_points}"] = np.array(scheme.flip_order)
        values[f"along{scheme.n_points}"] = neighbours(scheme.n_points, scheme.edges)
    np.savez_compressed(options.out.with_name("schemes.npz"), **values)


def neighbours(n: int, edges: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """(N, 2): the points before and behind on the outline, the point itself where there is none."""
    around: dict[int, list[int]] = {}
    for a, b in edges:
        around.setdefault(a, []).append(b)
        around.setdefault(b, []).append(a)
    rows = [around.get(i, []) for i in range(n)]
    return np.array([
        (i, i) if not 1 <= len(r) <= 2 else (r[0], r[1]) if len(r) == 2 else (i, r[0])
        for i, r in enumerate(rows)
    ])  # fmt: skip


def part(options: argparse.Namespace) -> None:
    """A folder to carry there: stages, and what makes it whole."""
    options.out.mkdir(parents=True, exist_ok=True)
    for path in options.stages:
        shutil.copy(path, options.out)
    files = sorted(options.out.glob("*.npz"))
    lines = [f"{path.name} {path.stat().st_size}" for path in files]
    (options.out / "DONE").write_text("\n".join(lines) + "\n")
    print(f"{options.out}: {sum(p.stat().st_size for p in files) / 2**20:.1f} MiB")


HEADS = ("heatmaps", "refine")


def unpack(options: argparse.Namespace) -> None:
    """The weights that came back, in a bundle with BUNDLE's card, validated by kpcli's own code."""
    old = ModelBundle.open(options.bundle)
    card = old.card
    network = load_model(old.weights)
    n = card.landmark_scheme.n_points
    came = np.load(options.weights)
    for layer in network.layers:
        if not layer.weights:
            continue
        name = f"{layer.name}{n}" if layer.name in HEADS else layer.name
        values = [came[f"{name}/{i}"].astype(np.float32) for i in range(len(layer.weights))]
        layer.set_weights(values)
    samples = [with_landmark_box(s) for s in read_dataset(options.csv, split="val")]
    crop = CropFormat(card.input_size, card.crop_scale, card.colour)
    crops, truth = validation_arrays(FaceStore(samples, crop, 1024))
    row = Validation(compiled_call(network), crops, truth, card.landmark_scheme, card.crop_scale)()
    print({k: round(v, 4) for k, v in row.items()})
    options.out.mkdir(parents=True, exist_ok=True)
    network.save(options.out / "model.keras")
    figures = {
        "protocol": card.landmark_scheme.default_normaliser, "boxes": "labels",
        "faces": len(samples), "nme_mean": round(row["val_nme"], 4),
        "failure_rate": round(row["val_failure_rate"], 4),
    }  # fmt: skip
    calibration = {"log_scale_shift": round(row["val_log_scale_shift"], 5)}
    facts: dict[str, Any] = json.loads(str(came["facts"])) if "facts" in came else {}
    shown = facts.get("pictures", {})
    there = {g: n for g, n in shown.items() if "val" not in g and g != "negatives"}
    training: dict[str, Any] = {
        **facts, "faces": sum(there.values()), "datasets": there, "epoch": 1,
        "parameters": int(network.count_params()), "validation_faces": len(samples),
        "options": {}, "program": "tests/benchmarks/gpu_landmarks_train.py",
    }  # fmt: skip
    if "box_share" in card.training:
        training["box_share"] = card.training["box_share"]
    write_card(
        replace(card, training=training, metrics={"validation": figures}, calibration=calibration,
                exports={}, notes=()),
        options.out,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(required=True)

    def kind(name: str, action: Any, quality: int, most: int) -> argparse.ArgumentParser:
        one = kinds.add_parser(name)
        one.add_argument("out", type=Path)
        one.set_defaults(action=action)
        if quality:
            one.add_argument("--quality", type=int, default=quality)
            one.add_argument("--most", type=int, default=most, help="side in pixels")
        return one

    one = kind("labelled", labelled, 84, 288)
    one.add_argument("csv", type=Path)
    one.add_argument("--fine", type=Path, help="the table with WFLW's 98 points")
    one.add_argument("--split", default="train")
    one.add_argument("--count", type=int, default=0)
    one = kind("plain", plain, 78, 208)
    one.add_argument("pictures", type=Path)
    one.add_argument("--held-out", type=Path, action="append", required=True)
    one.add_argument("--count", type=int, default=1000)
    one.add_argument("--turned", type=int, default=0)
    one.add_argument("--least", type=float, default=40.0)
    one.add_argument("--model", default="default")
    one.add_argument("--seed", type=int, default=0)
    one = kind("negatives", negatives, 75, 112)
    one.add_argument("csv", type=Path)
    one.add_argument("--count", type=int, default=1500)
    one = kind("weights", weights, 0, 0)
    one.add_argument("bundles", nargs="+")
    one = kind("part", part, 0, 0)
    one.add_argument("stages", type=Path, nargs="+")
    one = kinds.add_parser("unpack")
    one.add_argument("weights", type=Path)
    one.add_argument("bundle")
    one.add_argument("csv", type=Path)
    one.add_argument("out", type=Path)
    one.set_defaults(action=unpack)
    options = parser.parse_args()
    options.action(options)


if __name__ == "__main__":
    main()
