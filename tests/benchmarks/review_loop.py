"""The loop of `kpcli review` by a scripted user: faces that a model is bad at, corrected, learnt.

    python tests/benchmarks/review_loop.py FACES.csv --faces 40 [--model default] [--epochs 20]

FACES.csv is a prepared CSV with train rows (never test ones of a benchmark). Those faces of it
that the model is worst at are copied to a folder, annotated with ``--detector boxes_file`` (so
that the faces are the CSV's), and reviewed over the server's HTTP interface: the user gives each
point the label's place. Then the page's own commands: prepare (some kept back), eval, train, eval.
Prints the error before and after on the faces kept back, and the seconds that the user needed.
A person needs longer: the time is that of the server and the disk.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from kpcli.dataset_csv import label_box, read_dataset
from kpcli.images import read_image
from kpcli.inference.predictor import Predictor
from kpcli.inference.upright import Look, landmarks
from kpcli.model_bundle import ModelBundle
from kpcli.schemes import convert_points, key_of
from kpcli.types import Sample

KPCLI = [sys.executable, "-m", "kpcli"]


def error(sample: Sample, predictor: Predictor) -> float:
    """Mean distance of the model's points from the label, over the box's side."""
    pixels = read_image(sample.image)
    box = label_box(sample, predictor.card.face_box, (pixels.shape[1], pixels.shape[0]))
    assert box is not None
    (face,) = landmarks(predictor, [Look(pixels, box)])
    points = convert_points(face.points, key_of(predictor.card.landmark_scheme), sample.scheme)
    return float(np.nanmean(np.linalg.norm(points - sample.points, axis=1))) / box.side


def lay_out(samples: list[Sample], folder: Path) -> dict[str, Sample]:
    """Copies of the pictures, one a face, and a table of their boxes."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    named: dict[str, Sample] = {}
    with (folder / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "left", "top", "right", "bottom"])
        for i, sample in enumerate(samples):
            name = f"{i:03d}{sample.image.suffix}"
            shutil.copyfile(sample.image, pictures / name)
            box = label_box(sample, "landmarks", (0, 0))
            assert box is not None
            writer.writerow([name, *box.corners])
            named[name] = sample
    return named


def call(address: str, name: str, body: Any = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{address}api/{name}", data)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def correct(address: str, named: dict[str, Sample]) -> int:
    """Give every face of the queue the label's points, as the page would save them."""
    queue = call(address, "queue")
    done = 0
    for item in queue["items"]:
        place = {"file": item["file"], "frame": item["frame"]}
        truth = named[queue["files"][item["file"]]]
        shown = call(address, "frame?file={file}&frame={frame}".format(**place))["faces"]
        face = next((f for f in shown if f["face"] == item["face"]), None)
        points = [None if np.isnan(p).any() else [float(v) for v in p] for p in truth.points]
        hidden = ~truth.visible & ~np.isnan(truth.points).any(axis=1)
        box = label_box(truth, "landmarks", (0, 0))
        body = {
            **place, "face": face["face"] if face else f"n{done}", "status": "corrected",
            "base": face["version"] if face else 0, "points": points, "what": "scripted",
            "occluded": np.flatnonzero(hidden).tolist(), "box": list(box.corners) if box else None,
        }  # fmt: skip
        call(address, "save", body)
        done += 1
    return done


def run(*words: object) -> None:
    command = [*KPCLI, *map(str, words)]
    print("$ kpcli", shlex.join(command[3:]), flush=True)
    subprocess.run(command, check=True)


def review(out: Path, named: dict[str, Sample]) -> list[list[str]]:
    """Correct the faces; the commands of the page for what comes next."""
    command = [
        *KPCLI,
        "review",
        str(out),
        "--no-browser",
        "--n",
        str(len(named)),
        "--who",
        "script",
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    match = re.match(r"review: (\S+)", server.stdout.readline())
    assert match
    try:
        start = time.perf_counter()
        done = correct(match[1], named)
        print(f"{done} faces corrected in {time.perf_counter() - start:.1f} s by the script")
        steps = call(match[1], "steps")["steps"]
    finally:
        server.terminate()
        server.wait()
    return [shlex.split(step["command"])[1:] for step in steps]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--faces", type=int, default=40)
    parser.add_argument(
        "--of", type=int, default=200, help="faces among which the worst are sought"
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--work", type=Path, required=True, help="a new folder for all of it")
    given = parser.parse_args()
    rows = read_dataset(given.csv, split="train")
    rows = rows[:: max(1, len(rows) // given.of)][: given.of]
    predictor = Predictor(ModelBundle.open(given.model))
    worst = sorted(rows, key=lambda row: -error(row, predictor))[: given.faces]
    named = lay_out(worst, given.work)
    out = given.work / "annotated"
    boxes = f"boxes_file:{given.work / 'boxes.csv'}"
    run("annotate", "folder", given.work / "pictures", "--out", out, "--detector", boxes,
        "--model", given.model, "--min-confidence", 0, "--no-overlays")  # fmt: skip
    prepare, train, evaluate = review(out, named)
    run(*prepare)
    run(*train, "--epochs", given.epochs)
    run(*evaluate)
    found = [json.loads((out / "review" / "eval" / at / "metrics.json").read_text())
             for at in ("model_2", ".")]  # fmt: skip
    for when, metrics in zip(("before", "after"), found, strict=True):
        print(f"{when}: NME {metrics['nme_mean']:.2f} % on {metrics['faces']} faces kept back")


if __name__ == "__main__":
    main()
