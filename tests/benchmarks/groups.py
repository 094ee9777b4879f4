"""A landmark model's error by group: turn, size, sharpness, light, age, origin, sex; n everywhere.

Usage: python tests/benchmarks/groups.py [FACES.csv] [--split test] [--model default]
       [--protocol box] [--aligned FOLDER ...] [--limit 3000]
       [--left-out PSEUDO/annotations.json ...] [--first 0.3] [--json FILE]

FACES.csv: NME (--protocol ocular, or box where faces are seen from the side: the distance of the
eyes is then next to nothing), label boxes, as `kpcli eval` has it, by what the label
and the picture say of the face: yaw (a weak-perspective fit of the mean face to the labelled
points), side of the label's box, sharpness and brightness of the face in the picture.

--aligned: folders of pictures aligned by someone else by the eyes, without labels. UTKFace's names
tell age, sex and origin, All-Age-Faces' tell the age (a folder called aaf), CelebA's nothing. The
face is found by the embedded detector; the error is the mean distance of the two predicted eye
centres from where that alignment puts eyes (CelebA's are known; UTKFace's are the median of what
this model finds), in percent of their distance. It is an agreement with another landmark model,
not with the truth: to be compared between groups and models only. Faces not found count as 100 %.
Pictures that pseudo-labels were made of are left out by their names (--left-out), or, where the
names are lost, the share --first of the lot by which they were taken (`pseudo_labels.py`, seed 0).

An interval is a 95 % bootstrap of the mean.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kpcli.dataset_csv import read_dataset, with_landmark_box
from kpcli.detectors.builtin import create
from kpcli.errors import InputError
from kpcli.geometry import CropTransform
from kpcli.images import read_image
from kpcli.inference.head_pose import head_pose
from kpcli.inference.predictor import Predictor
from kpcli.inference.upright import Look, landmarks
from kpcli.metrics import nme, normalisers, score
from kpcli.model_bundle import ModelBundle
from kpcli.schemes import five_points, get_scheme
from kpcli.types import FaceBox, Frame, Pixels, Points

ORIGINS = ("white", "black", "Asian", "Indian", "other")
CELEBA_EYES = np.array([[69.5, 111.0], [107.5, 111.0]])
AGES = ((0, 2), (3, 12), (13, 19), (20, 39), (40, 59), (60, 200))
MISSED = 100.0
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Faces that share ``value`` of ``kind``."""

    kind: str
    value: str


def yaw_of(points: Points) -> float:
    """Degrees, by a camera so far away that it matters neither where nor how large the face is."""
    frame = int(20 * np.nanmax(np.nanmax(points, axis=0) - np.nanmin(points, axis=0)))
    centred = points - np.nanmean(points, axis=0) + frame / 2
    return head_pose(centred, frame, frame)[0]


def banded(value: float, edges: tuple[float, ...], unit: str) -> str:
    for low, high in itertools.pairwise(edges):
        if low <= value < high:
            return f"{low:g} to {high:g}{unit}"
    return "unknown"


def face_groups(pixels: Pixels, box: FaceBox, points: Points | None) -> Iterator[Group]:
    """What picture and label say of a face."""
    gray = cv2.cvtColor(CropTransform.from_box(box, 96, 1.0).to_crop(pixels), cv2.COLOR_RGB2GRAY)
    sharp = float(cv2.Laplacian(gray, cv2.CV_64F).std())
    yield Group("side", banded(box.side, (0, 32, 64, 96, 128, 1e6), " px"))
    yield Group("sharpness", banded(sharp, (0, 8, 16, 32, 1e6), ""))
    yield Group("brightness", banded(float(gray.mean()), (0, 60, 100, 160, 256), ""))
    if points is not None and len(points) == 68:
        yield Group("turn", banded(abs(yaw_of(points)), (0, 15, 30, 45, 60, 181), " degrees"))


def labelled(csv: Path, split: str, model: str, protocol: str) -> list[tuple[float, list[Group]]]:
    samples = [with_landmark_box(s) for s in read_dataset(csv, split=split)]
    bundle = ModelBundle.open(model)
    predictor, scheme = Predictor(bundle), get_scheme(samples[0].scheme)
    rows = []
    for s in samples:
        if s.face is None:
            continue
        pixels = read_image(s.image)
        (seen,) = landmarks(predictor, [Look(pixels, s.face)])
        truth = s.points[None]
        lengths = normalisers(truth, scheme, protocol)
        error = float(nme(seen.points[None], truth, lengths)[0])
        named = [Group(k, v) for k, v in s.attributes.items() if v not in ("", "0")]
        groups = [Group("dataset", s.dataset), *face_groups(pixels, s.face, s.points), *named]
        rows.append((error, groups))
    return rows


def of_utkface(path: Path) -> Iterator[Group]:
    parts = path.stem.split("_")
    if len(parts) == 4 and parts[1] in "01" and parts[2] in "01234":
        yield age_group(int(parts[0]))
        yield Group("sex", ("male", "female")[int(parts[1])])
        yield Group("origin", ORIGINS[int(parts[2])])


def of_all_age_faces(path: Path) -> Iterator[Group]:
    yield age_group(int(path.stem[6:8]))


def of_celeba(path: Path) -> Iterator[Group]:
    return iter(())


def age_group(age: int) -> Group:
    return next(Group("age", f"{a} to {b}") for a, b in AGES if a <= age <= b)


READERS: Mapping[str, Callable[[Path], Iterator[Group]]] = {
    "utkface": of_utkface, "aaf": of_all_age_faces, "celeba": of_celeba,
}  # fmt: skip


def aligned(
    folder: Path, model: str, limit: int, left_out: set[str], first: float = 0.0
) -> list[tuple[float, list[Group]]]:
    predictor, detector = Predictor(ModelBundle.open(model)), create(None)
    reader = READERS[folder.name]
    files = sorted(folder.rglob("*.jpg"))
    lot = np.random.default_rng(0).permutation(len(files))[: int(first * len(files))]
    left_out = left_out | {files[i].stem for i in lot}
    files = [p for p in files if p.stem not in left_out]
    chosen = np.random.default_rng(0).permutation(len(files))[:limit]
    eyes: list[Floats | None] = []
    kept: list[list[Group]] = []
    for i in chosen:
        try:
            pixels = read_image(files[i])
        except InputError:
            continue
        groups = list(reader(files[i]))
        (boxes,) = detector.detect([Frame.still(files[i], pixels)])
        if not boxes:
            eyes.append(None)
            kept.append(groups)
            continue
        (seen,) = landmarks(predictor, [Look(pixels, boxes[0])])
        five = five_points(seen.points, predictor.card.landmark_scheme)
        eyes.append(None if five is None else np.asarray(five[:2], np.float64))
        kept.append([*groups, *face_groups(pixels, boxes[0], seen.points)])
    found = np.stack([e for e in eyes if e is not None])
    wanted = CELEBA_EYES if folder.name == "celeba" else np.median(found, axis=0)
    across = float(np.linalg.norm(wanted[1] - wanted[0]))
    errors = [
        MISSED if e is None else 100 * float(np.linalg.norm(e - wanted, axis=1).mean()) / across
        for e in eyes
    ]
    return list(zip(errors, kept, strict=True))


def table(title: str, rows: list[tuple[float, list[Group]]], cut: float) -> dict[str, object]:
    errors = np.array([e for e, _ in rows])
    names = sorted({g for _, groups in rows for g in groups}, key=lambda g: (g.kind, _order(g)))
    print(f"\n{title}\n\n| group | faces | mean % | 95 % | median % | above {cut:g} % |")
    print("|---|---|---|---|---|---|")
    report: dict[str, object] = {}
    for name in (None, *names):
        chosen = np.array([name is None or name in groups for _, groups in rows])
        s = score(errors[chosen], cut)
        label = "all" if name is None else f"{name.kind}: {name.value}"
        low, high = s.interval
        print(
            f"| {label} | {s.faces} | {s.nme_mean:.2f} | {low:.2f} to {high:.2f} | "
            f"{s.nme_median:.2f} | {s.failure_rate:.1f} |"
        )
        report[label] = {
            "faces": s.faces, "mean": s.nme_mean, "interval": [low, high],
            "median": s.nme_median, "failures": s.failure_rate,
        }  # fmt: skip
    return report


def _order(group: Group) -> tuple[float, str]:
    first = group.value.split()[0]
    return (float(first) if first.replace(".", "").isdigit() else 0.0, group.value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path, nargs="?")
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", default="default")
    parser.add_argument("--protocol", default="ocular", help="box for faces turned to profile")
    parser.add_argument("--aligned", type=Path, action="append", default=[])
    parser.add_argument("--limit", type=int, default=3000)
    parser.add_argument("--left-out", type=Path, action="append", default=[])
    parser.add_argument("--first", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report: dict[str, object] = {"model": options.model}
    if options.csv:
        rows = labelled(options.csv, options.split, options.model, options.protocol)
        report[str(options.csv.name)] = table(
            f"{options.csv}, {options.split}, {options.protocol}", rows, 8.0
        )
    left_out = {
        Path(image["file_name"]).stem.rpartition("_")[0]
        for path in options.left_out for image in json.loads(path.read_text())["images"]
    }  # fmt: skip
    for folder in options.aligned:
        if folder.name not in READERS:
            parser.error(f"--aligned {folder}: called none of {', '.join(READERS)}")
        rows = aligned(folder, options.model, options.limit, left_out, options.first)
        report[folder.name] = table(f"{folder.name}: agreement with aligned eyes", rows, 10.0)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
