"""Small datasets as annotation tools write them; see `dataset_builders`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from helpers.dataset_builders import SIZE, Built, Points, face, picture, save
from kpcli.schemes import IBUG68

NAMES = IBUG68.point_names
ROWS = {"train": 2, "val": 1}


def drawn(
    root: Path, folder: Callable[[str], str] = lambda split: split
) -> Iterator[tuple[str, int, Path, Points]]:
    """(split, number, picture, points) of three faces whose pictures are written."""
    for split, count in ROWS.items():
        for i in range(count):
            points = face(68, (120 + i, 118))
            path = root / folder(split) / f"{split[0]}{i}.png"
            yield split, i, save(path, picture(points, 90 * count + i)), points


def build_labelme(root: Path) -> Built:
    for i, (_, _, path, points) in enumerate(drawn(root)):
        shapes = [
            {"label": name, "points": [(p + 0.5).tolist()], "group_id": None, "shape_type": "point"}
            for name, p in zip(reversed(NAMES), points[::-1], strict=True)
        ]
        if i == 0:
            low, high = (points.min(axis=0) + 0.5).tolist(), (points.max(axis=0) + 0.5).tolist()
            shapes.append({"label": "face", "points": [low, high], "shape_type": "rectangle"})
        content = {
            "version": "5.4.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": path.name,
            "imageData": None,
            "imageHeight": SIZE,
            "imageWidth": SIZE,
        }
        path.with_suffix(".json").write_text(json.dumps(content))
    return Built(root, 68, ROWS)


def studio_task(image: str, faces: list[Points], *, parents: bool = False) -> dict:
    results = []
    for k, points in enumerate(faces):
        common = {"original_width": SIZE, "original_height": SIZE, "to_name": "image"}
        if parents:
            (left, top), (width, height) = points.min(axis=0) + 0.5, np.ptp(points, axis=0)
            box = {"x": left, "y": top, "width": width, "height": height}
            value = {key: 100 * float(v) / SIZE for key, v in box.items()}
            value["rectanglelabels"] = ["face"]
            results.append({**common, "id": f"face{k}", "type": "rectanglelabels", "value": value})
        for name, (x, y) in zip(NAMES, points, strict=True):
            value = {
                "x": 100 * (float(x) + 0.5) / SIZE,
                "y": 100 * (float(y) + 0.5) / SIZE,
                "width": 0.4,
                "keypointlabels": [name],
            }
            result = {**common, "type": "keypointlabels", "from_name": "kp", "value": value}
            results.append({**result, "parentID": f"face{k}"} if parents else result)
    return {"id": 1, "data": {"image": image}, "annotations": [{"result": results}]}


def build_labelstudio(root: Path) -> Built:
    tasks: dict[str, list[dict]] = {"train": [], "val": []}
    for split, i, path, points in drawn(root, lambda split: "images"):
        tasks[split].append(
            studio_task(f"/data/upload/1/1a2b3c4d-{path.name}", [points], parents=i == 1)
        )
    for split, made in tasks.items():
        (root / f"{split}.json").write_text(json.dumps(made))
    return Built(root, 68, ROWS)


def cvat_meta(names: tuple[str, ...] = NAMES) -> str:
    labels = "".join(f"<label><name>{n}</name><type>points</type></label>" for n in names)
    lines = "".join(
        f"&lt;circle data-element-id=&quot;{i}&quot; data-node-id=&quot;{i}&quot; "
        f"data-label-name=&quot;{n}&quot;&gt;&lt;/circle&gt;"
        for i, n in enumerate(names)
    )
    return (
        "<meta><task><labels><label><name>face</name><type>skeleton</type>"
        f"<svg>&lt;line data-node-from=&quot;0&quot; data-node-to=&quot;1&quot;&gt;&lt;/line&gt;"
        f"{lines}</svg><sublabels>{labels}</sublabels></label></labels></task></meta>"
    )


def cvat_skeleton(points: Points) -> str:
    parts = "\n".join(
        f'<points label="{name}" outside="0" occluded="0" points="{x + 0.5:.2f},{y + 0.5:.2f}">'
        "</points>"
        for name, (x, y) in zip(NAMES, points, strict=True)
    )
    return f'<skeleton label="face" source="manual" z_order="0">\n{parts}\n</skeleton>'


def build_cvat(root: Path) -> Built:
    images: dict[str, list[str]] = {"train": [], "val": []}
    for split, i, path, points in drawn(root, lambda split: "images"):
        body = cvat_skeleton(points)
        size = f'width="{SIZE}" height="{SIZE}"'
        images[split].append(f'<image id="{i}" name="{path.name}" {size}>\n{body}\n</image>')
    for split, rows in images.items():
        text = "\n".join(["<annotations>", "<version>1.1</version>", cvat_meta(), *rows])
        (root / f"{split}.xml").write_text(
            f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n</annotations>"
        )
    return Built(root, 68, ROWS)


def build_via(root: Path) -> Built:
    files: dict[str, dict[str, dict]] = {"train": {}, "val": {}}
    for split, _, path, points in drawn(root, lambda split: "."):
        regions = [
            {
                "shape_attributes": {"name": "point", "cx": int(x), "cy": int(y)},
                "region_attributes": {"name": name},
            }
            for name, (x, y) in zip(NAMES, points, strict=True)
        ]
        entry = {"filename": path.name, "size": 1, "regions": regions, "file_attributes": {}}
        files[split][f"{path.name}1"] = entry
    for split, entries in files.items():
        content = {"_via_settings": {}, "_via_img_metadata": entries, "_via_attributes": {}}
        (root / f"via_{split}.json").write_text(json.dumps(content, indent=0))
    return Built(root, 68, ROWS)


def build_deeplabcut(root: Path) -> Built:
    tables: dict[Path, list[list[object]]] = {}
    for _, _, path, points in drawn(root, lambda split: f"labeled-data/{split}"):
        index = path.relative_to(root).parts
        tables.setdefault(path.parent, []).append([*index, *points.ravel()])
    for folder, rows in tables.items():
        with (folder / "CollectedData_me.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            blank = ["", ""]
            writer.writerow(["scorer", *blank, *["me"] * 136])
            writer.writerow(["bodyparts", *blank, *[n for name in NAMES for n in (name, name)]])
            writer.writerow(["coords", *blank, *["x", "y"] * 68])
            writer.writerows(rows)
    return Built(root, 68, ROWS)


def build_fiftyone(root: Path) -> Built:
    for split in ROWS:
        entries = [
            {
                "filepath": f"data/{path.name}",
                "tags": [],
                "ground_truth": {
                    "_cls": "Keypoints",
                    "keypoints": [{"_cls": "Keypoint", "points": (points / SIZE).tolist()}],
                },
            }
            for own, _, path, points in drawn(root, lambda own: f"{own}/data")
            if own == split
        ]
        about = {"default_skeleton": {"labels": list(NAMES), "edges": [[0, 1, 2]]}}
        (root / split / "metadata.json").write_text(json.dumps(about))
        (root / split / "samples.json").write_text(json.dumps({"samples": entries}, indent=0))
    return Built(root, 68, ROWS)


def build_yolo(root: Path) -> Built:
    for split, _, path, points in drawn(root, lambda split: f"images/{split}"):
        box = [*(points.min(axis=0) + points.max(axis=0)) / 2, *np.ptp(points, axis=0)]
        values = [v / SIZE for v in box] + [v for x, y in points for v in (x / SIZE, y / SIZE, 2)]
        label = root / "labels" / split / f"{path.stem}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 " + " ".join(f"{v:.10f}" for v in values) + "\n")
    flips = list(IBUG68.flip_order)
    (root / "data.yaml").write_text(
        f"path: .\ntrain: images/train\nval: images/val\nkpt_shape: [68, 3]  # x, y, v\n"
        f"flip_idx: {flips}\nnames:\n  0: face\n"
    )
    return Built(root, 68, ROWS)


def build_text(root: Path) -> Built:
    for split, i, path, points in drawn(root, lambda split: f"{split}/images"):
        label = root / split / "landmarks" / f"{path.stem}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        count = "68\n" if i == 0 else ""
        label.write_text(count + "".join(f"{x:.2f} {y:.2f}\n" for x, y in points))
    return Built(root, 68, ROWS)


def build_csv(root: Path) -> Built:
    columns = [f"{axis}_{i}" for i in range(68) for axis in "xy"]
    rows: dict[str, list[list[object]]] = {"train": [], "val": []}
    for split, _, path, points in drawn(root, lambda split: "images"):
        rows[split].append([f"images/{path.name}", *points.ravel()])
    for split, own in rows.items():
        with (root / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["image", *columns], *own])
    return Built(root, 68, ROWS)


def build_annotated(root: Path) -> Built:
    columns = ["file", "frame", "timestamp", "face_id", "left", "top", "right", "bottom"]
    columns += ["confidence", "success", *(f"{a}_{i}" for a in "xy" for i in range(68))]
    faces = list(drawn(root))
    for split in ROWS:
        rows = [
            [path.name, 1, 0, 0, 50, 40, 190, 200, 0.9, 1, *points.T.ravel()]
            for own, _, path, points in faces
            if own == split
        ]
        with (root / split / "landmarks.csv").open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
    return Built(root, 68, ROWS)


def build_review(root: Path) -> Built:
    """Journals of `kpcli review`, one a split, of faces corrected and faces that are none."""
    faces = list(drawn(root))
    for split in ROWS:
        header = {"kpcli": "review", "scheme": "ibug68", "kind": "annotated", "table": "",
                  "dataset": "out"}  # fmt: skip
        lines: list[dict] = [header]
        for own, _, path, points in faces:
            if own == split:
                place = {"file": path.name, "frame": 1, "picture": path.name}
                facts = {"split": split}
                lines.append({**place, "face": "0", "version": 1, "status": "corrected",
                              "points": points.tolist(), "box": [50, 40, 190, 200],
                              "size": [SIZE, SIZE], "facts": facts})  # fmt: skip
                lines.append({**place, "face": "1", "version": 1, "status": "not_a_face",
                              "points": [None] * 68})  # fmt: skip
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (root / split / "journal.jsonl").write_text(text)
    return Built(root, 68, ROWS)


TOOL_BUILDERS: dict[str, Callable[[Path], Built]] = {
    "labelme": build_labelme,
    "labelstudio": build_labelstudio,
    "cvat": build_cvat,
    "via": build_via,
    "deeplabcut": build_deeplabcut,
    "fiftyone": build_fiftyone,
    "yolo": build_yolo,
    "text": build_text,
    "csv": build_csv,
    "annotated": build_annotated,
    "review": build_review,
}
"""One a format of annotation tools and of plain text."""

TOOL_FILES: dict[str, tuple[str, ...]] = {
    "labelme": ("train/t0.json",),
    "labelstudio": ("train.json",),
    "cvat": ("train.xml",),
    "via": ("via_train.json",),
    "deeplabcut": ("labeled-data/train/CollectedData_me.csv",),
    "fiftyone": ("train/samples.json",),
    "yolo": ("labels/train/t0.txt", "data.yaml"),
    "text": ("train/landmarks/t0.txt",),
    "csv": ("train.csv",),
    "annotated": ("train/landmarks.csv",),
    "review": ("train/journal.jsonl",),
}
"""The files of each that fuzzing damages."""
