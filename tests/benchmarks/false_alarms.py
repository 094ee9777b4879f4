"""What the gate of `kpcli annotate --min-confidence` is worth: false faces away, true ones lost.

Usage: python tests/benchmarks/false_alarms.py WIDER.csv [--split val] [--faces FACES.csv]
       [--model default] [--detector builtin] [--json FILE] [--sheet PICTURE]
       python tests/benchmarks/false_alarms.py FOLDER_OF_PICTURES_WITHOUT_FACES

Pictures without a face are cut from those of a widerface CSV: the largest strip beside, above or
below all labelled boxes (those marked invalid too), with a quarter of a box's side between, at
least 160 px wide and high. They are annotated as `kpcli annotate` does: every face is a false
one, or one that the dataset's labels lack (`--sheet` shows them, the surest first).
True faces are those of the CSV's pictures from 24 px, and the split's faces of FACES.csv.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from detector_data import HIT, corners, grown

from kpcli.boxes import pairwise_iou
from kpcli.dataset_csv import read_dataset
from kpcli.images import read_image, write_image
from kpcli.inference.finder import FaceFinder
from kpcli.sources.folder import list_media
from kpcli.types import Face, Frame, Pixels, Sample
from kpcli.workflows.evaluate.faces import match

GATES = (0.0, 0.1, 0.25, 0.35, 0.5)
LEAST_PICTURE = 160
AROUND = 0.25
"""Left free around a labelled box, in its sides."""
LEAST_FACE = 24
TILE = 96

Picture = tuple[Path, list[Sample]]


def pictures(csv: Path, split: str) -> list[Picture]:
    samples = sorted(read_dataset(csv, split=split), key=lambda s: s.image)
    return [(path, list(rows)) for path, rows in groupby(samples, key=lambda s: s.image)]


def without_face(pixels: Pixels, boxes: np.ndarray) -> Pixels | None:
    """The largest strip of a picture that keeps clear of boxes (F, 4), None if all are small."""
    around = AROUND * (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    left, top = np.floor(np.clip((boxes[:, :2] - around).min(axis=0), 0, None)).astype(int)
    right, bottom = np.ceil((boxes[:, 2:] + around).max(axis=0)).astype(int) + 1
    strips = [pixels[:, :left], pixels[:, right:], pixels[:top], pixels[bottom:]]
    best = max((s for s in strips if min(s.shape[:2]) >= LEAST_PICTURE),
               key=lambda s: s.shape[0] * s.shape[1], default=None)  # fmt: skip
    return None if best is None else np.ascontiguousarray(best)


def backgrounds(source: Path, split: str) -> Iterator[Frame]:
    if source.is_dir():
        for name in list_media(source).files:
            yield Frame(source / name, 1, 0.0, read_image(source / name))
        return
    for path, rows in pictures(source, split):
        part = without_face(read_image(path), corners(s.face for s in rows if s.face))
        if part is not None:
            yield Frame(path, 1, 0.0, part)


def false_faces(
    finder: FaceFinder, source: Path, split: str, sheet: Path | None
) -> tuple[int, np.ndarray]:
    """Number of pictures, and the confidences of what is found in them."""
    count, confidences, tiles = 0, [], []
    for frame, faces in finder.find(backgrounds(source, split)):
        count += 1
        confidences += [face.confidence for face in faces]
        tiles += [tile(frame.pixels, face) for face in faces]
    if sheet is not None and tiles:
        ordered = [tiles[i] for i in np.argsort(confidences)[::-1]]
        ordered += [np.zeros_like(tiles[0])] * (-len(ordered) % 12)
        rows = [np.hstack(ordered[i : i + 12]) for i in range(0, len(ordered), 12)]
        write_image(sheet, np.vstack(rows))
    return count, np.array(confidences)


def tile(pixels: Pixels, face: Face) -> Pixels:
    (x, y), side = face.box.centre, 2 * face.box.side
    part = cv2.getRectSubPix(pixels, (max(2, round(side)),) * 2, (x, y))
    made = np.array(cv2.resize(part, (TILE, TILE)), np.uint8)
    cv2.putText(made, f"{face.confidence:.2f}", (2, 12), 0, 0.4, (255, 255, 0), 1, cv2.LINE_AA)
    return made


def boxed_faces(finder: FaceFinder, csv: Path, split: str) -> np.ndarray:
    """Confidences of the found ones of the boxed faces from `LEAST_FACE` px."""
    by_path = dict(pictures(csv, split))
    found = []
    for frame, faces in finder.find(frames(list(by_path))):
        valid = [s.face for s in by_path[frame.source] if s.attributes.get("invalid") != "1"]
        truth = corners(box for box in valid if box and box.side >= LEAST_FACE)
        overlap = pairwise_iou(truth, grown(corners(f.box for f in faces)))
        if overlap.size:
            best = overlap.argmax(axis=1)
            hit = overlap.max(axis=1) > HIT
            found += [faces[j].confidence for j in sorted(set(best[hit]))]
    return np.array(found)


def landmarked_faces(finder: FaceFinder, csv: Path, split: str) -> np.ndarray:
    """Confidences of the found ones of the landmarked faces."""
    by_path = dict(pictures(csv, split))
    found = []
    for frame, faces in finder.find(frames(list(by_path))):
        confidence = {id(f.box): f.confidence for f in faces}
        boxes = match(by_path[frame.source], [f.box for f in faces])
        found += [confidence[id(box)] for box in boxes if box is not None]
    return np.array(found)


def frames(paths: Sequence[Path]) -> Iterator[Frame]:
    for path in paths:
        yield Frame(path, 1, 0.0, read_image(path))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--detector", default="builtin")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    finder = FaceFinder(model=given.model, detector=given.detector, min_confidence=0.0)
    count, false = false_faces(finder, given.source, given.split, given.sheet)
    columns = {f"false faces in {count} pictures": false}
    if given.faces is not None:
        columns["landmarked faces"] = landmarked_faces(finder, given.faces, given.split)
    if given.source.is_file():
        columns[f"boxed faces from {LEAST_FACE} px"] = boxed_faces(
            finder, given.source, given.split
        )
    print("| --min-confidence | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))
    left = {gate: {name: int((c >= gate).sum()) for name, c in columns.items()} for gate in GATES}
    for gate, row in left.items():
        cells = [f"{n} ({100 * n / max(1, len(columns[name])):.1f} %)" for name, n in row.items()]
        print(f"| {gate:g} | " + " | ".join(cells) + " |")
    if given.json is not None:
        given.json.write_text(json.dumps(left, indent=1) + "\n")


if __name__ == "__main__":
    main()
