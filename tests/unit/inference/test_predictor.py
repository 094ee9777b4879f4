"""Test-time augmentation, with a runtime whose answers are known."""

from typing import Any

import numpy as np
import pytest

from kpcli.errors import UsageError
from kpcli.inference import predictor as module
from kpcli.inference.predictor import Predictor, interpret
from kpcli.model_bundle import ModelBundle
from kpcli.options import FLIP
from kpcli.schemes import CELEBA5, IBUG68


class _Dots:
    """Finds five dots by their colour, and errs by a tenth of the crop to the right."""

    line = "dots"

    def run(self, crops: Any) -> dict[str, Any]:
        size = crops.shape[1]
        points = np.zeros((len(crops), 5, 2), np.float32)
        for i, crop in enumerate(crops):
            places = []
            for colour in range(1, 6):
                y, x = np.argwhere(crop[..., 0] == 40 * colour)[0]
                places.append([(2 * x + 1) / size - 1 + 0.2, (2 * y + 1) / size - 1])
            # A model that knows left from right names the dots by where they are.
            eyes, mouth = sorted(places[:2]), sorted(places[3:])
            points[i] = [*eyes, places[2], *mouth]
        scale = np.tile(np.arange(5) * -0.5 - 3, (len(crops), 1)).astype(np.float32)
        return {"points": points, "log_scale": scale}


@pytest.fixture
def bundle(monkeypatch) -> ModelBundle:
    monkeypatch.setattr(module, "open_runtime", lambda *_: _Dots())
    return ModelBundle.open("celeba5")


def crop_with_dots(bundle: ModelBundle) -> tuple[Any, Any]:
    size = bundle.card.input_size
    crop = np.zeros((1, size, size, 3), np.uint8)
    places = np.array([[30, 40], [80, 44], [50, 60], [35, 90], [70, 88]])
    for colour, (x, y) in enumerate(places, start=1):
        crop[0, y, x] = 40 * colour
    return crop, (2 * places + 1) / size - 1


def test_an_error_to_one_side_vanishes_in_the_mean_with_the_mirrored_look(bundle) -> None:
    crop, truth = crop_with_dots(bundle)
    plain = Predictor(bundle).predict(crop)
    np.testing.assert_allclose(plain.unit[0], truth + np.array([0.2, 0]), atol=1e-6)
    both = Predictor(bundle, tta=FLIP).predict(crop)
    np.testing.assert_allclose(both.unit[0], truth, atol=1e-6)


def test_scores_of_the_mirrored_look_go_to_the_other_side_s_points(bundle) -> None:
    crop, _ = crop_with_dots(bundle)
    plain = Predictor(bundle).predict(crop).point_confidences[0]
    both = Predictor(bundle, tta=FLIP).predict(crop).point_confidences[0]
    np.testing.assert_allclose(both, (plain + plain[list(CELEBA5.flip_order)]) / 2, atol=1e-6)
    assert len(set(plain.tolist())) == 5


def test_an_unknown_tta_is_refused(bundle) -> None:
    with pytest.raises(UsageError, match="--tta 'rotate'"):
        Predictor(bundle, tta="rotate")


def test_the_face_logit_is_shifted_by_the_calibration() -> None:
    outputs = {"points": np.zeros((2, 5, 2)), "face_logit": np.array([[2.0], [0.0]])}
    plain = interpret(outputs, 1.3, {}, CELEBA5).confidence
    np.testing.assert_allclose(plain, [1 / (1 + np.exp(-2)), 0.5], rtol=1e-6)
    shifted = interpret(outputs, 1.3, {"face_logit_shift": -2.0}, CELEBA5).confidence
    np.testing.assert_allclose(shifted, [0.5, 1 / (1 + np.exp(2))], rtol=1e-6)


def test_the_confidence_of_a_face_that_looks_away_is_by_its_eyes_distance() -> None:
    b, side = 0.02, 2 / 1.3

    def within(distance: float) -> float:
        return float(1 - (1 + distance / b) * np.exp(-distance / b))

    points = np.zeros((3, 68, 2), np.float32)
    for face, eyes in zip(points, (0.9, 0.55 * side, 0.1), strict=True):
        face[36], face[45] = (-eyes / 2, 0), (eyes / 2, 0)
    points[0] *= 1.5
    outputs = {"points": points, "log_scale": np.full((3, 68), np.log(b))}
    found = interpret(outputs, 1.3, {}, IBUG68)
    np.testing.assert_allclose(found.point_confidences, within(0.05 * side), rtol=1e-5)
    expected = [within(0.05 * side), within(0.08 * 0.55 * side), within(0.035 * side)]
    np.testing.assert_allclose(found.confidence, expected, rtol=1e-5)
    assert interpret(outputs, 1.3, {}, CELEBA5).confidence[2] == pytest.approx(expected[0])
