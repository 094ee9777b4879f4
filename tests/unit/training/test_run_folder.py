"""A training's folder: what is resumed is the run's own, and nobody else's files are touched."""

import csv
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from helpers.training import draw_faces, options, tiny

from kpcli.errors import InputError, ModelError, UsageError
from kpcli.files import atomic_path
from kpcli.inference.predictor import Predictor
from kpcli.model_bundle import ModelBundle
from kpcli.options import AugmentOptions, TrainOptions
from kpcli.training.checkpoint import Checkpoint
from kpcli.training.landmarks.model import compiled
from kpcli.training.run_folder import OURS, RunFolder
from kpcli.training.run_options import DATA, options_from, plain
from kpcli.workflows import train as workflow

pytestmark = pytest.mark.usefixtures("tiny_architecture")


def silent(text: str) -> None:
    """Says nothing."""


def stop_after(epoch: int):
    """What says lines, and stops the training when this epoch's is said."""

    def say(text: str) -> None:
        if text.startswith(f"epoch {epoch}/"):
            raise KeyboardInterrupt

    return say


def stopped(faces: Path, **changes: object) -> TrainOptions:
    """The options of a run that was stopped in its second epoch."""
    run = options(faces, **changes)
    with pytest.raises(KeyboardInterrupt):
        workflow.train(run, say=stop_after(2))
    return run


def test_resume_after_a_kill_ends_where_an_undisturbed_run_ends(faces) -> None:
    undisturbed = options(faces, out=faces.parent / "whole", epochs=4)
    workflow.train(undisturbed, say=lambda _: None)
    cut = options(faces, epochs=4)

    def killed(text: str) -> None:
        if text.startswith("epoch 2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workflow.train(cut, say=killed)
    workflow.train(replace(cut, resume=True), say=lambda _: None)
    whole, resumed = (
        Predictor(ModelBundle.open(faces.parent / name / "model")) for name in ("whole", "run")
    )
    crops = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(whole.predict(crops).unit, resumed.predict(crops).unit, atol=1e-4)
    losses = [
        [float(r["loss"]) for r in csv.DictReader((faces.parent / n / "history.csv").open())]
        for n in ("whole", "run")
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_another_run_is_never_overwritten(faces) -> None:
    workflow.train(options(faces, epochs=1), say=lambda _: None)
    before = (faces.parent / "run" / "run.json").read_bytes()
    with pytest.raises(InputError, match="holds another run"):
        workflow.train(options(faces), say=lambda _: None)
    assert (faces.parent / "run" / "run.json").read_bytes() == before


def test_nothing_to_resume(faces) -> None:
    with pytest.raises(InputError, match="no run to resume"):
        workflow.train(options(faces, resume=True), say=lambda _: None)


def test_checkpoint_of_another_model_is_refused(tmp_path) -> None:
    def trainer(n: int) -> object:
        return compiled(tiny(n), TrainOptions(csv=Path(), out=Path()), steps=2)

    Checkpoint(tmp_path / "c.npz", trainer(5)).save({"history": []})
    with pytest.raises(ModelError, match="another model"):
        Checkpoint(tmp_path / "c.npz", trainer(6)).restore()


def test_a_resumed_run_goes_on_with_its_own_options(faces) -> None:
    own = {"epochs": 4, "batch_size": 3, "loss": "l1", "learning_rate": 1e-3, "seed": 5}
    stopped(faces, **own)
    plain_line = TrainOptions(csv=faces, out=faces.parent / "run", resume=True)
    workflow.train(plain_line, say=silent)
    run = json.loads((faces.parent / "run" / "run.json").read_text())
    assert {name: run["options"][name] for name in own} == own
    assert len(list(csv.DictReader((faces.parent / "run" / "history.csv").open()))) == 4
    assert run["started"] <= run["resumed"][0]["time"]


OTHERS = {
    "arch": "cnn_gray96", "epochs": 9, "batch_size": 5, "learning_rate": 0.5, "weight_decay": 0.5,
    "loss": "mse", "schedule": "step", "warmup_epochs": 0.5, "ema": 0.5, "clip_norm": 1.0,
    "patience": 3, "val": 0.3, "seed": 8, "crop_scale": 1.7, "face_box": "dataset",
    "weights": "imagenet", "init": "default", "precision": "float32",
    "augment": AugmentOptions(strength=0.5), "negative_share": 0.5, "soft_weight": 0.77,
    "detection": replace(TrainOptions(Path(), Path()).detection, crop_size=64),
}  # fmt: skip


@pytest.fixture(scope="module")
def run_that_stopped(tmp_path_factory) -> TrainOptions:
    faces = draw_faces(tmp_path_factory.mktemp("stopped"))
    with pytest.MonkeyPatch.context() as patch:
        from kpcli.training import networks
        from kpcli.training.landmarks import train as train_landmarks

        patch.setattr(train_landmarks, "architecture_facts", lambda name: (32, "rgb"))
        patch.setattr(networks, "build_architecture", lambda name, n, weights: tiny(n))
        return stopped(faces)


@pytest.mark.parametrize("name", [f.name for f in fields(TrainOptions)])
def test_every_option_is_the_runs_own_or_free(run_that_stopped, name: str) -> None:
    """Each field of the options is data (by digest), declared free, or refused if it differs."""
    (field,) = (f for f in fields(TrainOptions) if f.name == name)
    if name in DATA or field.metadata.get("free"):
        assert name not in OTHERS
        return
    other = replace(run_that_stopped, resume=True, **{name: OTHERS[name]})
    with pytest.raises(UsageError, match="own options") as error:
        RunFolder.open(other, {name})
    assert name in error.value.expected
    same = replace(run_that_stopped, resume=True)
    assert getattr(RunFolder.open(same, {name}).options, name) == getattr(same, name)
    free = replace(other, cache_mb=7, root=Path("elsewhere"))
    opened = RunFolder.open(free, {"cache_mb", "root"}).options
    assert (opened.cache_mb, opened.root) == (7, Path("elsewhere"))
    assert getattr(opened, name) == getattr(run_that_stopped, name)


def test_options_come_back_from_json() -> None:
    there = TrainOptions(
        csv=Path("a.csv"), out=Path("r"), negatives=Path("n.csv"), init="default",
        **{k: v for k, v in OTHERS.items() if k != "init"},
    )  # fmt: skip
    assert options_from(json.loads(json.dumps(plain(there)))) == there
    assert options_from({"csv": "a", "out": "r", "face_box": "csv"}).face_box == "dataset"


def test_other_data_are_refused_by_their_digest(faces) -> None:
    stopped(faces)
    lines = faces.read_text().splitlines(keepends=True)
    other = faces.with_name("other.csv")
    other.write_text("".join(lines[:-1]))
    again = options(faces, resume=True)
    with pytest.raises(InputError, match="not the csv that the run began with"):
        RunFolder.open(replace(again, csv=other))
    moved = faces.rename(faces.with_name("moved.csv"))
    assert RunFolder.open(replace(again, csv=moved)).options.csv == moved
    moved.write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match="not the csv"):
        RunFolder.open(replace(again, csv=moved))


@pytest.mark.parametrize("name", OURS)
def test_files_in_the_way_stay(faces, name: str) -> None:
    there = faces.parent / "run" / name
    there.parent.mkdir()
    there.write_bytes(b"mine")
    with pytest.raises(InputError, match=r"in the way|another run"):
        workflow.train(options(faces), say=silent)
    assert there.read_bytes() == b"mine"
    assert list(there.parent.iterdir()) == [there]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"options": {}}', "[" * 10**5, '{"a": 1'])
def test_another_tools_run_json_is_no_run(faces, text: str) -> None:
    file = faces.parent / "run" / "run.json"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(InputError, match="not the record of a training"):
        workflow.train(options(faces, resume=True), say=silent)
    assert file.read_text() == text


@pytest.mark.parametrize("cut", [0, 1, 1000, -1])
def test_a_damaged_checkpoint_is_said(faces, cut: int) -> None:
    run = stopped(faces)
    file = run.out / "checkpoint.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[:cut])
    with pytest.raises(ModelError, match="damaged checkpoint") as error:
        workflow.train(replace(run, resume=True), say=silent)
    assert "--init" in error.value.next_step
    assert error.value.exit_code == 4


def test_what_a_killed_run_left_goes_when_it_is_resumed(faces) -> None:
    run = stopped(faces)
    left = []
    for path in (run.out / "checkpoint.npz", run.out / "history.csv", run.out / "curves.png",
                 run.out / "run.json", run.out / "model" / "model.keras"):  # fmt: skip
        with atomic_path(path) as temporary:  # its name is what a killed process leaves
            temporary.write_bytes(path.read_bytes())
        temporary.write_bytes(b"half")
        left.append(temporary)
    mine = run.out / ".notes.txt"
    mine.write_text("mine")
    RunFolder.open(replace(run, resume=True))
    assert not [file for file in left if file.exists()]
    assert mine.read_text() == "mine"


def test_a_full_disk_is_said_and_the_run_can_go_on(faces, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    run = options(faces)
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(InputError, match="cannot be written") as error:
            workflow.train(run, say=silent)
    assert "No space left" in error.value.actual
    assert "--resume" in error.value.next_step
    assert len(workflow.train(replace(run, resume=True), say=silent).card.metrics) == 1


def test_a_run_that_ended_early_does_not_go_on(faces) -> None:
    run = options(faces, epochs=40, patience=1, learning_rate=0.3)
    workflow.train(run, say=silent)
    history = (run.out / "history.csv").read_bytes()
    assert history.count(b"\n") < 40
    workflow.train(replace(run, resume=True), say=silent)
    assert (run.out / "history.csv").read_bytes() == history


def test_the_best_model_must_be_there_to_go_on(faces) -> None:
    run = stopped(faces)
    (run.out / "model" / "card.json").unlink()
    with pytest.raises(ModelError, match="best model is gone"):
        workflow.train(replace(run, resume=True), say=silent)


def test_the_history_has_the_training_error_and_lines_say_the_time_left(faces) -> None:
    said: list[str] = []
    run = options(faces, epochs=3)
    workflow.train(run, say=said.append)
    rows = list(csv.DictReader((run.out / "history.csv").open()))
    assert all(0 < float(row["train_nme"]) < 1000 for row in rows)
    lines = [line for line in said if line.startswith("epoch ")]
    assert [line.rpartition(", ")[2] for line in lines][-1] == "0:00:00 left"
    assert f"NME {float(rows[0]['train_nme']):.3f} % train" in lines[0]


def test_the_time_left_is_by_the_last_epochs(tmp_path) -> None:
    folder = RunFolder(TrainOptions(csv=Path(), out=tmp_path, epochs=70), {})
    folder.history = [{"seconds": s} for s in (900.0, 60.0, 60.0, 61.0, 60.0, 60.0)]
    assert folder.time_left() == "1:04:00"


def test_the_bundle_is_the_best_epochs(faces) -> None:
    run = options(faces, epochs=6, learning_rate=0.05)
    bundle = workflow.train(run, say=silent)
    rows = list(csv.DictReader((run.out / "history.csv").open()))
    best = min(rows, key=lambda row: float(row["val_nme"]))
    assert bundle.card.training["epoch"] == int(float(best["epoch"]))
    crops = np.zeros((2, 32, 32, 3), np.uint8)
    assert Predictor(ModelBundle.open(run.out / "model")).predict(crops).unit.shape == (2, 5, 2)
