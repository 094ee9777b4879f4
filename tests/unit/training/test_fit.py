"""The loop on a tiny network: it learns, survives a kill, and says what is wrong."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from kpcli.dataset_csv import write_dataset
from kpcli.errors import InputError, ModelError, UsageError
from kpcli.geometry import tight_box
from kpcli.images import write_image
from kpcli.inference.predictor import Predictor
from kpcli.model_bundle import ModelBundle
from kpcli.options import AugmentOptions, TrainOptions
from kpcli.runtimes.keras_runtime import load_model
from kpcli.training import run_folder
from kpcli.training.fit import Checkpoint, Schedule, averaging_momentum, compiled
from kpcli.training.landmarks import train as train_landmarks
from kpcli.types import Sample
from kpcli.workflows import train as workflow


def tiny(n_points: int) -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="conv")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(2 * n_points, name="dense")(x)
    return keras.Model(image, {"points": keras.layers.Reshape((n_points, 2))(x)})


@pytest.fixture(autouse=True)
def tiny_architecture(monkeypatch) -> None:
    monkeypatch.setattr(train_landmarks, "architecture_facts", lambda name: (32, "rgb"))
    monkeypatch.setattr(
        run_folder, "build_architecture", lambda name, n_points, weights: tiny(n_points)
    )


@pytest.fixture
def faces(tmp_path) -> Path:
    """Twelve drawn faces: five dots; the last two share a group."""
    samples = []
    for i in range(12):
        rng = np.random.default_rng(i)
        points = np.array([[30, 35], [60, 34], [45, 50], [35, 65], [56, 66]]) + rng.integers(
            -8, 9, (5, 2)
        )
        pixels = np.full((100, 100, 3), 60, np.uint8)
        for x, y in points:
            pixels[y - 2 : y + 3, x - 2 : x + 3] = 255
        path = tmp_path / f"{i}.png"
        write_image(path, pixels)
        points = points.astype(np.float32)
        group = str(min(i, 10))
        samples.append(
            Sample(
                path,
                tight_box(points),
                points,
                np.ones(5, bool),
                "celeba5",
                "drawn",
                "train",
                group,
            )
        )
    write_dataset(samples, tmp_path / "faces.csv", tmp_path)
    return tmp_path / "faces.csv"


def options(faces: Path, **changes: object) -> TrainOptions:
    base = TrainOptions(
        csv=faces, out=faces.parent / "run", epochs=3, batch_size=4, val=0.25,
        augment=AugmentOptions(strength=0), learning_rate=3e-3, warmup_epochs=0,
    )  # fmt: skip
    return replace(base, **changes)


def test_a_run_learns_and_leaves_what_it_should(faces) -> None:
    said: list[str] = []
    bundle = workflow.train(options(faces, epochs=12), say=said.append)
    out = faces.parent / "run"
    for name in ("run.json", "history.csv", "curves.png", "samples.png", "augmented.png",
                 "checkpoint.npz", "model/model.keras", "model/card.json"):  # fmt: skip
        assert (out / name).stat().st_size > 0, name
    assert list((out / "tensorboard").iterdir())
    rows = list(csv.DictReader((out / "history.csv").open()))
    assert len(rows) == 12
    assert float(rows[-1]["loss"]) < 0.7 * float(rows[0]["loss"])
    run = json.loads((out / "run.json").read_text())
    assert run["faces"] == {"train": 9, "val": 3} or run["faces"]["val"] in (3, 4)
    best = min(float(r["val_nme"]) for r in rows)
    assert bundle.card.metrics["validation"]["nme_mean"] == pytest.approx(best, abs=1e-3)
    crops = np.zeros((3, 32, 32, 3), np.uint8)
    assert Predictor(bundle).predict(crops).unit.shape == (3, 5, 2)


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


def test_infinite_loss_stops_with_advice(faces) -> None:
    with pytest.raises(InputError, match="loss is") as error:
        workflow.train(
            options(faces, learning_rate=1e30, clip_norm=0.0, loss="mse"), say=lambda _: None
        )
    assert "--learning-rate" in str(error.value)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"loss": "nonsense"}, UsageError, "unknown loss"),
        ({"schedule": "nonsense"}, UsageError, "unknown schedule"),
        ({"face_box": "nonsense"}, UsageError, "unknown face box"),
        ({"precision": "nonsense"}, UsageError, "unknown precision"),
        ({"val": 0.0}, InputError, "no faces to val on"),
        ({"init": "no/such/bundle"}, ModelError, "not a model bundle"),
    ],
)
def test_bad_options(faces, change, error, text) -> None:
    with pytest.raises(error, match=text):
        workflow.train(options(faces, **change), say=lambda _: None)


def test_validation_faces_are_the_same_for_every_seed(faces) -> None:
    """Else a run that starts from another one's model validates on faces that one trained on."""
    kept = {
        tuple(s.image.name for s in train_landmarks._faces(options(faces, seed=seed))[1])
        for seed in range(4)
    }
    assert len(kept) == 1


def test_init_copies_what_fits(faces) -> None:
    workflow.train(options(faces, epochs=1), say=lambda _: None)
    fresh = tiny(5)
    said = run_folder.start_from(fresh, str(faces.parent / "run" / "model"))
    assert "2 of 2 layers" in said
    other = tiny(7)
    assert "1 of 2 layers" in run_folder.start_from(other, str(faces.parent / "run" / "model"))


def test_checkpoint_of_another_model_is_refused(tmp_path) -> None:
    def trainer(n: int) -> object:
        from kpcli.training.fit import compiled

        return compiled(tiny(n), TrainOptions(csv=Path(), out=Path()), steps=2)

    Checkpoint(tmp_path / "c.npz", trainer(5)).save({"history": []})
    with pytest.raises(ModelError, match="another model"):
        Checkpoint(tmp_path / "c.npz", trainer(6)).restore()


@pytest.mark.parametrize(
    ("kind", "step", "expected"),
    [("cosine", 0, 0.1), ("cosine", 9, 1.0), ("cosine", 60, 0.5), ("cosine", 110, 0.0),
     ("step", 50, 1.0), ("step", 75, 0.1), ("step", 100, 0.01), ("constant", 100, 1.0)],
)  # fmt: skip
def test_schedules(kind: str, step: int, expected: float) -> None:
    schedule = Schedule(kind, 1.0, warmup=10, total=110)
    assert float(schedule(step)) == pytest.approx(expected, abs=2e-3)


def test_averaging_forgets_the_first_weights_in_short_runs() -> None:
    assert averaging_momentum(0.998, 10_000) == 0.998
    assert averaging_momentum(0.998, 100) ** 100 < 1e-4
    assert averaging_momentum(0.998, 5) == 0.0


def test_batch_normalisation_knows_its_statistics_after_few_steps(faces) -> None:
    """MobileNetV2's are within another model and forget a thousandth a step."""
    norm = keras.layers.BatchNormalization(momentum=0.999)
    trunk = keras.Sequential([keras.Input((4, 4, 3)), norm, keras.layers.Flatten()])
    image = keras.Input((4, 4, 3))
    points = keras.layers.Reshape((5, 2))(keras.layers.Dense(10)(trunk(image)))
    network = keras.Model(image, {"points": points})
    compiled(network, options(faces), steps=100)
    pictures = np.full((8, 4, 4, 3), 200, np.float32)
    for _ in range(200):
        network(pictures, training=True)
    assert np.asarray(norm.moving_mean) == pytest.approx(200, rel=0.03)


def test_a_bundle_is_float32_whatever_it_was_trained_in(faces, tmp_path) -> None:
    trained = workflow.train(options(faces, precision="mixed_bfloat16"), say=lambda _: None)
    assert keras.config.dtype_policy().name == "float32"
    model = load_model(trained.weights)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    history = json.loads((tmp_path / "run" / "run.json").read_text())
    assert history["best"]["val_nme"] == pytest.approx(
        trained.card.metrics["validation"]["nme_mean"], abs=1e-3
    )
