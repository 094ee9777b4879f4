"""Run the small inputs of ``../shared/cases`` and say of each what became of it, as a table.

    python tests/benchmarks/cases.py [--cases FOLDER] [NAME ...]

A case holds if its exit code, what it says and what lies on the disk are what its README (or the
words of its script) ask for. Cases that need a network or minutes (those that train) are run only
if they are named, or with ``--all``.
``KPCLI`` may be set to another command than this checkout's.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
TRAINING = (
    "labels/damaged_checkpoint", "labels/resume_forgets_options", "labels/two_box_protocols",
    "labels/whole_image_of_own_points",
)  # fmt: skip
SLOW = ("files/big-pictures", "files/typer-lower-bound", "files/labels-endless", *TRAINING)
LIMIT = 1800.0
"""Seconds that a case may take."""


@dataclass(frozen=True)
class Done:
    """What a command left behind: exit code, words, and the folder that it ran in."""

    code: int
    text: str
    folder: Path
    case: Path

    def has(self, *patterns: str) -> bool:
        """Whether all are found in what was said."""
        return all(re.search(p, self.text, re.MULTILINE) for p in patterns)

    def lacks(self, *patterns: str) -> bool:
        return not any(re.search(p, self.text, re.MULTILINE) for p in patterns)


Judge = Callable[[Done], bool]


def script(name: str, judge: Judge) -> tuple[str, str, Judge]:
    """A case that is a script of its own."""
    return name, "bash {case}/repro.sh", judge


def says(*patterns: str, never: tuple[str, ...] = ("Traceback",)) -> Judge:
    return lambda done: done.has(*patterns) and done.lacks(*never)


def rows(done: Done, name: str = "x.csv") -> list[str]:
    """The rows of a CSV that the case wrote."""
    path = done.folder / name
    return path.read_text(encoding="utf-8").splitlines()[1:] if path.is_file() else []


def splits(done: Done) -> dict[str, int]:
    counts: dict[str, int] = {}
    with (done.folder / "x.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            counts[row["split"]] = counts.get(row["split"], 0) + 1
    return counts


def statuses(done: Done) -> list[str]:
    """Of the run into ``o``, the status of every file."""
    path = done.folder / "o" / "manifest.csv"
    lines = path.read_text().splitlines()[1:] if path.is_file() else []
    return [line.split(",")[1] for line in lines]


def landmarks(done: Done) -> list[dict[str, str]]:
    path = done.folder / "o" / "landmarks.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rising(done: Done) -> bool:
    times = [float(row["timestamp"]) for row in landmarks(done)]
    return len(times) > 5 and times == sorted(times)


def one_face(done: Done) -> bool:
    """Every frame of every file has one row, and a file has one id."""
    found = landmarks(done)
    frames = {(r["file"], r["frame"]) for r in found}
    ids = {(r["file"], r["face_id"]) for r in found}
    return bool(found) and len(frames) == len(found) and len(ids) == len({r["file"] for r in found})


def means(done: Done, column: str) -> dict[str, float]:
    """Of every file, a column's mean over its rows."""
    values: dict[str, list[float]] = {}
    for row in landmarks(done):
        values.setdefault(row["file"], []).append(float(row[column]))
    return {file: sum(found) / len(found) for file, found in values.items()}


def same_pose(done: Done) -> bool:
    """The face of pixels that are not square is as turned as that of square ones."""
    yaw = means(done, "yaw")
    pairs = [("pal_16_9", "square"), ("hdv_4_3", "square"), ("dvr_sar2", "dvr_square")]
    near = all(abs(yaw[f"{a}.mp4"] - yaw[f"{b}.mp4"]) < 2 for a, b in pairs)
    shapes = [_first_frame(done.folder / "o" / "overlays" / f"{a}.mp4") for a, _ in pairs]
    return near and all((f.width, f.height) == (640, 360) for f in shapes)


def mirrored(done: Done) -> bool:
    """The four ways to lay the picture down are those of the first one's face."""
    x, y = ([means(done, a), means(done, b)] for a, b in (("left", "right"), ("top", "bottom")))
    at = {
        name: tuple(sum(side[f"{name}.mp4"] for side in axis) / 2 for axis in (x, y))
        for name in ("hflip", "vflip", "transpose", "transverse")
    }
    wide, high = 239 - at["hflip"][0], at["hflip"][1]  # as stored: 240 x 180
    right = {
        "vflip": (wide, 179 - high), "transpose": (high, wide),
        "transverse": (179 - high, 239 - wide),
    }  # fmt: skip
    return all(abs(a - b) < 5 for name in right for a, b in zip(at[name], right[name], strict=True))


def true_colours(done: Done) -> bool:
    """The overlay says that it is BT.709, and its planes are the source's."""
    name = "rgb709.mp4"
    source, drawn = (_first_frame(f / name) for f in (done.case, done.folder / "o" / "overlays"))
    planes = [f.to_ndarray(format="yuv444p").astype(int) for f in (source, drawn)]
    return int(drawn.colorspace) == 1 and abs(planes[0] - planes[1]).mean() < 2


def _first_frame(path: Path) -> Any:
    import av

    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def one_box_protocol(done: Done) -> bool:
    """What training says of the validation faces is what eval says, by one normaliser."""
    card = json.loads((done.folder / "r" / "model" / "card.json").read_text(encoding="utf-8"))
    told = card["metrics"]["validation"]["nme_mean"]
    scored = json.loads((done.folder / "e" / "metrics.json").read_text(encoding="utf-8"))
    near = abs(told - scored["nme_mean"]) < 0.02 * scored["nme_mean"]
    return done.code == 0 and near


def own_points(done: Done) -> bool:
    """Five points whose names, or whose order, are no CelebA's."""
    with (done.folder / "x.csv").open(encoding="utf-8") as file:
        return {row["scheme"] for row in csv.DictReader(file)} == {"points5"}


def blank(done: Done) -> bool:
    """Points at (-1, -1) are not labelled, and no box grows to them."""
    with (done.folder / "x.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    inside = all(float(row[side]) > 10 for row in found for side in ("box_left", "box_top"))
    return len(found) == 3 and inside and all(not row["x_2"] for row in found)


TRAINED = (
    "if [ ! -d $TMPDIR/once/r ]; then mkdir $TMPDIR/once; (cd $TMPDIR/once && "
    "$KP prepare {cases}/labels/numbered_names --out h.csv --val 0.25 && "
    "$KP train h.csv --out r --arch cnn_gray96 --epochs 2 --batch-size 4 --face-box %s); fi; "
    "cp -r $TMPDIR/once/. .; "
)
"""Once for all cases that need it."""

PREPARE = "$KP prepare {case}%s --out x.csv"
ANNOTATE = "$KP annotate folder {case} --out o"

CASES: list[tuple[str, str, Judge]] = [
    script("files/batch-killer-long-name", says("rc after --resume: 5", "4 with faces")),
    script("files/batch-killer-sound", says("rc after --resume: 0", "^run.json")),
    script("files/batch-killer-webp", says("rc after --resume: 5", "^run.json")),
    script("files/damaged-cards", lambda d: d.has(r"rc=4") and d.lacks("Traceback", "rc=1")),
    script("files/deep-json", says("rc=3")),
    script("files/eps-runs-ghostscript", says("rc=", never=("left behind", "gs called"))),
    script("files/lock-follows-link", says("^9 victim")),
    script("files/long-name-formats", says("^annotations", "^manifest.csv", "^run.json")),
    script("files/lost-input-cvat", says("^OK", never=("LOST", "Traceback"))),
    script("files/lost-input-overlays", says("^OK", never=("LOST", "Traceback"))),
    script("files/lost-overwrite-foreign", says("left of 9: 9")),
    script("files/lost-own-format-folder", says("^OK", never=("LOST", "Traceback"))),
    script("files/lost-pictures-in-place", says("^OK", never=("LOST", "Traceback"))),
    script("files/lost-shard-merge", says("^OK", "rc=2", never=("LOST", "Traceback"))),
    script("files/merge-path-traversal", says("rc=3", never=("victim", "Traceback"))),
    script(
        "files/state-damaged",
        lambda d: len(re.findall("rc=0", d.text)) == 4 and d.lacks("Traceback"),
    ),
    script("files/stderr-closed", says("rc=0 landmarks.csv")),
    script("files/stdout-surrogates", says("1 picture, 0 videos", never=("Error",))),
    script("files/labels-endless", lambda d: d.lacks("rc=124", "rc=1 ", "rc=137")),
    script("files/big-pictures", lambda d: _kilobytes(d.text) < 2_500_000),
    script("files/typer-lower-bound", says(never=("Traceback", "Error"))),
    # What the READMEs of media and labels say, as far as a command tells it.
    ("media/avi_dropped_frames", ANNOTATE, lambda d: d.code == 0 and set(statuses(d)) == {"done"}),
    ("media/trimmed_edit_list", ANNOTATE, lambda d: d.code == 0),
    ("media/cover_art_audio", ANNOTATE, lambda d: "done" not in statuses(d) and d.code == 5),
    ("media/jpeg_without_end", ANNOTATE, lambda d: statuses(d).count("partial") >= 2),
    ("media/low_range_16bit", ANNOTATE, lambda d: d.lacks("RuntimeWarning") and d.code in (0, 5)),
    ("media/closed_stderr", "$KP annotate folder $SAMPLES/portraits --out o 2>&-",
     lambda d: d.code == 0 and (d.folder / "o" / "run.json").is_file()),
    ("media/telemetry", "HOME=$PWD/home $KP annotate folder $SAMPLES/portraits --out o",
     lambda d: d.code == 0 and not list((d.folder / "home").rglob("*"))),
    ("media/panorama", ANNOTATE, lambda d: len(rows(d, "o/landmarks.csv")) >= 18),
    ("media/avi_h264_bframes", ANNOTATE, rising),
    ("media/every_second_ids", ANNOTATE + " --every 24", one_face),
    ("media/ghost_rows", ANNOTATE, one_face),
    ("media/start_timeout", ANNOTATE + " --start 1190 --timeout 2", lambda d: d.code == 0),
    ("media/heic_ignored", ANNOTATE, lambda d: len(statuses(d)) >= 2),
    ("media/in_place_then_parent", "bash {case}/run.sh",
     says("^2020/a.jpg,done", "^2021/c.jpg,done")),
    ("media/long_name", "bash {case}/run.sh", says("exit 5", "^run.json")),
    ("media/own_folders_deleted", "bash {case}/run.sh",
     says("exit 3", "a.pts$", "project.zip$", '"mine":1')),
    ("labels/backslash_paths", PREPARE % "/xml", lambda d: len(rows(d)) == 3),
    ("labels/backslash_paths", PREPARE % "/coco", lambda d: len(rows(d)) == 3),
    ("labels/celeba_kaggle_csv", PREPARE % "",
     lambda d: splits(d) == {"train": 1, "val": 1, "test": 1}),
    ("labels/coco_first_picture_gone", PREPARE % "", lambda d: len(rows(d)) == 2),
    ("labels/coco_size_differs", PREPARE % "", lambda d: not rows(d) and d.code == 3),
    ("labels/images_and_labels_folders", PREPARE % "", lambda d: len(rows(d)) == 2),
    ("labels/label_studio_json", PREPARE % "", says(never=("damaged file", "Traceback"))),
    ("labels/parts_1_to_21", PREPARE % "", lambda d: bool(rows(d)) and d.lacks("points22")),
    ("labels/numbered_names", PREPARE % " --val 0.2",
     lambda d: splits(d).get("train", 0) > splits(d).get("val", 0) > 0),
    ("labels/roboflow_split", PREPARE % "",
     lambda d: splits(d) == {"train": 3, "val": 2, "test": 2}),
    ("labels/zero_placeholder", PREPARE % "", lambda d: d.code in (0, 3)),
    ("labels/prepare_out_is_a_source",
     "cp -r {case} in && sha256sum in/* > before; $KP prepare in --out in/labels.xml; c=$?; "
     "sha256sum -c --quiet before && exit $c", lambda d: d.code in (2, 3)),
    ("labels/merge_out_is_a_shard", "for i in 1 2; do $KP annotate folder $SAMPLES/portraits "
     "--shard $i/2 --out s$i --no-overlays >/dev/null; done; cp -r s1 was; "
     "$KP merge s1 s2 --out s1 --overwrite; c=$?; diff -r was s1 && exit $c",
     lambda d: d.code in (2, 3)),
    ("labels/merge_copied_shards", "for i in 1 2; do $KP annotate folder $SAMPLES/portraits "
     "--shard $i/2 --out s$i --no-overlays >/dev/null; done; cp -r s1 a; cp -r s2 b; "
     "find a b -exec touch {} +; $KP merge a b --out m", lambda d: d.code == 0),
    ("labels/linked_folder", "cp -r {case}/. . && chmod -R u+w . && bash make.sh; "
     "$KP prepare here --out x.csv",
     lambda d: len(rows(d)) == 5 or d.has("link")),
    ("labels/five_points_own", PREPARE % "/xml", own_points),
    ("labels/five_points_own", PREPARE % "/xml" + " --scheme points5", own_points),
    ("labels/five_points_own", PREPARE % "/coco", own_points),
    ("labels/merl_rav_minus_one", PREPARE % "", blank),
    ("media/anamorphic", ANNOTATE, same_pose),
    ("media/mirrored_matrix", ANNOTATE, mirrored),
    ("media/overlay_colours", ANNOTATE, true_colours),
    ("labels/damaged_checkpoint", TRAINED % "landmarks" +
     "for size in $(($(stat -c %s r/checkpoint.npz) / 2)) 0; do truncate -s $size "
     "r/checkpoint.npz; $KP train h.csv --out r --resume; echo rc=$?; done",
     lambda d: len(re.findall("^rc=4", d.text, re.M)) == 2 and d.lacks("Traceback", "Aborted")),
    ("labels/resume_forgets_options", TRAINED % "landmarks" +
     "rm -r r; ($KP train h.csv --out r --arch cnn_gray96 --epochs 12 --batch-size 4 "
     "--learning-rate 0.0003 --loss l1 & pid=$!; until [ -f r/checkpoint.npz ] || ! kill -0 $pid; "
     "do sleep 0.05; done; kill -9 $(pgrep -P $pid) $pid); sed s/hand_12/hand_11/ h.csv > g.csv; "
     "$KP train g.csv --out r --resume; echo other=$?; $KP train h.csv --out r --resume; echo "
     "rc=$?; $KP train h.csv --out r --resume --epochs 60; echo more=$?; cat r/run.json",
     says("^other=3", "^rc=0", "^more=[23]", '"epochs": 12', '"learning_rate": 0.0003',
          '"loss": "l1"', '"batch_size": 4')),
    ("labels/two_box_protocols", TRAINED % "landmarks" +
     "$KP eval h.csv --split val --model r/model --out e", one_box_protocol),
    ("labels/whole_image_of_own_points", TRAINED % "landmarks" +
     "$KP annotate folder {cases}/labels/numbered_names --model r/model --detector whole_image "
     "--out o; echo rc=$?", says("^rc=2", "trained on boxes around its points")),
]  # fmt: skip


def _kilobytes(text: str) -> int:
    found = re.findall(r"(\d+) KB", text)
    return int(found[-1]) if found else 10**9


@contextmanager
def _environment(folder: Path) -> Iterator[dict[str, str]]:
    """``kpcli`` on PATH, and what the scripts ask for."""
    command = os.environ.get("KPCLI", f'PYTHONPATH="{REPO}" "{sys.executable}" -m kpcli')
    there = folder / "bin"
    there.mkdir()
    (there / "kpcli").write_text(f'#!/bin/bash\n{command} "$@"\n')
    (there / "kpcli").chmod(0o755)
    yield {
        **os.environ,
        "PATH": f"{there}{os.pathsep}{os.environ['PATH']}",
        "KP": "kpcli", "PY": sys.executable, "TMPDIR": str(folder),
        "SAMPLES": str(REPO / "sample_images"), "PROJECT": str(REPO),
    }  # fmt: skip


def run(case: Path, command: str, folder: Path, environment: dict[str, str]) -> Done:
    """Run a case in a folder of its own."""
    here = Path(tempfile.mkdtemp(dir=folder))
    (here / "home").mkdir()
    words = command.replace("{cases}", str(case.parents[1])).replace("{case}", str(case))
    try:
        done = subprocess.run(
            ["bash", "-c", words], cwd=here, env=environment, capture_output=True, text=True,
            errors="replace", timeout=LIMIT, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Done(124, f"no end in {LIMIT:g} s", here, case)
    return Done(done.returncode, done.stdout + done.stderr, here, case)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, default=REPO.parent / "shared" / "cases")
    parser.add_argument("--json", type=Path, help="also write the table there")
    parser.add_argument("--all", action="store_true", help="also those that take minutes")
    parser.add_argument("names", nargs="*", help="only cases whose name has one of these in it")
    arguments = parser.parse_args()
    arguments.cases = arguments.cases.resolve()  # each case runs in a folder of its own
    if not arguments.cases.is_dir():
        parser.error(f"no such folder: {arguments.cases}")
    if arguments.names and not any(n in case for n in arguments.names for case, *_ in CASES):
        parser.error(f"no case's name has {' or '.join(arguments.names)} in it")
    table, failed = [], 0
    print("| case | outcome | s | says |\n|---|---|---:|---|", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="kpcli-cases-"))
    try:
        with _environment(folder) as environment:
            for name, command, judge in CASES:
                wanted = any(n in name for n in arguments.names) or not arguments.names
                if not wanted or (name in SLOW and not (arguments.names or arguments.all)):
                    continue
                started = time.monotonic()
                done = run(arguments.cases / name, command, folder, environment)
                holds = judge(done)
                failed += not holds
                last = (done.text.strip().splitlines() or [f"exit {done.code}"])[-1]
                seconds = time.monotonic() - started
                word = "holds" if holds else "FAILS"
                print(f"| {name} | {word} | {seconds:.0f} | {last[:90]!r} |", flush=True)
                table.append({"case": name, "holds": holds, "says": done.text[-2000:]})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    told = {case.relative_to(arguments.cases).as_posix() for case in arguments.cases.glob("*/*/")}
    others = sorted(told - {name for name, _, _ in CASES})
    print(f"\n{len(table)} run, {failed} fail; without a judge here: {', '.join(others)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1) + "\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
