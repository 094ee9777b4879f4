"""Damaged label files of every kind: refused or reported, never a crash, a hang or silent loss.

The default run tries a sample; KPCLI_FUZZ=2000 (mutants) makes it the full one.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from helpers.dataset_builders import BUILDERS
from helpers.fakes import FakePredictor
from helpers.media import write_picture
from helpers.mutants import mutant, text_mutant
from helpers.tool_builders import TOOL_BUILDERS, TOOL_FILES

from kpcli.dataset_csv import BOXES, SPLITS, read_dataset
from kpcli.errors import InputError, KpcliError, UsageError
from kpcli.options import AnnotateOptions, EvalOptions, PrepareOptions
from kpcli.schemes import get_scheme
from kpcli.workflows.annotate.run import annotate
from kpcli.workflows.evaluate.faces import predict_faces
from kpcli.workflows.evaluate.run import measure, protocol_for
from kpcli.workflows.prepare.report import Prepared
from kpcli.workflows.prepare.run import prepare

COUNT = int(os.environ.get("KPCLI_FUZZ", "120"))
SECONDS = 20
FILES = {
    "ibug": ("helen/testset/7_1.pts",),
    "dlib": ("labels_test.xml",),
    "celeba": (
        "Anno/list_landmarks_celeba.txt", "Anno/list_bbox_celeba.txt",
        "Eval/list_eval_partition.txt",
    ),
    "wflw": ("WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt",),
    "youtube_faces": ("training_frames_keypoints.csv",),
    "cofw": ("COFW_train_color.mat",),
    "aflw2000": ("image00000.mat",),
    "kaggle": ("training.csv",),
    "coco": ("annotations/person_keypoints_train.json",),
    "widerface": ("wider_face_split/wider_face_train_bbx_gt.txt",),
    **TOOL_FILES,
}  # fmt: skip
"""The files of each builder's dataset that are damaged."""
ALL = {**BUILDERS, **TOOL_BUILDERS}


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_every_format_is_damaged() -> None:
    assert set(FILES) == set(ALL), "name the new format's label files in FILES, or in TOOL_FILES"


@pytest.mark.parametrize("layout", FILES)
def test_mutants_of_label_files(layout: str, tmp_path: Path) -> None:
    chance = np.random.default_rng(len(layout))
    root = tmp_path / "data"
    ALL[layout](root)
    options = PrepareOptions((root,), tmp_path / "faces.csv", format=layout)
    whole = prepare(options).samples
    outcomes: Counter[str] = Counter()
    for i in range(max(2, COUNT // 12)):
        path = root / FILES[layout][i % len(FILES[layout])]
        original = path.read_bytes()
        damage = mutant if path.suffix == ".mat" else text_mutant
        path.write_bytes(damage(original, chance))
        options.out.unlink(missing_ok=True)
        outcome = prepared(options)
        if isinstance(outcome, KpcliError):
            outcomes["refused"] += 1
            assert outcome.exit_code in (2, 3)
            assert not options.out.exists()
            # Only where the damaged file is all that there is, all of it may be refused.
            assert layout in ("celeba", "kaggle"), f"mutant {i}: good files are lost: {outcome}"
        else:
            outcomes["reported" if outcome.rejects else "taken"] += 1
            check_rows(options.out, [s.image.name for s in outcome.samples])
            others = {s.image for s in whole if not s.origin.startswith(str(path))}
            there = {s.image for s in outcome.samples}
            assert layout == "celeba" or others <= there, f"mutant {i}"
        path.write_bytes(original)
    print(f"\n{layout}: {dict(outcomes)}")


def prepared(options: PrepareOptions) -> Prepared | KpcliError:
    try:
        with time_limit(SECONDS):
            return prepare(options)
    except KpcliError as e:
        return e


def check_rows(csv: Path, names: list[str]) -> None:
    """What prepare wrote can be read, and all of it can be used."""
    rows = read_dataset(csv)
    assert [s.image.name for s in rows] == names
    for row in rows:
        assert row.split in SPLITS
        known = row.points[row.visible]
        assert np.isfinite(known).all()
        assert row.scheme == BOXES or row.face is not None
        assert row.face is None or row.attributes.get("invalid") == "1" or row.face.area > 0


def test_mutants_of_prepared_csvs(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    root = tmp_path / "data"
    BUILDERS["ibug"](root)
    csv = tmp_path / "faces.csv"
    prepare(PrepareOptions((root,), csv))
    original = csv.read_bytes()
    outcomes: Counter[str] = Counter()
    for _ in range(COUNT // 6):
        csv.write_bytes(text_mutant(original, chance))
        try:
            with time_limit(SECONDS):
                outcomes[use(csv)] += 1
        except (InputError, UsageError):
            outcomes["refused"] += 1
    print(f"\nprepared CSV: {dict(outcomes)}")


def use(csv: Path) -> str:
    """Read a CSV and predict its faces, as eval does."""
    rows = [s for s in read_dataset(csv) if len(s.points) == 68]
    if not rows:
        return "no face"
    items = list(predict_faces(rows, FakePredictor(), None))
    assert len(items) == len(rows)
    scheme = get_scheme("ibug68")
    options = EvalOptions(csv)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = measure(rows, scheme, protocol_for(scheme, None), FakePredictor(), None, options)
    return "some unreadable" if measured.unreadable else "taken"


def test_mutants_of_box_files(tmp_path: Path) -> None:
    chance = np.random.default_rng(2)
    names = ["a.png", "b/c.png", "d.png"]
    for name in names:
        write_picture(tmp_path / "in" / name)
    lines = ["file,left,top,right,bottom,score"]
    lines += [f"{name},{4 + i},5,{30 + i},33.5,0.{9 - i}" for i, name in enumerate(names * 2)]
    csv = tmp_path / "boxes.csv"
    original = "\n".join(lines).encode()
    outcomes: Counter[str] = Counter()
    for _ in range(COUNT // 6):
        csv.write_bytes(text_mutant(original, chance))
        options = AnnotateOptions(
            (tmp_path / "in",), tmp_path / "out", detector=f"boxes_file:{csv}", overwrite=True
        )
        try:
            with time_limit(SECONDS):
                report = annotate(options, FakePredictor())
        except (InputError, UsageError):
            outcomes["refused"] += 1
            continue
        outcomes[f"exit {report.exit_code}"] += 1
        assert report.exit_code == 0, "the pictures are good"
        assert sum(report.counts.values()) == len(names)
    print(f"\nbox file: {dict(outcomes)}")
