"""Stop a run at any moment, by any means: what lies there is whole, and --resume finishes it."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from glob import glob
from pathlib import Path

import pytest
from helpers.fakes import FakePredictor, InterruptedPredictor, TroublePredictor, write_bundle
from helpers.media import picture, write_picture, write_video

from kpcli.batch import chunks
from kpcli.detectors import create_detector
from kpcli.errors import InputError, ModelError
from kpcli.options import AnnotateOptions
from kpcli.workflows.annotate.run import annotate, dry_run

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for i in range(70):
        write_picture(folder / f"{i % 7}" / f"{i:03}.png", picture(40, 30, seed=i))
    (folder / "3" / "broken.jpg").write_bytes(b"no picture")
    for i in range(3):
        write_video(folder / f"v{i}.mp4", 40 + 30 * i)
    return folder


def options(source: Path, out: Path, **changes: object) -> AnnotateOptions:
    plain = AnnotateOptions((source,), out, detector="whole_image", overlays=False)
    return replace(plain, **changes)


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    report = annotate(options(source, out), FakePredictor())
    assert report.counts == {"done": 73, "failed": 1}
    return (out / "landmarks.csv").read_bytes()


def assert_whole(out: Path, undisturbed: bytes) -> None:
    """landmarks.csv, if it is there, holds whole files of the undisturbed one, in its order."""
    if not (out / "landmarks.csv").exists():
        return
    whole = undisturbed.decode().splitlines()
    lines = (out / "landmarks.csv").read_text().splitlines()
    files = {line.split(",")[0] for line in lines}
    assert lines == [line for line in whole if line.split(",")[0] in files]


@pytest.mark.parametrize("workers", [2, 3])
def test_rows_do_not_depend_on_the_workers(
    source: Path, undisturbed: bytes, tmp_path: Path, workers: int
) -> None:
    report = annotate(options(source, tmp_path / "out", workers=workers), FakePredictor())
    assert report.counts == {"done": 73, "failed": 1}
    assert (tmp_path / "out" / "landmarks.csv").read_bytes() == undisturbed


@pytest.mark.parametrize("batch", [1, 4, 9, 13])
def test_ctrl_c_leaves_complete_rows_and_resume_finishes(
    source: Path, undisturbed: bytes, tmp_path: Path, batch: int
) -> None:
    out = tmp_path / "out"
    report = annotate(options(source, out), InterruptedPredictor(batch))
    assert report.interrupted
    assert report.exit_code == 130
    assert "--resume" in report.summary()
    assert_whole(out, undisturbed)
    with (out / "manifest.csv").open() as file:
        assert len(list(csv.DictReader(file))) == sum(report.counts.values()) < 74
    again = annotate(options(source, out, resume=True), FakePredictor())
    assert again.exit_code == 5
    assert (out / "landmarks.csv").read_bytes() == undisturbed


def test_resume_does_only_what_is_left(source: Path, undisturbed: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    annotate(options(source, out), InterruptedPredictor(9))
    predictor = FakePredictor()
    annotate(options(source, out, resume=True), predictor)
    assert sum(predictor.batches) == 280 - 40 - 70, "the two videos that were done"
    nothing = FakePredictor()
    annotate(options(source, out, resume=True), nothing)
    assert nothing.batches == []
    assert (out / "landmarks.csv").read_bytes() == undisturbed


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from helpers.fakes import FakePredictor
from kpcli.options import AnnotateOptions
from kpcli.workflows.annotate.run import annotate

if __name__ == "__main__":
    print("begun", flush=True)
    report = annotate(
        AnnotateOptions(
            (Path({source!r}),), Path({out!r}), detector="whole_image", overlays={overlays},
            resume=True, workers={workers},
        ),
        FakePredictor(),
    )
    sys.exit(report.exit_code)
"""


@pytest.mark.parametrize(("workers", "overlays"), [(1, False), (1, True), (2, True)])
def test_kill_9_at_random_moments(
    source: Path, undisturbed: bytes, tmp_path: Path, workers: int, overlays: bool
) -> None:
    out = tmp_path / "out"
    script = tmp_path / "run.py"
    script.write_text(
        KILLED.format(
            tests=str(REPO / "tests"), source=str(source), out=str(out), workers=workers,
            overlays=overlays,
        )
    )  # fmt: skip
    chance = random.Random(workers)
    kills = 0
    for _ in range(int(os.environ.get("KPCLI_KILLS", "3"))):
        process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, cwd=REPO)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 1.0))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
        assert_whole(out, undisturbed)
    assert kills
    last = subprocess.run([sys.executable, script], cwd=REPO, stdout=subprocess.DEVNULL)
    assert last.returncode == 5
    assert (out / "landmarks.csv").read_bytes() == undisturbed
    assert not list((out / ".kpcli").glob("tmp/*"))
    if overlays:
        assert len([p for p in (out / "overlays").rglob("*") if p.is_file()]) == 73


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A test run in the background (``pytest &``) ignores Ctrl-C, and so would its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_from_the_terminal(
    source: Path, undisturbed: bytes, tmp_path: Path, workers: int
) -> None:
    """It reaches the workers too; nobody prints a traceback."""
    out = tmp_path / "out"
    script = tmp_path / "run.py"
    words = {"source": str(source), "out": str(out), "workers": workers, "overlays": True}
    script.write_text(KILLED.format(tests=str(REPO / "tests"), **words))
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd=REPO,
    )
    # Path.glob fails on a folder that comes and goes.
    while not glob(f"{out}/.kpcli/parts/*.jsonl"):  # noqa: PTH207
        assert process.poll() is None, "it was too quick to be interrupted"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b""
    assert_whole(out, undisturbed)
    assert (out / "landmarks.csv").exists()
    assert subprocess.run([sys.executable, script], cwd=REPO, check=False).returncode == 5
    assert (out / "landmarks.csv").read_bytes() == undisturbed


def test_results_are_not_overwritten_unasked(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    annotate(options(source / "0", out), FakePredictor())
    with pytest.raises(InputError, match="holds results already") as e:
        annotate(options(source / "0", out), FakePredictor())
    assert e.value.exit_code == 3
    assert "--resume" in e.value.next_step
    assert "--overwrite" in e.value.next_step


def test_overwrite_starts_anew(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    annotate(options(source / "0", out, overlays=True, formats=("pts",)), FakePredictor())
    (out / "mine.txt").write_text("keep")
    predictor = FakePredictor()
    annotate(options(source / "1", out, overwrite=True), predictor)
    assert sum(predictor.batches) == 10
    assert sorted(p.name for p in out.iterdir()) == [
        ".kpcli", "landmarks.csv", "manifest.csv", "mine.txt", "run.json",
    ]  # fmt: skip
    assert b"007.png" not in (out / "landmarks.csv").read_bytes()


def test_resume_with_other_options_is_refused(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    annotate(options(source / "0", out), FakePredictor())
    with pytest.raises(InputError, match="other options") as e:
        annotate(options(source / "0", out, resume=True, max_faces=1), FakePredictor())
    assert e.value.expected == "max_faces = 0"
    assert e.value.actual == "max_faces = 1"


@pytest.mark.parametrize(
    ("detector", "changed"),
    [
        ("haar:{0}/a.pb", "a.pb"),
        ("ssd:{0}/a.pb,{0}/a.pbtxt", "a.pb"),
        ("ssd:{0}/a.pb,{0}/a.pbtxt", "a.pbtxt"),
        ("builtin:{0}/bundle", "bundle/model.onnx"),
        ("builtin:{0}/bundle", "bundle/openvino/model.bin"),
    ],
)
def test_resume_sees_a_changed_file_of_the_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, detector: str, changed: str
) -> None:
    def whole_image(spec: str, size: int, device: str) -> object:
        return create_detector("whole_image", size)

    monkeypatch.setattr("kpcli.inference.finder.create_detector", whole_image)
    write_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / "openvino").mkdir()
    for name in ("a.pb", "a.pbtxt", "bundle/model.onnx", "bundle/openvino/model.bin"):
        (tmp_path / name).write_text("before")
    write_picture(tmp_path / "in" / "1.png")
    wanted = options(tmp_path / "in", tmp_path / "out", detector=detector.format(tmp_path))
    annotate(wanted, FakePredictor())
    annotate(replace(wanted, resume=True), FakePredictor())
    (tmp_path / changed).write_text("after")
    with pytest.raises(InputError, match="other options") as e:
        annotate(replace(wanted, resume=True), FakePredictor())
    assert e.value.expected.startswith("detector_files = ")


def test_resume_sees_new_and_changed_files(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for i in (1, 3, 5):
        write_picture(folder / f"{i}.png", picture(40, 30, seed=i))
    annotate(options(folder, out), FakePredictor())
    write_picture(folder / "2.png", picture(40, 30, seed=2))
    write_picture(folder / "3.png", picture(44, 30, seed=33))
    (folder / "5.png").unlink()
    predictor = FakePredictor()
    annotate(options(folder, out, resume=True), predictor)
    assert sum(predictor.batches) == 2
    annotate(options(folder, tmp_path / "fresh"), FakePredictor())
    assert (out / "landmarks.csv").read_bytes() == (tmp_path / "fresh/landmarks.csv").read_bytes()


def test_resume_tries_again_what_failed(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    write_picture(folder / "b.png")
    (folder / "a.png").symlink_to(tmp_path / "later.png")
    assert annotate(options(folder, out), FakePredictor()).counts == {"done": 1, "failed": 1}
    write_picture(tmp_path / "later.png")
    assert annotate(options(folder, out, resume=True), FakePredictor()).counts == {"done": 2}


def test_a_landmarks_csv_that_was_edited_is_neither_trusted_nor_lost(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    annotate(options(source / "0", out), FakePredictor())
    good = (out / "landmarks.csv").read_bytes()
    edited = good.replace(b",1,0.000000", b",1,0.5")
    (out / "landmarks.csv").write_bytes(edited)
    for how in ({"resume": True}, {"overwrite": True}, {}):
        with pytest.raises(InputError, match=r"landmarks\.csv: .* changed since kpcli wrote it"):
            annotate(options(source / "0", out, **how), FakePredictor())
        assert (out / "landmarks.csv").read_bytes() == edited
    (out / "landmarks.csv").rename(tmp_path / "mine.csv")
    annotate(options(source / "0", out, resume=True), FakePredictor())
    assert (out / "landmarks.csv").read_bytes() == good


def test_two_runs_into_one_folder_are_refused(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    class Nested(FakePredictor):
        def predict(self, crops: object) -> object:
            with pytest.raises(InputError, match="another kpcli annotate"):
                annotate(options(source / "0", out, resume=True), FakePredictor())
            return super().predict(crops)

    assert annotate(options(source / "0", out), Nested()).counts == {"done": 10}


def test_dry_run_lists_and_writes_nothing(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    planned = options(source, out, model=str(write_bundle(tmp_path / "model")))
    text = dry_run(planned).summary()
    assert len(text.splitlines()) == 75
    assert "annotate  v1.mp4" in text
    assert text.splitlines()[-1].startswith("71 pictures, 3 videos; 74 to annotate")
    assert not out.exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_hangs_is_given_up(tmp_path: Path, workers: int) -> None:
    folder = tmp_path / "in"
    red = [picture(40, 30) * 0 + [250, 20, 20]] * 3
    write_video(folder / "a.mp4", 3, frames=[f.astype("uint8") for f in red], pts=[0, 20, 40])
    write_video(folder / "b.mp4", 3)
    write_picture(folder / "c.png")
    report = annotate(
        options(folder, tmp_path / "out", workers=workers, timeout=1.5, overlays=True),
        TroublePredictor(),
    )
    assert report.counts == {"done": 2, "failed": 1}
    (problem,) = report.problems
    assert problem.file == "a.mp4"
    assert "no progress in 1.5 s" in problem.reason


def test_a_worker_that_dies_costs_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    blue = [picture(40, 30) * 0 + [20, 20, 250]] * 3
    write_video(folder / "a.mp4", 3, frames=[f.astype("uint8") for f in blue], pts=[0, 20, 40])
    for i in range(30):
        write_picture(folder / f"{i}.png")
    report = annotate(
        options(folder, tmp_path / "out", workers=2, overlays=True), TroublePredictor()
    )
    assert report.counts == {"done": 30, "failed": 1}
    (problem,) = report.problems
    assert problem.file == "a.mp4"
    assert "died" in problem.reason
    assert not list((tmp_path / "out" / ".kpcli").glob("tmp/*"))


class StillbornPredictor(FakePredictor):
    """Ends every process that it is sent to."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (3,)


def test_workers_that_cannot_even_begin_are_not_started_for_ever(
    source: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="die before they have read a file") as e:
        annotate(options(source, tmp_path / "out", workers=2), StillbornPredictor())
    assert e.value.actual == "exit code 3"
    assert "--workers 1" in e.value.next_step


def test_a_worker_s_error_about_the_whole_run_is_raised(tmp_path: Path) -> None:
    for i in range(40):
        write_picture(tmp_path / "in" / f"{i}.png")
    with pytest.raises(ModelError, match="not a model bundle"):
        annotate(
            options(tmp_path / "in", tmp_path / "out", workers=2, detector="builtin:none"),
            FakePredictor(),
        )


def test_a_decoder_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "in"
    for name in ("a.png", "b.png", "c.png"):
        write_picture(folder / name)
    plain = chunks.read_frames

    def slow(path: Path, *more: object) -> object:
        if path.name == "b.png":
            time.sleep(600)
        return plain(path, *more)

    monkeypatch.setattr(chunks, "read_frames", slow)
    report = annotate(options(folder, tmp_path / "out", timeout=0.5), FakePredictor())
    assert report.counts == {"done": 2, "failed": 1}
    assert report.problems[0].file == "b.png"


def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_picture(tmp_path / "in" / "a.png")
    plain = chunks.read_frames

    def changing(file: Path, *more: object) -> object:
        yield from plain(file, *more)
        path.write_bytes(path.read_bytes() + b"more")

    monkeypatch.setattr(chunks, "read_frames", changing)
    report = annotate(options(tmp_path / "in", tmp_path / "out"), FakePredictor())
    assert report.counts == {"partial": 1}
    assert "changed while it was read" in report.problems[0].reason


def test_a_disk_that_fills_while_rows_are_written(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kpcli.writers.landmark_csv.RowWriter.write", full)
    with pytest.raises(InputError, match="cannot be written") as e:
        annotate(options(source, tmp_path / "out"), FakePredictor())
    assert "No space left" in e.value.actual


def test_a_full_disk_is_reported_and_resume_goes_on(
    source: Path, undisturbed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    replaced = os.replace
    count = 0

    def full(a: object, b: object) -> None:
        nonlocal count
        count += 1
        if count > 6:
            raise OSError(28, "No space left on device")
        replaced(a, b)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="cannot be written") as e:
        annotate(options(source, out), FakePredictor())
    assert "No space left" in e.value.actual
    monkeypatch.setattr(os, "replace", replaced)
    annotate(options(source, out, resume=True), FakePredictor())
    assert (out / "landmarks.csv").read_bytes() == undisturbed
