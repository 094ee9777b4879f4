"""A detector's training: who answers for whom, what is learnt from which label, the whole loop."""

from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from kpcli.architectures import face_detector
from kpcli.boxes import pairwise_iou
from kpcli.cells import cell_grid, decode, encode
from kpcli.dataset_csv import BOXES, label_box, read_dataset, write_dataset
from kpcli.errors import InputError
from kpcli.geometry import CropTransform, tight_box
from kpcli.images import upright_size, write_image
from kpcli.model_bundle import DETECTION, ModelBundle, ModelCard, write_card
from kpcli.options import AugmentOptions, DetectionOptions, TrainOptions
from kpcli.splits import cut_by_group
from kpcli.training.detection import model as detection
from kpcli.training.detection import train as train_detector
from kpcli.training.detection.batches import DetectionBatches, targets
from kpcli.training.detection.calibration import fit_logistic
from kpcli.training.detection.scenes import (
    Canvas,
    Scene,
    SceneStore,
    crop_scene,
    moved,
    scenes,
    side_by_side,
)
from kpcli.training.networks import start_from
from kpcli.types import FaceBox, Sample
from kpcli.workflows.train import train

STRIDES = (8, 16, 32, 64)
NO_POINTS = np.zeros((0, 2), np.float32)
CELLS = cell_grid(128, 128, STRIDES)


def assigned(faces, boxes=None, score=None):
    """Aims (n,) and boxes (n, 4) for faces (F, 4); cells guess squares of four strides."""
    count = len(CELLS)
    guess = np.zeros((count, 4), np.float32)
    guess[:, 2:] = np.log(4)
    boxes = decode(guess, CELLS) if boxes is None else boxes
    score = np.full(count, 0.5, np.float32) if score is None else score
    faces = np.array(faces, np.float32)
    aim, box = detection.assign(
        score[None], boxes[None].astype(np.float32), CELLS[None], faces[None],
        np.ones((1, len(faces)), np.float32),
    )  # fmt: skip
    return np.asarray(aim)[0], np.asarray(box)[0]


def test_keras_and_numpy_decode_alike():
    numbers = np.random.default_rng(0).normal(0, 1, (1, len(CELLS), 4)).astype(np.float32)
    mine = np.asarray(detection.decoded(numbers, CELLS[None]))[0]
    np.testing.assert_allclose(mine, decode(numbers[0], CELLS), rtol=1e-5, atol=1e-4)


def test_cells_of_the_fitting_scale_answer_for_a_face():
    aim, box = assigned([[48, 40, 80, 72]])  # 32 px: four strides of 8
    answering = CELLS[aim > 0.5]
    assert len(answering)
    assert set(answering[:, 2]) == {8}
    assert np.abs(answering[:, :2] - [64, 56]).max() < 0.4 * 32
    np.testing.assert_array_equal(box[aim > 0], np.tile([48, 40, 80, 72], ((aim > 0).sum(), 1)))
    larger = CELLS[assigned([[20, 20, 84, 84]])[0] > 0.5]
    assert set(larger[:, 2]) == {16}


def test_no_more_cells_than_allowed_and_none_without_a_face():
    aim, _ = assigned([[19, 22, 97, 101]])  # off the grid: no two cells fit alike
    assert 0 < (aim > 0).sum() <= detection.CELLS_A_FACE
    none, _ = detection.assign(
        np.full((1, len(CELLS)), 0.5, np.float32), np.zeros((1, len(CELLS), 4), np.float32),
        CELLS[None], np.zeros((1, 3, 4), np.float32), np.zeros((1, 3), np.float32),
    )  # fmt: skip
    assert np.asarray(none).max() == 0


def test_the_aim_is_the_fit_and_the_surer_cell_wins():
    face = [48, 40, 80, 72]
    aim, _ = assigned([face])
    guess = np.zeros((len(CELLS), 4), np.float32)
    guess[:, 2:] = np.log(4)
    best = pairwise_iou(decode(guess, CELLS), np.array([face]))[:, 0].max()
    assert aim.max() == pytest.approx(best, abs=1e-3)
    score = np.full(len(CELLS), 0.1, np.float32)
    favoured = int(np.argsort(aim)[-2])
    score[favoured] = 0.9
    assert assigned([face], score=score)[0].argmax() == favoured


def test_two_close_faces_share_no_cell():
    left, right = [30, 40, 62, 72], [50, 40, 82, 72]
    aim, box = assigned([left, right])
    owners = {tuple(b) for b in box[aim > 0]}
    assert owners == {tuple(left), tuple(right)}
    for face in (left, right):
        assert (aim[(box == face).all(1)]).max() > 0.3


def test_a_small_face_has_a_cell():
    aim, _ = assigned([[60, 60, 69, 70]])
    assert (aim > 0).any()


def test_giou_of_equal_and_of_distant_boxes():
    a = np.array([[0.0, 0.0, 10.0, 10.0]], np.float32)
    far = np.array([[30.0, 0.0, 40.0, 10.0]], np.float32)
    assert float(np.asarray(detection.giou(a, a))[0]) == pytest.approx(1)
    # The hull is 40 wide, of which 20 are empty.
    assert float(np.asarray(detection.giou(a, far))[0]) == pytest.approx(-0.5)


def test_score_loss_wants_the_aim_and_leaves_uncounted_background_alone():
    logit = np.array([[3.0, 3.0, -3.0]], np.float32)
    aim = np.array([[0.0, 0.0, 0.9]], np.float32)
    counted = np.array([[1.0, 0.0, 1.0]], np.float32)
    loss = np.asarray(detection.score_loss(logit, aim, counted))[0]
    assert loss[0] > 1
    assert loss[1] == 0
    right = np.asarray(
        detection.score_loss(np.array([[2.2]], np.float32), aim[:, 2:], counted[:, :1])
    )
    assert right[0, 0] < loss[2]


def outputs(boxes, landmark_boxes, score):
    return {
        "score": np.asarray(score, np.float32)[None],
        "box": encode(boxes, CELLS).astype(np.float32)[None],
        "landmark_box": encode(landmark_boxes, CELLS).astype(np.float32)[None],
    }


def test_a_picture_teaches_the_box_of_its_own_kind_only():
    face = np.array([[48, 40, 80, 72]], np.float32)
    right = np.tile(face, (len(CELLS), 1))
    wrong = right + np.array([2, -3, 5, 4])
    score = np.full(len(CELLS), 3.0)
    trainer = detection.DetectionTrainer(keras.Sequential())
    for landmark in (True, False):
        y = targets([Canvas(np.zeros((128, 128, 3), np.uint8), face, face[:0], landmark)], CELLS)

        def loss(own, other, y=y, landmark=landmark):
            boxes = (other, own) if landmark else (own, other)
            return float(trainer.compute_loss(y=y, y_pred=outputs(*boxes, score)))

        assert loss(right, right) == loss(right, wrong)
        assert loss(wrong, right) > loss(right, right) + 0.3


def test_scenes_gather_rows_by_picture_and_set_invalid_ones_apart():
    def row(name, box, invalid):
        return Sample(
            Path(name), box, NO_POINTS, np.zeros(0, bool), BOXES, "d", "train", name,
            attributes={"invalid": invalid},
        )  # fmt: skip

    first, second = scenes([
        row("b.png", FaceBox(0, 0, 9, 9), "0"), row("a.png", None, "0"),
        row("b.png", FaceBox(5, 5, 8, 8), "1"),
    ])  # fmt: skip
    assert (first.image.name, len(first.faces), len(first.ignored)) == ("a.png", 0, 0)
    assert second.faces.tolist() == [[0, 0, 9, 9]]
    assert second.ignored.tolist() == [[5, 5, 8, 8]]


def test_moved_boxes_keep_their_size_when_turned():
    box = np.array([[40, 30, 60, 70]], np.float32)
    view = FaceBox(0, 0, 100, 100)
    still = moved(box, CropTransform.from_box(view, 200, 1.0))
    np.testing.assert_allclose(still[0, 2:] - still[0, :2], [40, 80], atol=1e-4)
    quarter = moved(box, CropTransform.from_box(view, 200, 1.0, rotation=90))
    np.testing.assert_allclose(quarter[0, 2:] - quarter[0, :2], [80, 40], atol=1e-4)


def test_targets_leave_out_what_is_too_small_and_what_is_ignored():
    faces = np.array([[10, 10, 40, 40], [80, 80, 84, 85]], np.float32)
    ignored = np.array([[60, 10, 90, 40]], np.float32)
    wanted = targets([Canvas(np.zeros((128, 128, 3), np.uint8), faces, ignored, False)], CELLS)
    assert wanted["real"].sum() == 1
    np.testing.assert_array_equal(wanted["faces"][0, 0], faces[0])
    uncounted = CELLS[wanted["counted"][0] == 0]
    for x, y, _ in uncounted:
        assert 56 <= x <= 94
        assert 6 <= y <= 44 or 76 <= y <= 89
    assert len(uncounted) > 10


def test_only_near_counts_background_around_the_faces_alone():
    face = np.array([[40, 40, 80, 80]], np.float32)
    canvas = Canvas(np.zeros((128, 128, 3), np.uint8), face, face[:0], True, only_near=True)
    counted = CELLS[targets([canvas], CELLS)["counted"][0] > 0]
    assert counted[:, :2].min() >= 32
    assert counted[:, :2].max() <= 88


def test_four_canvases_keep_their_boxes_over_their_pixels():
    parts = []
    for value in (50, 100, 150, 200):
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[20:40, 10:30] = value
        box = np.array([[10, 20, 29, 39]], np.float32)
        parts.append(Canvas(pixels, box, box[:0], False))
    joined = side_by_side(parts, 128)
    assert joined.pixels.shape == (128, 128, 3)
    for box, value in zip(joined.faces.astype(int), (50, 100, 150, 200), strict=True):
        assert (joined.pixels[box[1] : box[3] + 1, box[0] : box[2] + 1] == value).all()


def test_crops_of_a_scene_have_the_boxes_on_the_faces():
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[50:80, 60:90] = (255, 0, 0)
    scene = Scene(Path("x"), np.array([[60, 50, 89, 79]], np.float32), np.zeros((0, 4), np.float32))
    seen = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        canvas = crop_scene(rng, scene, pixels, 128, turn=0.0)
        for left, top, right, bottom in canvas.faces:
            x, y = round((left + right) / 2), round((top + bottom) / 2)
            spot, corner = canvas.pixels[y, x].astype(int), canvas.pixels[2, 2].astype(int)
            assert np.abs(spot - corner).max() > 40
            seen += 1
    assert seen > 15


def test_calibration_recovers_a_known_curve():
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 2, 8000)
    correct = rng.random(8000) < 1 / (1 + np.exp(-(1.5 * logits + 0.7)))
    slope, offset = fit_logistic(logits[:, None], correct)
    assert slope == pytest.approx(1.5, abs=0.15)
    assert offset == pytest.approx(0.7, abs=0.15)
    assert fit_logistic(np.zeros((0, 1)), np.zeros(0, bool)) == pytest.approx((1, 0))


def test_calibration_by_a_second_feature_recovers_both_slopes():
    rng = np.random.default_rng(1)
    features = np.stack([rng.normal(-1, 2, 8000), rng.uniform(-4, 0, 8000)], axis=1)
    chance = 1 / (1 + np.exp(-(features @ [1.5, 0.8] + 0.7)))
    fitted = fit_logistic(features, rng.random(8000) < chance)
    assert fitted == pytest.approx((1.5, 0.8, 0.7), abs=0.15)


def draw(path: Path, centre: tuple[int, int], radius: int) -> None:
    pixels = np.full((128, 128, 3), 90, np.uint8)
    cv2.circle(pixels, centre, radius, (230, 190, 160), -1)
    for side in (-1, 1):
        eye = (centre[0] + side * radius // 2, centre[1] - radius // 3)
        cv2.circle(pixels, eye, max(1, radius // 6), (20, 20, 20), -1)
    write_image(path, pixels)


@pytest.fixture
def boxes_csv(tmp_path: Path) -> Path:
    samples = []
    for i in range(10):
        rng = np.random.default_rng(i)
        radius = int(rng.integers(12, 30))
        x, y = (int(v) for v in rng.integers(radius, 128 - radius, 2))
        path = tmp_path / f"{i}.png"
        draw(path, (x, y), radius)
        face = FaceBox(x - radius, y - radius, x + radius, y + radius)
        samples.append(
            Sample(
                path, face, NO_POINTS, np.zeros(0, bool), BOXES, "drawn", "train", str(i),
                attributes={"invalid": "0"},
            )
        )  # fmt: skip
    write_dataset(samples, tmp_path / "boxes.csv", tmp_path)
    return tmp_path / "boxes.csv"


@pytest.fixture
def faces_csv(tmp_path: Path) -> Path:
    samples = []
    for i in range(4):
        path = tmp_path / f"face{i}.png"
        draw(path, (64, 64), 30)
        angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
        points = (64 + 28 * np.stack([np.cos(angle), np.sin(angle)], 1)).astype(np.float32)
        samples.append(
            Sample(
                path, tight_box(points), points, np.ones(68, bool), "ibug68", "drawn", "train",
                f"f{i}",
            )
        )  # fmt: skip
    write_dataset(samples, tmp_path / "faces.csv", tmp_path)
    return tmp_path / "faces.csv"


def options(csv: Path, **changes: object) -> TrainOptions:
    base = TrainOptions(
        csv=csv, out=csv.parent / "run", arch="face_detector", epochs=2, batch_size=4, val=0.2,
        augment=AugmentOptions(strength=0), detection=DetectionOptions(crop_size=64),
    )  # fmt: skip
    return replace(base, **changes)


def test_batches_repeat_and_alternate_in_size(boxes_csv: Path):
    from kpcli.dataset_csv import read_dataset

    store = SceneStore(scenes(read_dataset(boxes_csv)), 100)
    batches = DetectionBatches(
        store, None, STRIDES, DetectionOptions(crop_size=64), AugmentOptions(), 4, 0
    )
    shapes = [batches[i][0].shape for i in range(5)]
    assert shapes == [(4, 64, 64, 3), (1, 128, 128, 3), *[(4, 64, 64, 3)] * 3]
    first, again = batches[0], batches[0]
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1]["faces"], again[1]["faces"])
    batches.start_epoch(1)
    assert (batches[0][0] != first[0]).any()


def test_large_pictures_are_kept_smaller_with_their_boxes(boxes_csv: Path):
    given = scenes(read_dataset(boxes_csv))
    usual, small = SceneStore(given, 100), SceneStore(given, 100, largest=32)
    uncached = SceneStore(given, 0, largest=32)
    for i in range(len(given)):
        scene, pixels = usual[i]
        less, fewer = small[i]
        assert max(fewer.shape[:2]) == 32
        shrink = 32 / max(pixels.shape[:2])
        np.testing.assert_allclose(
            less.faces[:, 2:] - less.faces[:, :2],
            (scene.faces[:, 2:] - scene.faces[:, :2]) * shrink, rtol=0.05,
        )  # fmt: skip
        np.testing.assert_array_equal(uncached[i][0].faces, less.faces)
        np.testing.assert_array_equal(uncached[i][1], fewer)


class _Perfect:
    """A detector that finds every face of a store's pictures as they are kept."""

    def __init__(self, store: SceneStore) -> None:
        self.answers = [store[i][0].faces for i in range(len(store))]

    def arrays(self, pictures, kind):
        faces = self.answers.pop(0)
        return [(faces, np.full(len(faces), 0.9, np.float32))]


@pytest.mark.parametrize("largest", [0, 64])
def test_validation_goes_by_the_boxes_of_the_pictures_as_they_are_kept(boxes_csv: Path, largest):
    store = SceneStore(scenes(read_dataset(boxes_csv)), 100, largest)
    card = ModelCard(
        name="x", task=DETECTION, architecture="face_detector", input_size=64, colour="rgb",
        crop_scale=1.0, face_box="dataset", strides=STRIDES,
    )  # fmt: skip
    validation = train_detector.Validation(store, card, None)
    validation.detector = _Perfect(store)
    assert validation.run() == {"val_error": 0, "val_ap_10": 1, "val_ap_24": 1}


@pytest.fixture
def small_network(monkeypatch) -> None:
    """The same network with fewer and narrower layers: most of the time is their tracing."""
    small = {"STEM": (4, 4), "WIDTHS": (8,) * 4, "BLOCKS": (0,) * 4, "PYRAMID": 8}
    for name, value in small.items():
        monkeypatch.setattr(face_detector, name, value)


@pytest.mark.usefixtures("small_network")
def test_train_makes_a_bundle_and_goes_on(boxes_csv: Path, faces_csv: Path):
    said: list[str] = []
    wanted = options(boxes_csv, faces=faces_csv)

    def stop(text: str) -> None:
        said.append(text)
        if text.startswith("epoch 1/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(wanted, stop)
    bundle = train(replace(wanted, resume=True), said.append)
    card = ModelBundle.open(bundle.path).card
    assert card.task == DETECTION
    assert card.face_box == "landmarks"
    assert card.strides == STRIDES
    assert set(card.outputs) == {"score", "box", "landmark_box"}
    assert set(card.calibration) == {"score_slope", "score_size", "score_offset"}
    assert [s.split()[1] for s in said if s.startswith("epoch")] == ["1/2", "1/2", "2/2"]
    for name in ("history.csv", "curves.png", "augmented.png", "samples.png", "run.json"):
        assert (wanted.out / name).is_file()


def test_a_wider_network_starts_with_what_the_narrower_one_gave(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(face_detector, "BLOCKS", (0, 1, 0, 0))
    monkeypatch.setattr(face_detector, "WIDTHS", (8, 8, 8, 8))
    narrow = face_detector.build()
    (tmp_path / "narrow").mkdir()
    narrow.save(tmp_path / "narrow" / "model.keras")
    card = ModelBundle.open("face_detector").card
    write_card(replace(card, exports={}), tmp_path / "narrow")
    monkeypatch.setattr(face_detector, "WIDTHS", (8, 16, 12, 8))
    wide = face_detector.build()
    said = start_from(wide, str(tmp_path / "narrow"))
    layers = sum(bool(layer.weights) for layer in wide.layers)
    assert f"{layers} of {layers} layers, " in said
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.float32)
    for name, value in narrow(picture).items():
        np.testing.assert_allclose(value, wide(picture)[name], atol=1e-5)
    assert wide.count_params() > narrow.count_params()


def test_a_csv_of_landmarks_gives_the_boxes_that_its_model_takes(faces_csv):
    samples = read_dataset(faces_csv)
    for kind in ("landmarks", "dataset", "image"):
        parts = train_detector._boxes(replace(options(faces_csv), face_box=kind, val=0.3))
        rows = [row for part in parts for row in part]
        assert len(rows) == len([s for s in samples if s.split != "test"])
        assert {row.scheme for row in rows} == {BOXES}
        by_picture = {s.image: s for s in samples}
        for row in rows:
            size = upright_size(row.image)
            assert row.face == label_box(by_picture[row.image], kind, size)


def test_a_detector_is_trained_on_landmarks(faces_csv):
    bundle = train(options(faces_csv, epochs=1, val=0.4), lambda _: None)
    assert bundle.card.face_box == "dataset"  # its boxes are those that it was shown
    assert bundle.card.training["boxes"] > 0


def test_boxes_as_landmarks_are_refused(boxes_csv):
    with pytest.raises(InputError, match="no landmarks"):
        train(options(boxes_csv, faces=boxes_csv), lambda _: None)


def test_validation_pictures_are_the_same_for_every_seed(boxes_csv: Path):
    """Those of the shipped detector's last run, which had seed 3."""
    cut = cut_by_group(read_dataset(boxes_csv), 0.5, 3)
    expected = {s.image for s in cut if s.split == "val"}
    for seed in range(4):
        _, val_set = train_detector._boxes(replace(options(boxes_csv), val=0.5, seed=seed))
        assert {s.image for s in val_set} == expected


def test_one_picture_is_too_few(boxes_csv: Path):
    lines = boxes_csv.read_text().splitlines()
    boxes_csv.write_text("\n".join(lines[:2]) + "\n")
    with pytest.raises(InputError, match="one row is too few"):
        train(options(boxes_csv), lambda _: None)
