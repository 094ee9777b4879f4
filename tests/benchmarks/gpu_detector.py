"""Train the face detector on a rented GPU that nothing reaches: pack here, train there, unpack.

The pictures lie in the GPU's memory and crops are made there, so that no processor holds it up.
Batches are those of `kpcli.training.detection`, the loss is its loss; besides, faces of WIDER FACE
teach the landmark box by what the landmark model sees in them (`Pseudo`), which needs no picture.

Here, with kpcli's own environment; ``WIDER`` is WIDER FACE's train at full size, ``ENCODED`` has
``order.txt``, its pictures in the order of use, and in ``avif`` these pictures at 640 px::

    python tests/benchmarks/gpu_detector.py pack ../shared/data WIDER .gpu --wheels WHEELS \
        --encoded ENCODED

There, with JAX and the wheels of keras, namex and optree (see `TRAIN` for the options)::

    XLA_FLAGS=--xla_gpu_autotune_level=2 bash .gpu/det1/start.sh 7    # minutes
    python gpu_detector.py train --payload .gpu --out out --minutes 7  # what it calls

Here again; `RUN/model` is then a bundle for ship_detector.py, its validation pictures those of the
kinds of scene `VAL`, which this training does not see::

    python tests/benchmarks/gpu_detector.py unpack out/a.npz ../shared/data --out RUN
    python tests/benchmarks/gpu_detector.py mark BOXES.csv --out SHIP.csv
    python tests/benchmarks/ship_detector.py RUN/model SHIP.csv ../shared/data

One part of the payload a folder: det1 is needed to begin, det2 and det3 may come later.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

VAL = (
    "16--Award_Ceremony", "21--Festival", "37--Soccer", "40--Gymnastics",
    "55--Sports_Coach_Trainer", "6--Funeral",
)  # fmt: skip
"""Kinds of scene of widerface_more that measure a training and calibrate its scores."""
CANDIDATES: dict[str, dict[str, Any]] = {
    "a": {"STEM": (16, 24), "WIDTHS": (48, 64, 64, 48), "start": True}
}
"""Constants of kpcli.architectures.face_detector, and whether to start from the shipped weights."""
SIDE, ATLAS = 640, 960
"""Long side of a picture, and rows of the picture above its half and its quarter."""
MOST = 384
"""Boxes a picture; pictures with more stay out."""
REGION, FACE = 2.1, 144
"""Side of a landmarked face's region, in sides of its box and in pixels."""
SHEET = 8
PART_BYTES = int(27.6 * 2**20)
FACES = 1500
TILES = ((1, 0.4), (2, 0.25), (3, 0.15), (4, 0.13), (6, 0.07))
LEAST_PSEUDO = 20.0
LATE_WEIGHT = 0.55
"""Of pictures drawn, the share that is of the first part's set (61 kinds of scene)."""


START = """\
# bash .gpu/det1/start.sh MINUTES: trains on in the background; again, it goes on from what it saved
parts=$(cd "$(dirname "$0")/.." && pwd)
end=$(( $(date +%s) + ${1:-20} * 60 ))
mkdir -p /tmp/det/pay /tmp/det/out
cp -r "$parts/det1" /tmp/det/pay/
ln -sfn "$parts/det2" /tmp/det/pay/det2
ln -sfn "$parts/det3" /tmp/det/pay/det3
python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade \\
    --target /tmp/det/site /tmp/det/pay/det1/wheels/*.whl || exit 1
export PYTHONPATH=/tmp/det/site:/tmp/det/pay/det1/code.zip KERAS_BACKEND=jax PYTHONUNBUFFERED=1
export XLA_PYTHON_CLIENT_MEM_FRACTION=${FRACTION:-0.4} JAX_COMPILATION_CACHE_DIR=/tmp/det/cache
export END=$end
setsid nohup bash -c 'for i in 1 2 3; do
    left=$(( END - $(date +%s) )); [ $left -gt 60 ] || break
    python3 /tmp/det/pay/det1/gpu_detector.py train --payload /tmp/det/pay --out /tmp/det/out \\
        --minutes $(python3 -c "print($left / 60)") $EXTRA && break
done' >>/tmp/det/out/log.txt 2>&1 </dev/null &
echo "detector training started, ${1:-20} minutes: tail /tmp/det/out/log.txt"
"""


# ---------------------------------------------------------------- pack


def pack(given: argparse.Namespace) -> None:
    """Write the payload's folders."""
    from detector_ap import HELD_OUT

    from kpcli.formats import widerface
    from kpcli.training.detection.scenes import Scene, scenes
    from kpcli.types import Sample

    def labelled(root: Path) -> list[Scene]:
        rows = [s for s in widerface.read(root) if isinstance(s, Sample) and s.split == "train"]
        return [s for s in scenes(rows) if len(s.faces) + len(s.ignored) <= MOST]

    more = [s for s in labelled(given.shared / "widerface_more") if _kind(s) not in HELD_OUT]
    val = [s for s in more if _kind(s) in VAL]
    more = [s for s in more if _kind(s) not in VAL]
    rng = np.random.default_rng(3)
    first: list[tuple[Any, bytes]] = [(s, s.image.read_bytes()) for s in more]
    rng.shuffle(first)
    shown = val[:: max(1, len(val) // 48)]
    held = [(s, s.image.read_bytes()) for s in shown]
    train = {f"{_kind(s)}/{s.image.stem}": s for s in labelled(given.wider)}
    rest = []
    for line in (given.encoded / "order.txt").read_text().split("\n"):
        name = line.rsplit(".", 1)[0]
        if name not in train:
            continue
        rest.append((train[name], (given.encoded / "avif" / f"{name}.avif").read_bytes()))

    folders = [given.out / f"det{i}" for i in (1, 2, 3)]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    _pack_code(folders[0], given.wheels)
    _pack_start(folders[0])
    _pack_faces(folders[0], given.shared, rng)
    room = [PART_BYTES] * 3
    room[0] -= sum(f.stat().st_size for f in folders[0].rglob("*") if f.is_file()) + 1_600_000
    blobs: list[list[bytes]] = [[], [], []]
    table: list[tuple[Any, int, int, bool, bool]] = []
    for scene, data in held:
        table.append((scene, 0, len(data), True, True))
        blobs[0].append(data)
        room[0] -= len(data)
    for late, group in ((False, first), (True, rest)):
        for scene, data in group:
            part = next((i for i in range(3) if room[i] >= len(data)), None)
            if part is None:
                continue
            room[part] -= len(data)
            blobs[part].append(data)
            table.append((scene, part, len(data), False, not late))
    for folder, blob in zip(folders, blobs, strict=True):
        (folder / "pictures.bin").write_bytes(b"".join(blob))
    _pack_labels(folders[0], table, given.pseudo)
    for folder in folders:
        (folder / "DONE").write_text("done\n")
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        print(folder, f"{size / 2**20:.2f} MiB")
    counts = [sum(t[1] == i for t in table) for i in range(3)]
    print("pictures a part:", counts, "left out:", len(first) + len(rest) + len(held) - sum(counts))


def _kind(scene: Any) -> str:
    return str(scene.image.parent.name)


def _pack_code(folder: Path, wheels: Path) -> None:
    import zipfile

    root = Path(__file__).resolve().parents[2]
    with zipfile.ZipFile(folder / "code.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((root / "kpcli").rglob("*.py")):
            archive.write(path, str(path.relative_to(root)))
    (folder / "gpu_detector.py").write_bytes(Path(__file__).read_bytes())
    (folder / "start.sh").write_text(START)
    (folder / "wheels").mkdir(exist_ok=True)
    for wheel in wheels.glob("*.whl"):
        (folder / "wheels" / wheel.name).write_bytes(wheel.read_bytes())


def _pack_start(folder: Path) -> None:
    from kpcli.model_bundle import assets
    from kpcli.runtimes.keras_runtime import load_model

    model = load_model(assets() / "face_detector" / "model.keras")
    arrays = {
        f"{layer.name}/{i}": value.astype(np.float32)
        for layer in model.layers
        for i, value in enumerate(layer.get_weights())
    }
    np.savez(folder / "start.npz", **arrays)


def _pack_faces(folder: Path, shared: Path, rng: np.random.Generator) -> None:
    """Regions of landmarked faces on sheets, with their points and boxes in the region's pixels."""
    from kpcli.dataset_csv import with_landmark_box
    from kpcli.library import prepare

    csv = folder.parent / "faces.csv"
    if not csv.exists():
        sources = [shared / n for n in ("300w/helen/trainset", "300w/lfpw", "wflw", "partial68")]
        prepare(sources, out=csv, scheme="ibug68", val=0.1, seed=0)
    from kpcli.dataset_csv import read_dataset
    from kpcli.geometry import CropTransform
    from kpcli.images import read_image

    samples = read_dataset(csv, split="train")
    chosen = [samples[i] for i in rng.permutation(len(samples))[:FACES]]
    cells, points = [], []
    for sample in map(with_landmark_box, chosen):
        assert sample.face is not None
        transform = CropTransform.from_box(sample.face, FACE, REGION)
        cells.append(transform.to_crop(read_image(sample.image)))
        points.append(transform.to_crop_pixels(sample.points))
    arrays: dict[str, Any] = {"points": np.array(points, np.float32)}
    for n, i in enumerate(range(0, len(cells), SHEET**2)):
        block = cells[i : i + SHEET**2]
        block += [np.zeros_like(block[0])] * (SHEET**2 - len(block))
        sheet = np.vstack([np.hstack(block[r : r + SHEET]) for r in range(0, SHEET**2, SHEET)])
        _, data = cv2.imencode(".webp", sheet[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 72])
        arrays[f"sheet{n}"] = data
    np.savez(folder / "faces.npz", **arrays)


def _pack_labels(folder: Path, table: list[tuple[Any, int, int, bool, bool]], path: Path) -> None:
    """Boxes of all pictures as they are at `SIDE`, biggest first, with pseudo landmark boxes."""
    from kpcli.boxes import areas
    from kpcli.letterbox import Letterbox

    pseudo = Pseudo(path)
    n = len(table)
    boxes, tight = np.zeros((n, MOST, 4), np.float32), np.zeros((n, MOST, 4), np.float32)
    kind, known = np.zeros((n, MOST), np.uint8), np.zeros((n, MOST), np.uint8)
    dropped = 0
    for i, (scene, *_) in enumerate(table):
        pixels = np.asarray(cv2.imread(str(scene.image)), np.uint8)
        fitted = Letterbox.fit(pixels, min(SIDE, max(pixels.shape[:2])), 1)
        marks, found = pseudo.boxes(scene, pixels[..., ::-1])
        every = np.concatenate([scene.faces, scene.ignored])
        kinds = np.array([1] * len(scene.faces) + [2] * len(scene.ignored), np.uint8)
        marks = np.concatenate([marks, np.zeros((len(scene.ignored), 4))])
        found = np.concatenate([found, np.zeros(len(scene.ignored), bool)])
        order = np.argsort(-areas(every), kind="stable")[:MOST]
        dropped += len(every) - len(order)
        m = len(order)
        boxes[i, :m] = fitted.to_letterbox(every[order])
        tight[i, :m] = fitted.to_letterbox(marks[order])
        kind[i, :m], known[i, :m] = kinds[order], found[order]
    pseudo.save()
    print(f"{n} pictures, {int((kind == 1).sum())} faces, {int(known.sum())} landmark boxes, "
          f"{dropped} boxes dropped")  # fmt: skip
    np.savez_compressed(
        folder / "labels.npz", boxes=boxes, tight=tight,
        kind=kind, known=known, part=np.array([t[1] for t in table]),
        length=np.array([t[2] for t in table]), val=np.array([t[3] for t in table]),
        many=np.array([t[4] for t in table]),
    )  # fmt: skip


class Pseudo:
    """Boxes tight around the points that the landmark model sees in faces of WIDER FACE."""

    def __init__(self, path: Path) -> None:
        from kpcli.inference.predictor import Predictor
        from kpcli.model_bundle import ModelBundle

        self.path = path
        self.kept = json.loads(path.read_text()) if path.exists() else {}
        self.predictor = Predictor(ModelBundle.open("default"), threads=1)

    def save(self) -> None:
        self.path.write_text(json.dumps(self.kept))

    def boxes(self, scene: Any, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (F, 4) and which of them (F,) are to be believed."""
        name = f"{_kind(scene)}/{scene.image.stem}"
        if name not in self.kept:
            self.kept[name] = self._look(scene, pixels)
        made, sure = np.zeros((len(scene.faces), 4)), np.zeros(len(scene.faces), bool)
        for i, box in self.kept[name]:
            made[i], sure[i] = box, True
        return made, sure

    def _look(self, scene: Any, pixels: np.ndarray) -> list[Any]:
        from kpcli.boxes import areas, pairwise_iou, wider_to_landmark
        from kpcli.geometry import CropTransform, tight_box
        from kpcli.types import FaceBox

        at_work = np.sqrt(areas(scene.faces)) * SIDE / max(pixels.shape[:2])
        chosen = np.flatnonzero(at_work >= LEAST_PSEUDO)
        card = self.predictor.card
        kept: list[Any] = []
        for start in range(0, len(chosen), 16):
            few = chosen[start : start + 16]
            guesses = wider_to_landmark(scene.faces[few])
            looks = [
                CropTransform.from_box(FaceBox(*map(float, g)), card.input_size, card.crop_scale)
                for g in guesses
            ]
            crops = np.stack([t.to_crop(np.ascontiguousarray(pixels)) for t in looks])
            seen = self.predictor.predict(crops)
            for i, t, g, unit, sure in zip(
                few, looks, guesses, seen.unit, seen.confidence, strict=True
            ):
                box = tight_box(t.to_frame(unit))
                made = np.array([[box.left, box.top, box.right, box.bottom]])
                if sure >= 0.5 and pairwise_iou(made, g[None])[0, 0] >= 0.45:
                    kept.append((int(i), [round(float(v), 1) for v in made[0]]))
        return kept


# ---------------------------------------------------------------- the device: pictures


def decoded_picture(data: bytes) -> np.ndarray:
    """A picture (H, W, 3) RGB, by whichever library can."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is not None:
        return np.ascontiguousarray(pixels[..., ::-1])
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def packed(pixels: np.ndarray) -> np.ndarray:
    """RGB as one uint32 a pixel."""
    wide = pixels.astype(np.uint32)
    return wide[..., 0] | (wide[..., 1] << 8) | (wide[..., 2] << 16)


def atlas(pixels: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """A picture above its half and its quarter, packed (ATLAS, SIDE), and its width and height."""
    if max(pixels.shape[:2]) > SIDE:
        k = SIDE / max(pixels.shape[:2])
        new = max(1, round(pixels.shape[1] * k)), max(1, round(pixels.shape[0] * k))
        pixels = cv2.resize(pixels, new, interpolation=cv2.INTER_AREA)
    height, width = pixels.shape[:2]
    whole = cv2.copyMakeBorder(
        pixels, 0, SIDE - height, 0, SIDE - width, cv2.BORDER_REPLICATE
    )  # fmt: skip
    made = np.zeros((ATLAS, SIDE), np.uint32)
    made[:SIDE] = packed(whole)
    half = cv2.resize(whole, (SIDE // 2,) * 2, interpolation=cv2.INTER_AREA)
    made[SIDE:, : SIDE // 2] = packed(half)
    quarter = cv2.resize(half, (SIDE // 4,) * 2, interpolation=cv2.INTER_AREA)
    made[SIDE : SIDE + SIDE // 4, SIDE // 2 : SIDE // 2 + SIDE // 4] = packed(quarter)
    return made, (width, height)


class Payload:
    """Labels and whatever parts have come; reads each once, as soon as it is whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        labels = np.load(folder / "det1/labels.npz")
        self.labels = {name: labels[name] for name in labels.files}
        self.taken: set[int] = set()
        self.ready: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.lock = threading.Lock()

    def arrived(self) -> list[int]:
        """Parts that are whole and not taken yet."""
        found = []
        for part in range(3):
            file = self.folder / f"det{part + 1}/pictures.bin"
            size = int(self.labels["length"][self.labels["part"] == part].sum())
            if part in self.taken:
                continue
            done = file.exists() and (file.parent / "DONE").exists()
            if done and file.stat().st_size == size:
                found.append(part)
        return found

    def take(self, part: int, workers: int) -> None:
        """Decode a part into `ready`, in chunks of rows, atlases and sizes."""
        self.taken.add(part)
        data = (self.folder / f"det{part + 1}/pictures.bin").read_bytes()
        rows = np.flatnonzero(self.labels["part"] == part)
        ends = np.cumsum(self.labels["length"][rows])

        def one(i: int) -> tuple[int, np.ndarray, tuple[int, int]] | None:
            try:
                begin = int(ends[i] - self.labels["length"][rows[i]])
                return (int(rows[i]), *atlas(decoded_picture(data[begin : int(ends[i])])))
            except Exception as e:
                print("picture", rows[i], repr(e)[:100], flush=True)
                return None

        with ThreadPoolExecutor(workers) as pool:
            for start in range(0, len(rows), 32):
                made = pool.map(one, range(start, min(start + 32, len(rows))))
                good = [m for m in made if m is not None]
                if good:
                    index, maps, sizes = zip(*good, strict=True)
                    chunk = np.array(index), np.stack(maps), np.array(sizes, np.float32)
                    with self.lock:
                        self.ready.append(chunk)
        print(f"part {part + 1}: {len(rows)} pictures decoded", flush=True)

    def chunks(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        with self.lock:
            some, self.ready = self.ready, []
        return some


def face_bank(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Regions (F, FACE * 3/2, FACE) packed, the half below the whole, and points (F, 68, 2)."""
    data = np.load(path)
    points = data["points"]
    cells = []
    for n in range(sum(name.startswith("sheet") for name in data.files)):
        sheet = decoded_picture(data[f"sheet{n}"].tobytes())
        for row in np.split(sheet, SHEET, axis=0):
            cells += np.split(row, SHEET, axis=1)
    bank = np.zeros((len(points), FACE * 3 // 2, FACE), np.uint32)
    for i, cell in enumerate(cells[: len(points)]):
        bank[i, :FACE] = packed(cell)
        small = cv2.resize(
            np.ascontiguousarray(cell), (FACE // 2,) * 2, interpolation=cv2.INTER_AREA
        )
        bank[i, FACE:, : FACE // 2] = packed(small)
    return bank, points


# ---------------------------------------------------------------- the device: batches


class Batches:
    """Makes batches on the device; `kpcli.training.detection.scenes` in JAX."""

    def __init__(self, labels: dict[str, np.ndarray], faces: Path, limit: int | None) -> None:
        import jax
        import jax.numpy as jnp

        n = len(labels["part"]) if limit is None else min(limit, len(labels["part"]))
        self.bank = jnp.zeros((n, ATLAS, SIDE), jnp.uint32)
        self.sizes = np.full((n, 2), 1.0, np.float32)
        self.there = np.zeros(n, bool)
        self.val, self.many = labels["val"][:n], labels["many"][:n]
        self.boxes = jnp.asarray(labels["boxes"][:n])
        self.tight = jnp.asarray(labels["tight"][:n])
        self.kind = jnp.asarray(labels["kind"][:n])
        self.known = jnp.asarray(labels["known"][:n])
        bank, points = face_bank(faces)
        self.face_bank, self.points = jnp.asarray(bank), jnp.asarray(points)
        self._put = jax.jit(
            lambda bank, rows, new: bank.at[rows].set(new, mode="drop"), donate_argnums=0
        )
        self._make = jax.jit(_batch, static_argnames=("size", "single", "four", "mosaic"))
        self.cumulated = jnp.zeros(n)

    def add(self, rows: np.ndarray, maps: np.ndarray, sizes: np.ndarray) -> None:
        inside = rows < len(self.there)
        rows, maps, sizes = rows[inside], maps[inside], sizes[inside]
        if not len(rows):
            return
        self.sizes[rows], self.there[rows] = sizes, True
        short = 32 - len(rows)  # one shape: one compilation
        rows = np.concatenate([rows, np.full(short, 2**30)]).astype(np.int32)
        maps = np.concatenate([maps, np.zeros((short, *maps.shape[1:]), np.uint32)])
        self.bank = self._put(self.bank, rows, maps)

    def refresh(self) -> None:
        """Let what was added be drawn."""
        import jax.numpy as jnp

        usable = self.there & ~self.val
        weight = np.zeros(len(usable))
        groups = (usable & self.many, usable & ~self.many)
        for group, share in zip(groups, (LATE_WEIGHT, 1 - LATE_WEIGHT), strict=True):
            if group.any():
                weight[group] = share / group.sum()
        # A part alone is drawn evenly; together, the kinds of the first part count more.
        self.cumulated = jnp.asarray(np.cumsum(weight / weight.sum()), jnp.float32)
        self.device_sizes = jnp.asarray(self.sizes)

    def lowered(self, key: Any, size: int, count: int) -> Any:
        """What makes a batch of so many pictures, to be compiled."""
        mosaic = max(1, round(0.1 * count))
        four = max(1, round(0.12 * count))
        return self._make.lower(
            key, *self.arrays(), size=size, single=count - mosaic - four, four=four, mosaic=mosaic
        )

    def arrays(self) -> tuple[Any, ...]:
        """What `_batch` takes."""
        return (
            self.bank, self.device_sizes, self.boxes, self.tight, self.kind, self.known,
            self.cumulated, self.face_bank, self.points,
        )  # fmt: skip


SMALLEST, LEAST_SHOWN = 5.0, 7.0
STRIDES = (8, 16, 32, 64)


def _batch(
    key: Any, bank: Any, sizes: Any, boxes: Any, tight: Any, kind: Any, known: Any,
    cumulated: Any, face_bank: Any, points: Any, *, size: int, single: int, four: int, mosaic: int,
) -> dict[str, Any]:  # fmt: skip
    import jax
    import jax.numpy as jnp

    from kpcli.cells import cell_grid

    cells = jnp.asarray(cell_grid(size, size, STRIDES))
    keys = jax.random.split(key, 8)
    data = (bank, sizes, boxes, tight, kind, known, cumulated)
    many = 40 if size <= 320 else 64
    picture, labels = _scenes(keys[0], data, single, size)
    parts = [(picture, *_targets(labels, cells, many))]
    picture, labels = _scenes(keys[1], data, 4 * four, size // 2)
    shift = jnp.array([[0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]]) * (size // 2)
    labels = {name: v.reshape(four, 4, *v.shape[1:]) for name, v in labels.items()}
    labels["box"] = labels["box"] + shift[None, :, None]
    labels["tight"] = labels["tight"] + shift[None, :, None]
    labels = {name: v.reshape(four, -1, *v.shape[3:]) for name, v in labels.items()}
    half = size // 2
    picture = picture.reshape(four, 2, 2, half, half, 3).transpose(0, 1, 3, 2, 4, 5)
    parts.append((picture.reshape(four, size, size, 3), *_targets(labels, cells, many)))
    parts.append(_mosaics(keys[2], face_bank, points, cells, mosaic, size, many))
    pictures, faces, real, counted, second, second_real = (
        jnp.concatenate(v) for v in zip(*parts, strict=True)
    )
    pictures = _covered_faces(keys[3], pictures, faces, real)
    pictures = _photometric(keys[4], pictures)
    landmark = jnp.concatenate([jnp.zeros(single + four), jnp.ones(mosaic)])[:, None]
    return {
        "pictures": jnp.round(jnp.clip(pictures, 0, 255)), "faces": faces, "real": real,
        "counted": counted, "second": second, "second_real": second_real, "landmark": landmark,
        "cells": cells[None],
    }  # fmt: skip


def _log_uniform(key: Any, low: Any, high: Any, shape: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return jnp.exp(jnp.log(low) + jax.random.uniform(key, shape) * (jnp.log(high) - jnp.log(low)))


def _turns(key: Any, count: int) -> Any:
    """Degrees; `kpcli.training.detection.scenes.random_turn`."""
    import jax
    import jax.numpy as jnp

    a, b, c, d = jax.random.split(key, 4)
    kind = jax.random.uniform(a, (count,))
    usual = jnp.clip(jax.random.normal(b, (count,)) * 8, -20, 20)
    wide = jax.random.uniform(c, (count,), minval=-60, maxval=60)
    every = jax.random.uniform(d, (count,), minval=-180, maxval=180)
    return jnp.where(kind < 0.05, every, jnp.where(kind < 0.15, wide, usual))


def _matrix(scale: Any, degrees: Any, mirror: Any) -> Any:
    """Linear maps (B, 2, 2), picture to crop; `kpcli.geometry.CropTransform`."""
    import jax.numpy as jnp

    angle = jnp.deg2rad(degrees)
    cos, sin = scale * jnp.cos(angle), scale * jnp.sin(angle)
    first = jnp.where(mirror[:, None], jnp.stack([-cos, sin], -1), jnp.stack([cos, -sin], -1))
    return jnp.stack([first, jnp.stack([sin, cos], -1)], axis=-2)


def _inverse(linear: Any) -> Any:
    """Of maps (..., 2, 2)."""
    import jax.numpy as jnp

    a, b, c, d = linear[..., 0, 0], linear[..., 0, 1], linear[..., 1, 0], linear[..., 1, 1]
    rows = jnp.stack([d, -b], -1), jnp.stack([-c, a], -1)
    return jnp.stack(rows, -2) / (a * d - b * c)[..., None, None]


def _scenes(key: Any, data: Any, count: int, size: int) -> tuple[Any, dict[str, Any]]:
    """Crops (B, S, S, 3) of pictures, and boxes as they lie in them."""
    import jax
    import jax.numpy as jnp

    bank, sizes, every_box, every_tight, every_kind, every_known, cumulated = data
    k = jax.random.split(key, 12)
    which = jnp.clip(
        jnp.searchsorted(cumulated, jax.random.uniform(k[0], (count,))), 0, len(sizes) - 1
    )
    extent, boxes, tight = sizes[which], every_box[which], every_tight[which]
    kind, known = every_kind[which], every_known[which]
    whole = size / extent.max(-1)
    scale = whole * _log_uniform(k[1], 0.9, 2.8, (count,))
    middle = jax.random.uniform(k[2], (count, 2)) * extent
    area = jnp.prod(jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0), -1)
    sides = jnp.sqrt(area)
    large = (kind == 1) & (sides >= 5)
    draw = jnp.where(large, jax.random.uniform(k[3], large.shape) + 1, 0)
    face = draw.argmax(-1)
    side = jnp.take_along_axis(sides, face[:, None], 1)[:, 0]
    box = jnp.take_along_axis(boxes, face[:, None, None], 1)[:, 0]
    wanted = _log_uniform(k[4], LEAST_SHOWN, 0.8 * size, (count,))
    near = jnp.clip(wanted / jnp.maximum(side, 1), 0.8 * whole, jnp.maximum(3.0, whole))
    around = (jax.random.uniform(k[5], (count, 2)) - 0.5) * 0.8 * (size / near)[:, None]
    chosen = large.any(-1) & (jax.random.uniform(k[6], (count,)) < 0.6)
    scale = jnp.where(chosen, near, scale)
    middle = jnp.where(chosen[:, None], (box[:, :2] + box[:, 2:]) / 2 + around, middle)
    reach = jnp.minimum(0.85 * (size / scale / 2)[:, None], extent / 2)
    middle = jnp.clip(middle, reach, extent - reach)
    degrees = _turns(k[7], count)
    linear = _matrix(scale, degrees, jax.random.uniform(k[8], (count,)) < 0.5)
    shift = (size - 1) / 2 - jnp.einsum("bij,bj->bi", linear, middle)

    softer = jax.random.uniform(k[9], (count,)) < 0.08
    level = jnp.clip(jnp.floor(jnp.log2(1 / scale) + 0.35) + softer, 0, 2).astype(jnp.int32)
    picture = _drawn(bank, which, extent, linear, shift, level, size)

    def moved(some: Any) -> Any:
        centre = jnp.einsum("bij,bfj->bfi", linear, (some[..., :2] + some[..., 2:]) / 2)
        centre = centre + shift[:, None]
        radii = (some[..., 2:] - some[..., :2]) / 2
        half = jnp.sqrt(jnp.einsum("bij,bfj->bfi", linear**2, radii**2))
        return jnp.concatenate([centre - half, centre + half], -1)

    lies = moved(boxes)
    upright = jnp.abs(degrees) < 15
    return picture, {
        "box": jnp.clip(lies, -0.5, size - 0.5),
        "seen": _area(jnp.clip(lies, -0.5, size - 0.5)) / jnp.maximum(_area(lies), 1e-9),
        "kind": kind, "tight": moved(tight),
        "known": (known > 0) & upright[:, None],
    }  # fmt: skip


def _area(boxes: Any) -> Any:
    import jax.numpy as jnp

    return jnp.prod(jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0), -1)


def _drawn(
    bank: Any, which: Any, extent: Any, linear: Any, shift: Any, level: Any, size: int
) -> Any:
    """Bilinear crops (B, S, S, 3) from a level of the atlases; black outside of a picture."""
    import jax.numpy as jnp

    inverse = _inverse(linear)
    grid = jnp.stack(jnp.meshgrid(jnp.arange(size), jnp.arange(size)), -1).astype(jnp.float32)
    at = jnp.einsum("bij,byxj->byxi", inverse, grid[None] - shift[:, None, None])
    factor = (2.0**level)[:, None, None, None]
    end = extent[:, None, None]
    inside = ((at > -0.5) & (at < end - 0.5)).all(-1)
    at = (at + 0.5) / factor - 0.5
    last = jnp.ceil(end / factor) - 1
    low = jnp.floor(at)
    part = at - low
    left = jnp.where(level == 2, SIDE // 2, 0)[:, None, None]
    top = jnp.where(level > 0, SIDE, 0)[:, None, None]
    total = 0.0
    for dy in (0, 1):
        for dx in (0, 1):
            x = jnp.clip(low[..., 0] + dx, 0, last[..., 0]).astype(jnp.int32) + left
            y = jnp.clip(low[..., 1] + dy, 0, last[..., 1]).astype(jnp.int32) + top
            weight = (part[..., 0] if dx else 1 - part[..., 0]) * (
                part[..., 1] if dy else 1 - part[..., 1]
            )
            total = total + weight[..., None] * _rgb(bank[which[:, None, None], y, x])
    return jnp.where(inside[..., None], total, 0.0)


def _rgb(wide: Any) -> Any:
    import jax.numpy as jnp

    return jnp.stack([wide & 255, (wide >> 8) & 255, (wide >> 16) & 255], -1).astype(jnp.float32)


def _targets(labels: dict[str, Any], cells: Any, many: int) -> tuple[Any, ...]:
    """Faces to learn, whether each is one, where background counts, landmark boxes."""
    import jax
    import jax.numpy as jnp

    box, seen, kind = labels["box"], labels["seen"], labels["kind"]
    area = _area(box)
    learnt = (kind == 1) & (seen > 0.5) & (area >= SMALLEST**2)
    best, order = jax.lax.top_k(jnp.where(learnt, area, -1.0), many)
    real = best > 0
    faces = jnp.take_along_axis(box, order[..., None], 1)
    second = jnp.take_along_axis(labels["tight"], order[..., None], 1)
    known = jnp.take_along_axis(labels["known"], order, 1) & real
    known &= jnp.take_along_axis(seen, order, 1) > 0.95
    passed = (kind > 0) & (seen > 0) & ~(learnt & (area >= best[:, -1:]))
    x, y = cells[:, 0], cells[:, 1]
    # A loop over blocks of boxes keeps the comparison out of memory.
    covered = jnp.zeros((len(box), len(cells)), bool)
    for start in range(0, box.shape[1], 128):
        b, p = box[:, start : start + 128, None], passed[:, start : start + 128, None]
        hit = (x >= b[..., 0] - 4) & (x <= b[..., 2] + 4) & (y >= b[..., 1] - 4)
        covered |= (hit & (y <= b[..., 3] + 4) & p).any(1)
    return (
        jnp.where(real[..., None], faces, 0.0), real.astype(jnp.float32),
        1.0 - covered, jnp.where(known[..., None], second, 0.0), known.astype(jnp.float32),
    )  # fmt: skip


def _mosaics(
    key: Any, bank: Any, points: Any, cells: Any, count: int, size: int, many: int
) -> tuple[Any, ...]:
    """Landmarked faces side by side; `kpcli.training.detection.scenes.mosaic`."""
    import jax
    import jax.numpy as jnp

    k = jax.random.split(key, 9)
    most = 36
    along = jnp.array([t[0] for t in TILES])[
        jax.random.choice(k[0], len(TILES), (count,), p=jnp.array([t[1] for t in TILES]))
    ]
    shape = (count, most)
    which = jax.random.randint(k[1], shape, 0, len(points))
    side = jnp.floor(size / along)[:, None]
    wide = _log_uniform(k[2], 1.0, 2.2, shape)
    box_side = FACE / REGION
    scale = side / (wide * box_side)
    slack = jnp.maximum(0.0, wide - 1) / 2 * 0.8 * box_side
    middle = (FACE - 1) / 2 + (jax.random.uniform(k[3], (*shape, 2)) * 2 - 1) * slack[..., None]
    degrees = _turns(k[4], count * most).reshape(shape)
    mirror = jax.random.uniform(k[5], shape) < 0.5
    linear = _matrix(scale.reshape(-1), degrees.reshape(-1), mirror.reshape(-1))
    linear = linear.reshape(*shape, 2, 2)
    shift = (side - 1)[..., None] / 2 - jnp.einsum("btij,btj->bti", linear, middle)
    tile = jnp.arange(most)
    column, row = tile[None] % along[:, None], tile[None] // along[:, None]
    corner = jnp.stack([column, row], -1) * side[..., None]
    used = tile[None] < (along**2)[:, None]

    at = jnp.einsum("btij,btpj->btpi", linear, points[which]) + (shift + corner)[:, :, None]
    box = jnp.concatenate([at.min(2), at.max(2)], -1)
    low, high = corner - 0.5, corner + side[..., None] - 0.5
    clipped = jnp.concatenate([
        jnp.clip(box[..., :2], low, high), jnp.clip(box[..., 2:], low, high)
    ], -1)  # fmt: skip
    shown = _area(clipped) / jnp.maximum(_area(box), 1e-9) > 0.5
    real = used & shown
    box = jnp.where(real[..., None], clipped, 0.0)

    x = jnp.arange(size)
    column = jnp.minimum((x[None] // side).astype(jnp.int32), along[:, None] - 1)
    index = column[:, :, None] * along[:, None, None] + column[:, None, :]  # (B, y, x)
    batch = jnp.arange(count)[:, None, None]
    inverse = _inverse(linear)[batch, index]
    offset = (shift + corner)[batch, index]
    grid = jnp.stack(jnp.meshgrid(x, x), -1).astype(jnp.float32)
    from_region = jnp.einsum("byxij,byxj->byxi", inverse, grid[None] - offset)
    inside = ((from_region > -0.5) & (from_region < FACE - 0.5)).all(-1)
    half = (scale < 0.6)[batch, index]
    factor = jnp.where(half, 2.0, 1.0)
    at = (from_region + 0.5) / factor[..., None] - 0.5
    last = jnp.where(half, FACE // 2 - 1, FACE - 1)
    face, low = which[batch, index], jnp.floor(at)
    part, total = at - low, 0.0
    for dy in (0, 1):
        for dx in (0, 1):
            px = jnp.clip(low[..., 0] + dx, 0, last).astype(jnp.int32)
            py = jnp.clip(low[..., 1] + dy, 0, last).astype(jnp.int32) + jnp.where(half, FACE, 0)
            weight = (part[..., 0] if dx else 1 - part[..., 0]) * (
                part[..., 1] if dy else 1 - part[..., 1]
            )
            total = total + weight[..., None] * _rgb(bank[face, py, px])
    gain = jnp.exp(jax.random.normal(k[6], (*shape, 3)) * 0.12)[batch, index]
    level = (jax.random.normal(k[7], shape) * 18)[batch, index]
    pictures = jnp.where(inside[..., None], total * gain + level[..., None], 0.0)

    centre = cells[:, :2]
    margin = 0.2 * (box[..., 2:] - box[..., :2])
    near = (centre >= (box[..., :2] - margin)[:, :, None]) & (
        centre <= (box[..., 2:] + margin)[:, :, None]
    )
    counted = (near.all(-1) & real[..., None]).any(1).astype(jnp.float32)
    pad = ((0, 0), (0, many - most), (0, 0))
    boxes = jnp.pad(box, pad)
    nothing = jnp.zeros((count, many))
    return (
        pictures, boxes, jnp.pad(real.astype(jnp.float32), pad[:2]), counted,
        jnp.zeros_like(boxes), nothing,
    )  # fmt: skip


def _covered_faces(key: Any, pictures: Any, faces: Any, real: Any) -> Any:
    """Now and then, one side of one face is behind something."""
    import jax
    import jax.numpy as jnp

    k = jax.random.split(key, 6)
    count, size = pictures.shape[:2]
    usable = real * (_area(faces) >= 14**2)
    face = (usable * (1 + jax.random.uniform(k[0], real.shape))).argmax(-1)
    do = usable.any(-1) & (jax.random.uniform(k[1], (count,)) < 0.15)
    box = jnp.take_along_axis(faces, face[:, None, None], 1)[:, 0]
    width, height = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
    share = jax.random.uniform(k[2], (count,), minval=0.2, maxval=0.5)
    side = jax.random.randint(k[3], (count,), 0, 4)
    low_x = jnp.where(side == 1, box[:, 2] - share * width, box[:, 0] - 0.1 * width)
    high_x = jnp.where(side == 0, box[:, 0] + share * width, box[:, 2] + 0.1 * width)
    low_y = jnp.where(side == 3, box[:, 3] - share * height, box[:, 1] - 0.1 * height)
    high_y = jnp.where(side == 2, box[:, 1] + share * height, box[:, 3] + 0.1 * height)
    x = jnp.arange(size, dtype=jnp.float32)
    across = (x >= low_x[:, None]) & (x <= high_x[:, None])
    down = (x >= low_y[:, None]) & (x <= high_y[:, None])
    mask = across[:, None, :] & down[:, :, None] & do[:, None, None]
    plain = jax.random.uniform(k[4], (count, 1, 1, 3)) * 255
    noise = jax.random.normal(k[5], (count, size // 4, size // 4, 1)) * 25
    noise = jnp.repeat(jnp.repeat(noise, 4, 1), 4, 2)
    other = jnp.roll(pictures, (size // 3, size // 3), (1, 2))
    patch = jnp.where((plain[..., :1] < 128), other, plain + noise)
    return jnp.where(mask[..., None], patch, pictures)


def _photometric(key: Any, pictures: Any) -> Any:
    """Colour, gray, blur, JPEG, noise; as `kpcli.training.augment`."""
    import jax
    import jax.numpy as jnp

    k = iter(jax.random.split(key, 16))
    count = len(pictures)

    def some(share: float) -> Any:
        return jax.random.uniform(next(k), (count, 1, 1, 1)) < share

    def normal(*tail: int) -> Any:
        return jax.random.normal(next(k), (count, 1, 1, *tail))

    # Blur along both axes, by seven taps of a Gaussian.
    sigma = _log_uniform(next(k), 0.4, 2.0, (count, 1, 1, 1))
    taps = jnp.exp(-0.5 * (jnp.arange(-3, 4) / sigma[..., 0]) ** 2)
    taps = (taps / taps.sum(-1, keepdims=True))[..., None]  # (B, 1, 1, 7, 1)
    soft = pictures
    for axis in (1, 2):
        wide = jnp.pad(soft, [(0, 0)] + [(3, 3) if a == axis else (0, 0) for a in (1, 2)]
                       + [(0, 0)], mode="edge")  # fmt: skip
        soft = sum(
            jax.lax.slice_in_dim(wide, i, i + pictures.shape[axis], axis=axis)
            * taps[..., i, :].reshape(count, 1, 1, 1)
            for i in range(7)
        )
    pictures = jnp.where(some(0.1), soft, pictures)

    ramp = jnp.clip(pictures, 0, 255) / 255
    gamma, contrast = jnp.exp(0.35 * normal(1)), jnp.exp(0.25 * normal(1))
    gains = jnp.exp(0.08 * normal(3))
    toned = jnp.maximum(ramp, 1e-4) ** gamma * (255 * contrast * gains) + 255 * (
        0.5 + 0.12 * normal(1) - 0.5 * contrast
    )
    pictures = jnp.clip(jnp.where(some(0.7), toned, pictures), 0, 255)
    luma = pictures @ jnp.array([[0.299], [0.587], [0.114]])
    pictures = jnp.where(some(0.15), luma, pictures)
    noise = jax.random.normal(next(k), pictures.shape) * _log_uniform(
        next(k), 2.0, 12.0, (count, 1, 1, 1)
    )
    pictures = jnp.where(some(0.08), pictures + noise, pictures)
    quality = jax.random.uniform(next(k), (count, 1, 1, 1), minval=15.0, maxval=70.0)
    return jnp.where(some(0.15), _jpeg(pictures, quality), pictures)


LUMA = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
], np.float32)  # fmt: skip
CHROMA = np.full((8, 8), 99, np.float32)
CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def _jpeg(pictures: Any, quality: Any) -> Any:
    """What JPEG of a quality leaves of pictures, with chroma at half the resolution."""
    import jax.numpy as jnp

    to = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    wide = (pictures - 128.0) @ jnp.asarray(to.T, jnp.float32)
    factor = jnp.where(quality < 50, 50 / quality, 2 - quality / 50)
    n = np.arange(8)
    basis = np.cos(np.pi * (2 * n[None] + 1) * n[:, None] / 16) * np.where(n == 0, 0.5**0.5, 1)[
        :, None
    ]  # fmt: skip
    dct = jnp.asarray(basis / 2, jnp.float32)

    def through(plane: Any, table: np.ndarray) -> Any:
        b, h, w = plane.shape
        block = plane.reshape(b, h // 8, 8, w // 8, 8)
        turned = jnp.einsum("ui,bhiwj,vj->bhuwv", dct, block, dct)
        step = jnp.clip(
            jnp.asarray(table)[None, None, :, None, :] * factor[..., None], 1.0, 255.0
        )  # fmt: skip
        kept = jnp.round(turned / step) * step
        return jnp.einsum("ui,bhuwv,vj->bhiwj", dct, kept, dct).reshape(b, h, w)

    b, h, w, _ = pictures.shape
    luma = through(wide[..., 0], LUMA)
    chroma = []
    for i in (1, 2):
        small = wide[..., i].reshape(b, h // 2, 2, w // 2, 2).mean((2, 4))
        chroma.append(jnp.repeat(jnp.repeat(through(small, CHROMA), 2, 1), 2, 2))
    back = jnp.asarray(np.linalg.inv(to).T, jnp.float32)
    return jnp.stack([luma, *chroma], -1) @ back + 128.0


# ---------------------------------------------------------------- the device: training

TRAIN = {"batch": 128, "lr": 2.5e-3, "decay": 2e-2, "clip": 10.0, "ema": 0.999, "warmup": 0.02}


class Candidate:
    """One network in training: its state and its compiled steps."""

    def __init__(self, name: str, start: Path | None, precision: str) -> None:
        import jax
        import keras

        from kpcli.architectures import face_detector

        settings = CANDIDATES[name]
        for key in ("STEM", "WIDTHS"):
            setattr(face_detector, key, settings[key])
        keras.config.set_dtype_policy(precision)
        keras.utils.set_random_seed(7)
        self.name = name
        self.network = network = face_detector.build()
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.98
        if start is not None:
            print(name, begin_from(network, start), flush=True)
        trained = [np.asarray(v) for v in network.trainable_variables]
        held = [np.asarray(v) for v in network.non_trainable_variables]
        self.decayed = [v.ndim > 1 for v in trained]
        zeros = [np.zeros_like(v) for v in trained]
        self.state = jax.device_put({
            "tv": trained, "ntv": held, "m": zeros, "v": [z.copy() for z in zeros],
            "t": np.zeros((), np.float32), "ema": [v.copy() for v in trained],
            "ema_ntv": [v.copy() for v in held],
        })  # fmt: skip
        self.step = jax.jit(self._step, donate_argnums=0)
        self.look = jax.jit(self._look)
        print(name, f"{network.count_params():,} parameters", flush=True)

    def _loss(self, trained: Any, held: Any, batch: Any) -> tuple[Any, Any]:
        outputs, held = self.network.stateless_call(
            trained, held, batch["pictures"], training=True
        )  # fmt: skip
        return loss(outputs, batch), held

    def _step(self, state: Any, batch: Any, rate: Any) -> tuple[Any, Any]:
        import jax
        import jax.numpy as jnp

        (value, held), slopes = jax.value_and_grad(self._loss, has_aux=True)(
            state["tv"], state["ntv"], batch
        )
        norm = jnp.sqrt(sum(jnp.sum(g.astype(jnp.float32) ** 2) for g in slopes))
        good = jnp.isfinite(norm) & jnp.isfinite(value)
        factor = jnp.where(good, jnp.minimum(1.0, TRAIN["clip"] / jnp.maximum(norm, 1e-6)), 0.0)
        slopes = [jnp.where(good, g, 0.0) * factor for g in slopes]
        t = state["t"] + 1
        m = [0.9 * a + 0.1 * g for a, g in zip(state["m"], slopes, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(state["v"], slopes, strict=True)]
        trained = [
            w - rate * (
                (a / (1 - 0.9**t)) / (jnp.sqrt(b / (1 - 0.999**t)) + 1e-7)
                + (TRAIN["decay"] * w if decays else 0.0)
            )
            for w, a, b, decays in zip(state["tv"], m, v, self.decayed, strict=True)
        ]  # fmt: skip
        held = [jnp.where(good, a, b) for a, b in zip(held, state["ntv"], strict=True)]
        keep = jnp.minimum(TRAIN["ema"], (1 + t) / (10 + t))

        def average(old: Any, new: Any) -> Any:
            return [
                keep * a + (1 - keep) * b if jnp.issubdtype(b.dtype, jnp.floating) else b
                for a, b in zip(old, new, strict=True)
            ]

        return {
            "tv": trained, "ntv": held, "m": m, "v": v, "t": t,
            "ema": average(state["ema"], trained), "ema_ntv": average(state["ema_ntv"], held),
        }, value  # fmt: skip

    def _look(self, trained: Any, held: Any, pictures: Any) -> Any:
        outputs, _ = self.network.stateless_call(trained, held, pictures, training=False)
        return outputs

    def weights(self) -> dict[str, np.ndarray]:
        """Averaged weights by layer."""
        values = {
            id(v): np.asarray(a)
            for vs, kept in (
                (self.network.trainable_variables, self.state["ema"]),
                (self.network.non_trainable_variables, self.state["ema_ntv"]),
            )
            for v, a in zip(vs, kept, strict=True)
        }
        return {
            f"{layer.name}/{i}": values[id(v)]
            for layer in self.network.layers
            for i, v in enumerate(layer.weights)
        }

    def save(self, folder: Path) -> None:
        arrays = self.weights()
        if not all(np.isfinite(a).all() for a in arrays.values()):
            print(self.name, "not saved: weights are not finite", flush=True)
            return
        temporary = folder.parent / f"{self.name}.tmp.npz"
        np.savez(temporary, **arrays)
        os.replace(temporary, folder / f"{self.name}.npz")


def begin_from(network: Any, path: Path) -> str:
    """The shipped weights in the network, whose layers may be wider and whose head is split."""
    from kpcli.architectures.face_detector import FIRST_SIDE
    from kpcli.training.networks import _widened

    class Other:
        def __init__(self, weights: list[np.ndarray]) -> None:
            self.weights, self._weights = weights, weights

        def get_weights(self) -> list[np.ndarray]:
            return self._weights

    data = np.load(path)
    theirs: dict[str, list[np.ndarray]] = {}
    for name in data.files:
        layer, i = name.rsplit("/", 1)
        theirs.setdefault(layer, []).insert(int(i), data[name])
    if "head_boxes" in theirs:
        kernel, bias = theirs["head_boxes"]
        offset = np.array([0, 0, np.log(FIRST_SIDE), np.log(FIRST_SIDE)], np.float32)
        theirs["head_box"] = [kernel[..., :4], bias[:4] + offset]
        theirs["head_landmark_box"] = [kernel[..., 4:], bias[4:] + offset]
    taken = 0
    mine = [layer for layer in network.layers if layer.weights]
    for layer in mine:
        given = theirs.get(layer.name)
        weights = _widened(layer, Other(given)) if given else None
        if weights is not None:
            layer.set_weights(weights)
            taken += 1
    return f"started from {path.name}: {taken} of {len(mine)} layers"


def loss(outputs: Any, batch: Any) -> Any:
    """`DetectionTrainer`'s loss, and beside it landmark boxes of WIDER FACE's faces."""
    import jax.numpy as jnp
    from jax.lax import stop_gradient

    from kpcli.training.detection import model

    logit = outputs["score"].astype(jnp.float32)
    cells = jnp.broadcast_to(batch["cells"], (len(logit), *batch["cells"].shape[1:]))
    kind = batch["landmark"][:, :, None] > 0
    plain, tight = (
        model.decoded(outputs[n].astype(jnp.float32), cells) for n in ("box", "landmark_box")
    )
    boxes = jnp.where(kind, tight, plain)
    aim, mine = model.owners(
        stop_gradient(1 / (1 + jnp.exp(-logit))), stop_gradient(boxes), cells, batch["faces"],
        batch["real"],
    )  # fmt: skip
    aim, mine = stop_gradient(aim), stop_gradient(mine)
    total = jnp.maximum(aim.sum(), 1.0)
    score = model.score_loss(logit, aim, batch["counted"]).sum() / total
    target = jnp.einsum("bgn,bgc->bnc", mine, batch["faces"])
    safe = jnp.where(aim[..., None] > 0, target, boxes)
    box = ((1 - model.giou(boxes, safe)) * aim).sum() / total
    known = jnp.einsum("bgn,bg->bn", mine, batch["second_real"]) * aim
    target = jnp.einsum("bgn,bgc->bnc", mine, batch["second"])
    safe = jnp.where(known[..., None] > 0, target, tight)
    second = ((1 - model.giou(tight, safe)) * known).sum() / total
    return score + model.BOX_WEIGHT * (box + 0.5 * second)


def kth_best(values: Any, k: int) -> Any:
    """The k-th largest: k - 1 times the largest is left out (no sort of long rows on a GPU)."""
    import jax.numpy as jnp

    for _ in range(k - 1):
        top = values.max(-1, keepdims=True)
        values = jnp.where(values >= top, -1.0, values)
    return values.max(-1, keepdims=True)


class Look:
    """Average precision on the few val pictures that travelled, at one size, without the far look:
    it says whether a training goes well, no more."""

    def __init__(self, labels: dict[str, np.ndarray]) -> None:
        self.labels = labels
        self.pictures: dict[int, np.ndarray] = {}
        self.rows = np.flatnonzero(labels["val"])

    def take(self, rows: np.ndarray, maps: np.ndarray, sizes: np.ndarray) -> None:
        for row, one, (width, height) in zip(rows, maps, sizes, strict=True):
            if self.labels["val"][row]:
                wide = one[:SIDE].copy()
                wide[int(height) :], wide[:, int(width) :] = 0, 0
                self.pictures[int(row)] = np.stack(
                    [wide & 255, (wide >> 8) & 255, (wide >> 16) & 255], -1
                ).astype(np.uint8)

    def measure(self, candidate: Candidate) -> dict[float, float]:
        from kpcli.boxes import Graded, average_precision, pairwise_iou, suppress
        from kpcli.cells import cell_grid, decode

        cells = cell_grid(SIDE, SIDE, STRIDES)
        rows = sorted(self.pictures)
        graded: dict[float, list[Graded]] = {10: [], 30: [], 50: []}
        ema, held = candidate.state["ema"], candidate.state["ema_ntv"]
        for start in range(0, len(rows), 8):
            few = rows[start : start + 8]
            stack = [self.pictures[r] for r in few]
            stack += [np.zeros_like(stack[0])] * (8 - len(few))
            outputs = candidate.look(ema, held, np.stack(stack).astype(np.float32))
            outputs = {n: np.asarray(v, np.float32) for n, v in outputs.items()}
            for i, row in enumerate(few):
                score = 1 / (1 + np.exp(-outputs["score"][i]))
                sure = score > 0.02
                boxes = decode(outputs["box"][i][sure], cells[sure])
                kept = suppress(boxes, score[sure], 0.45)
                boxes, scores = boxes[kept], score[sure][kept]
                kind = self.labels["kind"][row]
                truth = self.labels["boxes"][row][kind > 0]
                overlap = pairwise_iou(boxes, truth)
                for least, into in graded.items():
                    counted = (truth[:, 3] - truth[:, 1]) * 1.6 >= least
                    counted &= kind[kind > 0] == 1
                    free, hits, given = counted.copy(), [], []
                    for one, value in zip(overlap, scores, strict=True):
                        face = int(one.argmax()) if one.size else -1
                        hit = face >= 0 and one[face] >= 0.5
                        if hit and not counted[face]:
                            continue
                        given.append(value)
                        hits.append(hit and bool(free[face]))
                        if hit:
                            free[face] = False
                    into.append(Graded(np.array(given), np.array(hits, bool), int(counted.sum())))
        return {n: round(100 * average_precision(g), 2) for n, g in graded.items()}


class Training:
    """All candidates, step by step on the same batches, until the time is up."""

    def __init__(self, given: argparse.Namespace) -> None:
        import jax

        from kpcli.training.detection import model

        model.kth_best = kth_best
        self.given, self.begun = given, time.monotonic()
        self.end = self.begun + 60 * given.minutes
        print(jax.devices(), jax.__version__, flush=True)
        self.payload = Payload(given.payload)
        self.batches = Batches(self.payload.labels, given.payload / "det1/faces.npz", given.limit)
        self.look = Look(self.payload.labels)
        self.payload.take(0, given.workers)
        self._add()
        self.begin()
        self.count, self.steps = given.batch, 0
        self.key = jax.random.key(given.seed, impl="rbg")  # much faster on a GPU
        self.next_save = self.next_look = self.next_line = 0.0

    def begin(self) -> None:
        """The candidates, from what was saved of them if anything was."""
        self.candidates = []
        for name in self.given.candidates:
            start = self.given.out / f"{name}.npz"
            if not start.exists():
                start = self.given.payload / "det1/start.npz"
            wanted = CANDIDATES[name]["start"] or start.stem == name
            self.candidates.append(Candidate(name, start if wanted else None, self.given.precision))

    def _add(self) -> None:
        chunks = self.payload.chunks()
        for chunk in chunks:
            self.batches.add(*chunk)
            self.look.take(*chunk)
        if chunks:
            self.batches.refresh()
            print(f"{self.now():.0f} s: {int(self.batches.there.sum())} pictures", flush=True)

    def now(self) -> float:
        return time.monotonic() - self.begun

    def rate(self) -> float:
        """Learning rate by the clock: warm-up, then a cosine to next to nothing."""
        done = (time.monotonic() - self.started) / max(1e-3, self.end - self.started)
        ramp = min(1.0, (done + 1e-3) / TRAIN["warmup"], (self.steps + 1) / 200)
        fall = 0.5 * (1 + np.cos(np.pi * min(done, 1)))
        return float(TRAIN["lr"] * ramp * (0.005 + 0.995 * fall))

    def compile(self) -> None:
        """All steps at both sizes, at once: one after the other takes minutes."""
        lowered: dict[tuple[str, bool], Any] = {}
        for large in (False, True):
            size = self.given.size * (2 if large else 1)
            count = max(3, self.count // 4) if large else self.count
            made = self.batches.lowered(self.key, size, count)
            lowered["", large] = made
            for candidate in self.candidates:
                lowered[candidate.name, large] = candidate.step.lower(
                    candidate.state, made.out_info, np.float32(0)
                )
        print(f"{self.now():.0f} s: traced", flush=True)
        with ThreadPoolExecutor(len(lowered)) as pool:
            made = pool.map(lambda one: one.compile(), lowered.values())
            self.compiled = dict(zip(lowered, made, strict=True))
        print(f"{self.now():.0f} s: compiled", flush=True)

    def one(self, index: int) -> list[Any]:
        """A step of every candidate; every fourth has few large pictures."""
        import jax

        self.key, key = jax.random.split(self.key)
        large = index % 4 == 1
        batch = self.compiled["", large](key, *self.batches.arrays())
        values = []
        rate = np.float32(self.rate())
        for candidate in self.candidates:
            candidate.state, value = self.compiled[candidate.name, large](
                candidate.state, batch, rate
            )
            values.append(value)
        self.steps += 1
        return values

    def run(self) -> None:
        self.compile()
        self.started = time.monotonic()
        for i in range(2):
            print([float(v) for v in self.one(i)], f"{self.now():.0f} s", flush=True)
        seen, since = 0, self.started
        losses: list[Any] = []
        while time.monotonic() < self.end - 3:
            for _ in range(8):
                losses.append(self.one(self.steps))
            float(losses[-1][-1])  # waits
            seen += 8
            for part in self.payload.arrived():
                threading.Thread(
                    target=self._take, args=(part,), daemon=True
                ).start()  # fmt: skip
                self.payload.taken.add(part)
            self._add()
            now = self.now()
            if now >= self.next_line:
                self.next_line = now + self.given.line
                means = np.mean([[float(v) for v in few] for few in losses], axis=0)
                speed = seen / (time.monotonic() - since)
                print(
                    f"{now:.0f} s  step {self.steps}  {speed:.1f} steps/s  rate {self.rate():.5f}  "
                    f"loss {' '.join(f'{m:.4f}' for m in means)}", flush=True,
                )  # fmt: skip
                losses, seen, since = [], 0, time.monotonic()
            if now >= self.next_save:
                self.next_save = now + self.given.save
                self.save()
            if now >= self.next_look:
                self.next_look = now + self.given.look
                self.say_precision()
        self.save()
        self.say_precision()
        print("finished", f"{self.now():.0f} s", self.steps, "steps", flush=True)

    def _take(self, part: int) -> None:
        try:
            self.payload.take(part, max(1, self.given.workers))
        except Exception:
            traceback.print_exc()

    def save(self) -> None:
        for candidate in self.candidates:
            candidate.save(self.given.out)

    def say_precision(self) -> None:
        for candidate in self.candidates:
            print(f"{self.now():.0f} s  {candidate.name}  AP {self.look.measure(candidate)}",
                  flush=True)  # fmt: skip


def train(given: argparse.Namespace) -> None:
    """Train until the time is up; a batch that does not fit is halved."""
    given.out.mkdir(parents=True, exist_ok=True)
    training = Training(given)
    for _ in range(4):
        try:
            training.run()
            return
        except Exception as e:
            traceback.print_exc()
            sys.stderr.flush()
            if "RESOURCE_EXHAUSTED" not in repr(e):
                raise
        training.count //= 2
        print("out of memory; batch now", training.count, flush=True)
        training.begin()


# ---------------------------------------------------------------- back here


def unpack(given: argparse.Namespace) -> None:
    """A bundle of the weights, calibrated and measured on the kinds of scene `VAL`."""
    import keras
    from detector_ap import measure
    from detector_data import wider

    from kpcli.architectures import face_detector
    from kpcli.detectors.builtin import open_detector
    from kpcli.formats import widerface
    from kpcli.model_bundle import ModelCard, write_card
    from kpcli.training.detection.scenes import SceneStore, scenes
    from kpcli.training.detection.train import SIZES, Validation
    from kpcli.types import Sample
    from kpcli.version import __version__

    name = given.name or given.weights.stem
    settings = CANDIDATES[name]
    for key in ("STEM", "WIDTHS"):
        setattr(face_detector, key, settings[key])
    network = face_detector.build()
    data = np.load(given.weights)
    for layer in network.layers:
        if layer.weights:
            layer.set_weights([data[f"{layer.name}/{i}"] for i in range(len(layer.weights))])
    bundle = given.out / "model"
    bundle.mkdir(parents=True, exist_ok=True)
    network.save(bundle / "model.keras")
    card = ModelCard(
        name="face_detector", task=face_detector.TASK, architecture="face_detector",
        input_size=face_detector.INPUT_SIZE, colour=face_detector.COLOUR, crop_scale=1.0,
        face_box="landmarks", strides=face_detector.STRIDES,
        outputs=tuple(sorted(network.output)),
        training={
            "parameters": int(network.count_params()), "kpcli": __version__,
            "commands": "tests/benchmarks/gpu_detector.py", "candidate": name,
            "options": {**TRAIN, **{k: list(v) for k, v in settings.items() if k != "start"}},
        },
    )  # fmt: skip
    rows = [
        s for s in widerface.read(given.shared / "widerface_more")
        if isinstance(s, Sample) and s.image.parent.name in VAL
    ]  # fmt: skip
    validation = Validation(SceneStore(scenes(rows), 2000), card, network)
    values = validation.run()
    keras.backend.clear_session()
    from dataclasses import replace

    card = replace(
        card, calibration=validation.calibration(),
        metrics={"validation": {
            "protocol": "AP at IoU 0.5",
            **{f"val_ap_{n}": round(values[f"val_ap_{n}"], 4) for n in SIZES},
        }},
    )  # fmt: skip
    write_card(card, bundle)
    print(values, card.calibration)
    pictures = [p for p in wider(given.shared / "widerface_more", "train")
                if p.path.parent.name in VAL]  # fmt: skip
    detector = open_detector(str(bundle), 640, 0.01, threads=1)
    print(measure(pictures, lambda pixels: detector.arrays([pixels], "box")[0]))


def mark(given: argparse.Namespace) -> None:
    """The CSV of detector_boxes.py, the kinds of scene `VAL` as split val: for ship_detector.py."""
    from dataclasses import replace

    from kpcli.dataset_csv import read_dataset, write_dataset

    rows = [
        replace(s, split="val" if s.image.parent.name in VAL else "train")
        for s in read_dataset(given.boxes)
    ]
    write_dataset(rows, given.out, Path(os.path.commonpath([s.image for s in rows])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("pack")
    one.set_defaults(run=pack)
    for name in ("shared", "wider", "out"):
        one.add_argument(name, type=Path)
    one.add_argument("--wheels", type=Path, required=True)
    one.add_argument("--encoded", type=Path, required=True)
    one.add_argument("--pseudo", type=Path, default=Path("pseudo.json"))
    one = commands.add_parser("train")
    one.set_defaults(run=train)
    one.add_argument("--payload", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--minutes", type=float, default=20)
    one.add_argument("--candidates", nargs="+", default=list(CANDIDATES))
    one.add_argument("--batch", type=int, default=int(TRAIN["batch"]))
    one.add_argument("--size", type=int, default=320)
    one.add_argument("--limit", type=int)
    one.add_argument("--workers", type=int, default=6)
    one.add_argument("--precision", default="mixed_bfloat16")
    one.add_argument("--seed", type=int, default=7)
    one.add_argument("--line", type=float, default=20)
    one.add_argument("--save", type=float, default=60)
    one.add_argument("--look", type=float, default=150)
    one = commands.add_parser("mark")
    one.set_defaults(run=mark)
    one.add_argument("boxes", type=Path)
    one.add_argument("--out", type=Path, required=True)
    one = commands.add_parser("unpack")
    one.set_defaults(run=unpack)
    one.add_argument("weights", type=Path)
    one.add_argument("shared", type=Path)
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--name")
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
