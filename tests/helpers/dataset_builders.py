"""Small datasets in every known layout, drawn by the tests.

Every labelled point is one white pixel of its picture, so a reader that is off by one, swaps x
and y or numbers points wrongly does not find its points.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpcli.geometry import REFERENCE_FIVE
from kpcli.schemes import IBUG68, KAGGLE15, WFLW98_TO_IBUG68

SIZE = 240
Points = NDArray[np.float64]
Pixels = NDArray[np.uint8]


def _arc(n: int, centre: tuple[float, float], radii: tuple[float, float], a: float, b: float):
    """n points of an ellipse from angle a to b, in degrees clockwise on the screen."""
    angles = np.radians(np.linspace(a, b, n))
    return np.stack(
        [centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], axis=1
    )


def unit_face68() -> Points:
    """A plausible upright face of 68 points, (68, 2), spanning about -0.5..0.5."""
    ring = [180, 240, 300, 360, 420, 480]
    eye = [np.array([0.09 * np.cos(np.radians(a)), 0.04 * np.sin(np.radians(a))]) for a in ring]
    return np.concatenate(
        [
            _arc(17, (0, -0.12), (0.48, 0.62), 180, 0),
            _arc(5, (-0.24, -0.34), (0.16, 0.1), 200, 340),
            _arc(5, (0.24, -0.34), (0.16, 0.1), 200, 340),
            np.stack([np.zeros(4), np.linspace(-0.25, -0.04, 4)], axis=1),
            np.stack([np.linspace(-0.09, 0.09, 5), [0.02, 0.04, 0.05, 0.04, 0.02]], axis=1),
            np.array([[-0.22, -0.25]] * 6) + eye,
            np.array([[0.22, -0.25]] * 6) + eye,
            _arc(13, (0, 0.22), (0.19, 0.09), 180, 540)[:12],
            _arc(9, (0, 0.22), (0.13, 0.04), 180, 540)[:8],
        ]
    )


def unit_face98() -> Points:
    """The same face with WFLW's 98 points."""
    face = unit_face68()
    points = np.full((98, 2), np.nan)
    points[list(WFLW98_TO_IBUG68)] = face
    points[0:33] = _arc(33, (0, -0.12), (0.48, 0.62), 180, 0)
    for first, brow in ((38, face[17:22]), (47, face[22:27])):
        missing = [i for i in range(first - 5, first + 4) if np.isnan(points[i, 0])]
        points[missing] = brow[[3, 2, 1, 0]] + [0.01, 0.05]
    for missing, eye in ((62, 0), (66, 0), (70, 1), (74, 1)):
        ring = face[36:42] if eye == 0 else face[42:48]
        lift = np.array([0, -0.05 if missing in (62, 70) else 0.05])
        points[missing] = ring.mean(axis=0) + lift
    points[96], points[97] = face[36:42].mean(axis=0), face[42:48].mean(axis=0)
    return points


def unit_face29() -> Points:
    """COFW's 29 points of a plausible face."""
    rows = [
        *((-0.38, -0.4), (0.38, -0.4), (-0.08, -0.4), (0.08, -0.4)),
        *((-0.22, -0.44), (-0.22, -0.37), (0.22, -0.44), (0.22, -0.37)),
        *((-0.31, -0.25), (0.31, -0.25), (-0.13, -0.25), (0.13, -0.25)),
        *((-0.22, -0.29), (-0.22, -0.21), (0.22, -0.29), (0.22, -0.21)),
        *((-0.21, -0.25), (0.21, -0.25), (-0.09, 0.02), (0.09, 0.02), (0, -0.04), (0, 0.05)),
        *((-0.19, 0.22), (0.19, 0.22), (0, 0.14), (0, 0.19), (0, 0.25), (0, 0.3), (0, 0.5)),
    ]
    return np.array(rows)


def unit_face15() -> Points:
    """Kaggle's 15 points: "left" is the person's own left, on the right of the picture."""
    places = {
        "eye_center": (0.22, -0.25),
        "eye_inner_corner": (0.13, -0.25),
        "eye_outer_corner": (0.31, -0.25),
        "eyebrow_inner_end": (0.08, -0.38),
        "eyebrow_outer_end": (0.38, -0.38),
        "nose_tip": (0.0, -0.02),
        "mouth_corner": (0.18, 0.22),
        "mouth_center_top_lip": (0.0, 0.16),
        "mouth_center_bottom_lip": (0.0, 0.3),
    }
    points = []
    for name in KAGGLE15.point_names:
        side = -1 if "right" in name else 1
        x, y = places[name.replace("left_", "").replace("right_", "")]
        points.append((side * x, y))
    return np.array(points)


UNIT_FACES: dict[int, Callable[[], Points]] = {
    5: lambda: REFERENCE_FIVE.copy(),
    15: unit_face15,
    29: unit_face29,
    68: unit_face68,
    98: unit_face98,
}


def face(n_points: int, centre: tuple[float, float] = (120, 118), side: float = 130) -> Points:
    """A face of whole-pixel points (n, 2); no two of them fall on one pixel."""
    points = np.round(UNIT_FACES[n_points]() * side + centre)
    taken: set[tuple[float, float]] = set()
    for point in points:
        while tuple(point) in taken:
            point[0] += 1
        taken.add(tuple(point))
    return points


def picture(points: Points | None = None, seed: int = 0, size: int = SIZE) -> Pixels:
    """Dark smooth noise (size, size, 3) with a white pixel at every point; seeds look unlike."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 140, (6, 6, 3), dtype=np.uint8))
    pixels = np.array(coarse.resize((size, size), Image.Resampling.BICUBIC))
    for x, y in np.zeros((0, 2)) if points is None else points:
        pixels[int(y), int(x)] = 255
    return pixels


def save(path: Path, pixels: Pixels) -> Path:
    """Write a picture; JPEG would blur the points, so ``.jpg`` names hold PNG bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="PNG" if path.suffix == ".jpg" else None)
    return path


def pts_text(points: Points) -> str:
    rows = "\n".join(f"{x + 1:f} {y + 1:f}" for x, y in points)
    return f"version: 1\nn_points:  {len(points)}\n{{\n{rows}\n}}\n"


@dataclass(frozen=True)
class Built:
    """A dataset on disk: where, of how many points, how many rows in each split."""

    root: Path
    n_points: int
    rows: dict[str, int]


def build_ibug(root: Path) -> Built:
    for i, name in enumerate(("afw/1_1", "afw/1_2", "helen/testset/7_1", "ibug/image_003_1")):
        points = face(68, (118 + 3 * i, 118))
        save(root / f"{name}.jpg", picture(points, i))
        (root / f"{name}.pts").write_text(pts_text(points))
    return Built(root, 68, {"train": 2, "test": 2})


def dlib_xml(rows: list[str]) -> str:
    return (
        "<?xml version='1.0'?>\n<dataset>\n<images>\n" + "\n".join(rows) + "\n</images></dataset>"
    )


def dlib_image(file: str, points: Points, attributes: str = "", leave_out: tuple[int, ...] = ()):
    left, top = points.min(axis=0)
    width, height = np.ptp(points, axis=0)
    parts = "\n".join(
        f"<part name='{i:02d}' x='{x:g}' y='{y:g}'/>"
        for i, (x, y) in enumerate(points)
        if i not in leave_out
    )
    box = f"top='{top:g}' left='{left:g}' width='{width:g}' height='{height:g}' {attributes}"
    return f"<image file='{file}'>\n<box {box}>\n{parts}\n</box>\n</image>"


def build_dlib(root: Path) -> Built:
    for split, count in (("train", 2), ("test", 1)):
        rows = []
        for i in range(count):
            points = face(68, (120 + i, 118))
            save(root / split / f"{i}.png", picture(points, 10 * count + i))
            rows.append(dlib_image(f"{split}/{i}.png", points, leave_out=(5,) if i else ()))
        (root / f"labels_{split}.xml").write_text(dlib_xml(rows))
    return Built(root, 68, {"train": 2, "test": 1})


def build_celeba(root: Path) -> Built:
    landmarks = ["4", "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y ..."]
    boxes = ["4", "image_id x_1 y_1 width height"]
    partition = []
    for i, part in enumerate((0, 0, 1, 2)):
        name, points = f"{i:06d}.jpg", face(5, (120 + i, 118))
        save(root / "img_celeba" / name, picture(points, i))
        landmarks.append(f"{name} " + " ".join(f"{v:4.0f}" for v in points.ravel()))
        boxes.append(f"{name} 0 0 0 0" if i == 1 else f"{name} 50 50 140 140")
        partition.append(f"{name} {part}")
    for name, lines in (
        ("Anno/list_landmarks_celeba.txt", landmarks),
        ("Anno/list_bbox_celeba.txt", boxes),
        ("Eval/list_eval_partition.txt", partition),
    ):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("\n".join(lines) + "\n")
    return Built(root, 5, {"train": 2, "val": 1, "test": 1})


def wflw_line(points: Points, name: str, attributes: str = "0 0 0 0 0 0", rect: str = "") -> str:
    coordinates = " ".join(f"{v:f}" for v in points.ravel())
    return f"{coordinates} {rect or '55 40 185 180'} {attributes} {name}"


def build_wflw(root: Path) -> Built:
    lists = root / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    lists.mkdir(parents=True)
    for split, count in (("train", 2), ("test", 1)):
        lines = []
        for i in range(count):
            points = face(98, (120 + i, 118))
            name = f"1--Shaking/1_Shaking_{split}_1_{i}.jpg"
            save(root / "WFLW_images" / name, picture(points, 20 * count + i))
            lines.append(wflw_line(points, name, "1 0 0 1 0 0"))
        (lists / f"list_98pt_rect_attr_{split}.txt").write_text("\n".join(lines) + "\n")
    return Built(root, 98, {"train": 2, "test": 1})


def build_youtube_faces(root: Path) -> Built:
    root.mkdir(parents=True, exist_ok=True)
    for folder, names in (("training", ("Ann_Lee_01", "Ann_Lee_10")), ("test", ("Bob_00",))):
        with (root / f"{folder}_frames_keypoints.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["", *range(136)])
            for i, name in enumerate(names):
                points = face(68, (120 + i, 118))
                save(root / folder / f"{name}.jpg", picture(points, len(name) + i))
                writer.writerow([f"{name}.jpg", *points.ravel()])
    return Built(root, 68, {"train": 2, "test": 1})


def build_cofw(root: Path) -> Built:
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    for split, suffix, count in (("train", "Tr", 2), ("test", "T", 1)):
        with h5py.File(root / f"COFW_{split}_color.mat", "w") as file:
            pictures = file.create_dataset(f"Is{suffix}", (1, count), h5py.ref_dtype)
            labels = np.zeros((87, count))
            for i in range(count):
                points = face(29, (120 + i, 118))
                pixels = picture(points, 30 * count + i)
                # The second picture is gray; MATLAB's columns come first.
                values = pixels[..., 0].T if i == 1 else pixels.transpose(2, 1, 0)
                pictures[0, i] = file.create_dataset(f"#refs#/{i}", data=values).ref
                labels[:, i] = [*points[:, 0], *points[:, 1], *(np.arange(29) < 3)]
            file[f"phis{suffix}"] = labels
            file[f"bboxes{suffix}"] = np.tile([[60.0], [50.0], [120.0], [130.0]], count)
    return Built(root, 29, {"train": 2, "test": 1})


def build_aflw2000(root: Path) -> Built:
    from scipy.io import savemat

    for i in range(2):
        points = face(68, (120 + i, 118))
        save(root / f"image0000{i}.jpg", picture(points, i))
        values = np.vstack([points.T, np.zeros(68)])
        pose = np.array([[0.1, 0.8 * i, 0, 0, 0, 0, 0]])
        savemat(root / f"image0000{i}.mat", {"pt3d_68": values, "Pose_Para": pose})
    return Built(root, 68, {"test": 2})


def build_300w_lp(root: Path) -> Built:
    from scipy.io import savemat

    for i, folder in enumerate(("AFW", "AFW_Flip")):
        points = face(68, (120 + i, 118))
        name = f"AFW_134212_1_{i}"
        save(root / folder / f"{name}.jpg", picture(points, i))
        (root / "landmarks" / folder).mkdir(parents=True)
        savemat(root / "landmarks" / folder / f"{name}_pts.mat", {"pts_2d": points})
        savemat(root / folder / f"{name}.mat", {"pt2d": np.zeros((2, 68))})
    return Built(root, 68, {"train": 2})


def kaggle_row(points: Points, pixels: Pixels) -> dict[str, str]:
    row = {
        f"{name}_{axis}": "" if np.isnan(v) else f"{v:g}"
        for name, point in zip(KAGGLE15.point_names, points, strict=True)
        for axis, v in zip("xy", point, strict=True)
    }
    return {**row, "Image": " ".join(str(v) for v in pixels[..., 0].ravel())}


def build_kaggle(root: Path) -> Built:
    root.mkdir(parents=True, exist_ok=True)
    points = face(15, (48, 46), 70)
    blank = points.copy()
    blank[[2, 3]] = np.nan
    rows = [kaggle_row(p, picture(points, i, 96)) for i, p in enumerate((points, blank))]
    with (root / "training.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return Built(root, 15, {"train": 2})


def coco_json(images: list[str], annotations: list[dict]) -> str:
    category = {"id": 1, "name": "face", "keypoints": list(IBUG68.point_names)}
    rows = [
        {"id": i, "file_name": name, "width": SIZE, "height": SIZE} for i, name in enumerate(images)
    ]
    return json.dumps({"images": rows, "categories": [category], "annotations": annotations})


def coco_annotation(points: Points, image: int = 0, **more: object) -> dict:
    left, top = points.min(axis=0)
    width, height = np.ptp(points, axis=0)
    return {
        "id": 1,
        "image_id": image,
        "category_id": 1,
        "keypoints": [float(v) for p in points for v in (*p, 2)],
        "bbox": [left, top, width, height],
        "iscrowd": 0,
        **more,
    }


def build_coco(root: Path) -> Built:
    for split, count in (("train", 2), ("val", 1)):
        annotations, names = [], []
        for i in range(count):
            points = face(68, (120 + i, 118))
            names.append(f"{split}{i}.png")
            save(root / "images" / split / names[-1], picture(points, 40 * count + i))
            annotations.append(coco_annotation(points, i))
        (root / "annotations").mkdir(exist_ok=True)
        path = root / "annotations" / f"person_keypoints_{split}.json"
        path.write_text(coco_json(names, annotations))
    return Built(root, 68, {"train": 2, "val": 1})


def build_widerface(root: Path) -> Built:
    lists = root / "wider_face_split"
    lists.mkdir(parents=True)
    texts = {
        "train": "0--Parade/a.jpg\n2\n10 20 30 40 1 0 0 0 2 0\n50 60 0 7 0 0 0 0 0 0\n"
        "0--Parade/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n",
        "val": "0--Parade/c.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n",
    }
    for split, text in texts.items():
        (lists / f"wider_face_{split}_bbx_gt.txt").write_text(text)
        for i, line in enumerate(text.splitlines()):
            if line.endswith(".jpg"):
                save(root / f"WIDER_{split}" / "images" / line, picture(seed=50 + i + len(split)))
    return Built(root, 0, {"train": 3, "val": 1})


BUILDERS: dict[str, Callable[[Path], Built]] = {
    "ibug": build_ibug,
    "dlib": build_dlib,
    "celeba": build_celeba,
    "wflw": build_wflw,
    "youtube_faces": build_youtube_faces,
    "cofw": build_cofw,
    "aflw2000": build_aflw2000,
    "kaggle": build_kaggle,
    "coco": build_coco,
    "widerface": build_widerface,
}
"""One a dataset format of the catalogue."""
