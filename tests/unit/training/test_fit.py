"""The loop on a tiny network: it learns, survives a kill, and says what is wrong."""

import csv
import json

import keras
import numpy as np
import pytest
from helpers.training import options, tiny

from kpcli.errors import InputError, ModelError, UsageError
from kpcli.inference.predictor import Predictor
from kpcli.runtimes.keras_runtime import load_model
from kpcli.training import networks
from kpcli.training.fit import Schedule, averaging_momentum
from kpcli.training.landmarks import train as train_landmarks
from kpcli.training.landmarks.model import compiled
from kpcli.workflows import train as workflow

pytestmark = pytest.mark.usefixtures("tiny_architecture")


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
        ({"val": 0.0}, InputError, "no rows to validate on"),
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
    said = networks.start_from(fresh, str(faces.parent / "run" / "model"))
    assert "2 of 2 layers" in said
    other = tiny(7)
    assert "1 of 2 layers" in networks.start_from(other, str(faces.parent / "run" / "model"))


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
