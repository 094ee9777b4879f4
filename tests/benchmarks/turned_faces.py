"""Labelled faces turned farther to the side in 3-D, as 300W-LP was made: COCO key points.

Usage: python tests/benchmarks/turned_faces.py FACES.csv OUT --split train [--count N]
       [--least 30] [--most 80] [--seed 0] [--strict-jaw]

Each chosen face (near frontal ones only) becomes a surface: its labelled points keep their place
in the picture and take their depth from a mean face of 68 points, found by `mean_face.py`'s
structure from motion and fitted to them; points of cheeks, brow and skull are added from the
mean, and a ring of background that does not turn. The surface is turned about the vertical axis
and drawn triangle by triangle, the farthest first (Zhu et al., "Face alignment across large
poses", CVPR 2016, with a mesh of some hundred triangles in place of a morphable model's).

The labels are where the points go, so they are exact, but for the jaw on the side that turns
away: its outline would be another line of the skin, and these points are left out (v 0). The jaw
on the near side is v 1, which lets a training slide along it; with --strict-jaw it is v 2.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from groups import yaw_of
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from kpcli.dataset_csv import read_dataset, with_landmark_box
from kpcli.geometry import CropTransform, landmark_box
from kpcli.images import read_image
from kpcli.inference.head_pose import MEAN_FACE, RIGID, rotation_of
from kpcli.schemes import IBUG68
from kpcli.types import FaceBox, Pixels, Points, Sample

Array = NDArray[np.float64]
SIDE = 256
FRONTAL = 20.0
# x right, y down, z away from the camera, in units of the outer eye corners' distance. Jaw and
# lips: the same structure from motion as MEAN_FACE's, of which head_pose needs no more than the
# rigid points (tests/benchmarks/mean_face.py ../shared/data/300w, all 68 printed).
# fmt: off
JAW = np.array([
    [-0.822, 0.022, 0.602], [-0.815, 0.231, 0.596], [-0.790, 0.439, 0.606],
    [-0.746, 0.643, 0.610], [-0.664, 0.833, 0.555], [-0.535, 0.998, 0.451],
    [-0.377, 1.136, 0.319], [-0.200, 1.247, 0.186], [0.000, 1.279, 0.139],
])
MORE = np.array([  # cheeks, brow, hair, the skull behind the ears, the neck
    [-0.45, 0.42, 0.02], [-0.62, 0.30, 0.20], [-0.35, 0.75, 0.08], [-0.55, 0.70, 0.28],
    [-0.25, 0.25, -0.12], [-0.30, -0.55, -0.16], [-0.62, -0.48, 0.18], [-0.82, -0.30, 0.62],
    [-0.95, 0.15, 0.95], [-0.30, -0.85, -0.02], [-0.72, -0.85, 0.40], [-0.90, -0.60, 0.95],
    [-0.60, 1.25, 0.95],
])
MIDDLE = np.array([[0.0, -0.6, -0.2], [0.0, -0.9, -0.05], [0.0, 1.0, -0.02], [0.0, 1.45, 0.6]])
# fmt: on


def mean_head(lips: float = -0.24) -> tuple[Array, Array]:
    """The 68 points (68, 3), and the others (M, 3)."""
    mirrored = [-1, 1, 1]
    head = np.full((68, 3), np.nan)
    head[:9], head[9:17] = JAW, (JAW[:8] * mirrored)[::-1]
    head[list(RIGID)] = MEAN_FACE
    for i in range(49, 68):
        if np.isnan(head[i]).any():
            head[i] = [np.nan, np.nan, lips]
    # Lips bulge: their depth grows from the corners' to the middle's with the distance in x.
    return head, np.concatenate([MORE, MORE * mirrored, MIDDLE])


def fit(points: Points, head: Array) -> tuple[float, Array, Array]:
    """Scale, rotation (3, 3) and shift (2,) of the rigid points under scaled orthography."""
    shape, view = head[list(RIGID)], points[list(RIGID)].astype(np.float64)
    centre, middle = shape.mean(axis=0), view.mean(axis=0)
    free = np.linalg.lstsq(shape - centre, view - middle, rcond=None)[0].T
    u, s, vt = np.linalg.svd(free, full_matrices=False)
    rows = u @ vt
    rotation = np.vstack([rows, np.cross(rows[0], rows[1])])
    return float(s.mean()), rotation, middle - s.mean() * rows @ centre


def surface(points: Points, box: FaceBox) -> tuple[Array, Array, Array]:
    """Vertices (V, 3) in pixels, how far each turns with the head (V,), triangles (T, 3).

    The first 68 vertices are the landmarks.
    """
    head, others = mean_head()
    scale, rotation, shift = fit(points, head)
    depth = scale * (head @ rotation.T)[:, 2]
    lips = [i for i in range(68) if np.isnan(depth[i])]
    corner = depth[[48, 54]].mean()
    middle = points[[51, 57, 62, 66]].mean(axis=0)
    half = max(float(np.linalg.norm(points[54] - points[48])) / 2, 1e-6)
    for i in lips:  # an arc from the corners' depth forward
        away = min(1.0, float(np.linalg.norm(points[i] - middle)) / half)
        depth[i] = corner - 0.11 * scale * (1 - away**2)
    placed = np.column_stack([points.astype(np.float64), depth])
    extra = scale * others @ rotation.T
    extra[:, :2] += shift
    reach = 1.05 * box.side
    far = float(depth[[0, 16]].mean())
    ring = np.array([
        [box.centre[0] + reach * x, box.centre[1] + reach * y, far]
        for x in (-1, -0.5, 0, 0.5, 1) for y in (-1, -0.5, 0, 0.5, 1) if max(abs(x), abs(y)) == 1
    ])  # fmt: skip
    vertices = np.concatenate([placed, extra, ring])
    turning = np.r_[np.ones(68 + len(extra)), np.zeros(len(ring))]
    return vertices, turning, Delaunay(vertices[:, :2]).simplices


def turn(pixels: Pixels, points: Points, box: FaceBox, by: float) -> tuple[Pixels, Points]:
    """Picture and points with the head turned by so many degrees, positive to the right."""
    vertices, turning, triangles = surface(points, box)
    middle = vertices[list(range(17)), :].mean(axis=0)
    moved = (vertices - middle) @ rotation_of(by, 0, 0).T + middle
    moved = np.where(turning[:, None] > 0, moved, vertices)
    # Centred where it was, or the face walks out of its background.
    drift = moved[:68, :2].mean(axis=0) - vertices[:68, :2].mean(axis=0)
    moved[turning > 0, :2] -= drift
    canvas = pixels.copy()
    order = np.argsort(-moved[triangles, 2].mean(axis=1))
    for a, b, c in triangles[order]:
        draw(canvas, pixels, vertices[[a, b, c], :2], moved[[a, b, c], :2])
    return canvas, moved[:68, :2].astype(np.float32)


def draw(canvas: Pixels, pixels: Pixels, source: Array, target: Array) -> None:
    """One triangle of the picture onto the canvas, unless it is seen from behind."""
    if area(source) * area(target) <= 0:
        return
    height, width = canvas.shape[:2]
    left, top = np.clip(np.floor(target.min(axis=0)).astype(int) - 1, 0, [width, height])
    right, bottom = np.clip(np.ceil(target.max(axis=0)).astype(int) + 2, 0, [width, height])
    if right <= left or bottom <= top:
        return
    corner = np.array([left, top], np.float32)
    matrix = cv2.getAffineTransform(source.astype(np.float32), target.astype(np.float32) - corner)
    size = (int(right - left), int(bottom - top))
    warped = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR,
                            borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillConvexPoly(mask, np.round((target - corner) * 16).astype(np.int32), 1, shift=4)
    part = canvas[top:bottom, left:right]
    part[mask > 0] = warped[mask > 0]


def area(triangle: Array) -> float:
    (ax, ay), (bx, by), (cx, cy) = triangle
    return float((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))


def framed(sample: Sample, pixels: Pixels) -> tuple[Pixels, Points, FaceBox]:
    """The face at 2.2 times its box, `SIDE` pixels."""
    box = with_landmark_box(sample).face
    if box is None:
        raise ValueError(f"{sample.origin}: no box")
    cut = CropTransform.from_box(box, SIDE, 2.2)
    points = cut.to_crop_pixels(sample.points).astype(np.float32)
    return cut.to_crop(pixels), points, landmark_box(points, IBUG68)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--least", type=float, default=30.0)
    parser.add_argument("--most", type=float, default=80.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--strict-jaw", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    samples = [s for s in read_dataset(options.csv, split=options.split)
               if not np.isnan(s.points).any() and abs(yaw_of(s.points)) <= FRONTAL]  # fmt: skip
    (options.out / "images").mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(1, options.count + 1):
        s = samples[int(rng.integers(len(samples)))]
        wanted = float(rng.uniform(options.least, options.most)) * (1 if rng.random() < 0.5 else -1)
        pixels, points, box = framed(s, read_image(s.image))
        pixels, points = turn(pixels, points, box, wanted - yaw_of(points))
        name = f"{s.image.stem}_{number}.jpg"
        cv2.imwrite(str(options.out / "images" / name), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR),
                    [cv2.IMWRITE_JPEG_QUALITY, 95])  # fmt: skip
        visible = np.full(68, 2)
        visible[:17] = 2 if options.strict_jaw else 1
        visible[9:17] = np.where(wanted > 0, 0, visible[9:17])
        visible[:8] = np.where(wanted < 0, 0, visible[:8])
        images.append({"id": number, "file_name": name, "width": SIDE, "height": SIDE})
        annotations.append({
            "id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "yaw": round(wanted),
            "num_keypoints": int((visible > 0).sum()),
            "keypoints": [v for (x, y), k in zip(points.round(2).tolist(), visible, strict=True)
                          for v in ((x, y, int(k)) if k else (0, 0, 0))],
        })  # fmt: skip
    categories = [{"id": 1, "name": "face", "keypoints": list(IBUG68.point_names), "skeleton": []}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (options.out / "annotations.json").write_text(json.dumps(content))
    print(f"{options.out}: {len(images)} faces")


if __name__ == "__main__":
    main()
