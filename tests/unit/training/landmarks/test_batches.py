from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from kpcli.errors import InputError
from kpcli.geometry import CropTransform, tight_box
from kpcli.images import read_image, write_image
from kpcli.options import AugmentOptions
from kpcli.schemes import CELEBA5, IBUG68
from kpcli.training.faces import CropFormat, FaceStore, plain_crop
from kpcli.training.landmarks.batches import TrainingBatches, tangents, targets, validation_arrays
from kpcli.types import Sample

CROP = CropFormat(64, 2.0, "rgb")


@pytest.fixture
def samples(tmp_path) -> list[Sample]:
    """Pictures with a white dot at each of five points."""
    made = []
    for i in range(6):
        rng = np.random.default_rng(i)
        points = np.array([[40, 45], [70, 44], [55, 60], [45, 75], [66, 76]]) + rng.integers(
            -5, 6, 2
        )
        pixels = np.zeros((120, 120, 3), np.uint8)
        for x, y in points:
            pixels[y - 1 : y + 2, x - 1 : x + 2] = 255
        path = tmp_path / f"{i}.png"
        write_image(path, pixels)
        points = points.astype(np.float32)
        made.append(
            Sample(
                path,
                tight_box(points),
                points,
                np.ones(5, bool),
                "celeba5",
                "drawn",
                "train",
                str(i),
            )
        )
    return made


def test_plain_crop_shows_the_points_where_it_says(samples) -> None:
    store = FaceStore(samples, CROP, cache_mb=10)
    for i in range(len(samples)):
        crop, unit = plain_crop(store[i], CROP)
        x, y = np.round(((unit + 1) * 64 - 1) / 2).astype(int).T
        assert (crop[y, x] > 150).all()


def test_faces_beyond_the_memory_bound_are_the_same_faces(samples) -> None:
    kept, none = FaceStore(samples, CROP, cache_mb=10), FaceStore(samples, CROP, cache_mb=0)
    assert len(kept._kept) == 6
    assert not none._kept
    for i in range(6):
        np.testing.assert_array_equal(kept[i].pixels, none[i].pixels)
        np.testing.assert_array_equal(kept[i].points, none[i].points)


def batches(store: FaceStore, **kwargs: object) -> TrainingBatches:
    return TrainingBatches(store, CELEBA5, AugmentOptions(), 3, 7, box_from_points=True, **kwargs)


def test_batches_repeat_exactly_and_differ_by_epoch(samples) -> None:
    store = FaceStore(samples, CROP, 10)
    first, second = batches(store), batches(store)
    np.testing.assert_array_equal(first[1][0], second[1][0])
    np.testing.assert_array_equal(first[1][1]["points"], second[1][1]["points"])
    second.start_epoch(1)
    assert (first[1][0] != second[1][0]).any()
    first.start_epoch(1)
    np.testing.assert_array_equal(first[1][0], second[1][0])


def test_batches_are_the_same_whoever_asks_and_when(samples) -> None:
    made = batches(FaceStore(samples, CROP, 10), negatives=[[np.full((144, 144, 3), 90, np.uint8)]])
    alone = [made[i][0] for i in range(2)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda i: made[i % 2][0], reversed(range(24))))
    for i, crops in zip(reversed(range(24)), together, strict=True):
        np.testing.assert_array_equal(crops, alone[i % 2])


def test_augmentation_leaves_the_faces_in_memory_as_they_are(samples) -> None:
    store = FaceStore(samples, CROP, 10)
    before = [store[i].pixels.copy() for i in range(6)]
    made = batches(store)
    for _ in range(5):
        _ = made[0], made[1]
    for i in range(6):
        np.testing.assert_array_equal(store[i].pixels, before[i])


def test_an_epoch_shows_every_face_once(samples) -> None:
    made = batches(FaceStore(samples, CROP, 10))
    assert len(made) == 2
    assert sorted(made._order.tolist()) == list(range(6))


def test_negatives_carry_no_points(samples) -> None:
    patch = np.full((144, 144, 3), 90, np.uint8)
    made = batches(FaceStore(samples, CROP, 10), negatives=[[patch]], negative_share=0.34)
    crops, wanted = made[0]
    assert crops.shape == (3, 64, 64, 3)
    assert wanted["face"].ravel().tolist() == [1, 1, 0]
    assert wanted["mask"].sum(axis=1).tolist() == [5, 5, 0]


def test_few_patches_of_one_kind_are_shown_as_often_as_many_of_another(samples) -> None:
    dark, light = (np.full((144, 144, 3), value, np.uint8) for value in (30, 220))
    kinds = [[dark] * 99, [], [light]]
    made = batches(FaceStore(samples, CROP, 10), negatives=kinds, negative_share=0.34)
    shown = []
    for epoch in range(40):
        made.start_epoch(epoch)
        shown += [made[i][0][-1].mean() > 128 for i in range(len(made))]
    assert 0.3 < np.mean(shown) < 0.7


def test_missing_points_are_masked() -> None:
    points = np.array([[[0.1, 0.2], [np.nan, 0.3]]], np.float32)
    wanted = targets(points, np.ones((1, 1), np.float32))
    assert wanted["mask"].tolist() == [[1.0, 0.0]]
    assert np.isfinite(wanted["points"]).all()


def test_gray_crops_have_one_channel(samples) -> None:
    crops, points = validation_arrays(FaceStore(samples, CropFormat(32, 2.0, "gray"), 10))
    assert crops.shape == (6, 32, 32, 1)
    assert points.shape == (6, 5, 2)


def test_a_picture_that_is_gone_names_the_row(samples) -> None:
    samples[2].image.unlink()
    with pytest.raises(InputError, match=r"2\.png"):
        FaceStore(samples, CROP, 10)


def test_small_faces_are_trained_on_the_crop_that_inference_makes(samples) -> None:
    """Regions of faces that need no shrinking are not resampled."""
    for sample in samples:
        crop, unit = plain_crop(FaceStore([sample], CROP, 10)[0], CROP)
        direct = CropTransform.from_box(sample.face, CROP.size, CROP.scale)
        np.testing.assert_array_equal(crop, direct.to_crop(read_image(sample.image)))
        np.testing.assert_allclose(unit, direct.to_unit(sample.points), atol=1e-5)


def test_released_faces_are_decoded_again(samples) -> None:
    store = FaceStore(samples, CROP, cache_mb=10)
    before = store[1].pixels
    store.release()
    assert not store._kept
    np.testing.assert_array_equal(store[1].pixels, before)


def test_occluded_points_count_less_and_slide_along_their_outline(samples) -> None:
    """Point 4 of a face that is mirrored is point 3's other side: weights follow the points."""
    seen = np.array([True, True, True, False, True])
    samples = [replace(s, visible=seen) for s in samples]
    for flip, soft in ((0.0, 3), (1.0, 4)):
        options = AugmentOptions(flip=flip, rotation=0)
        made = TrainingBatches(
            FaceStore(samples, CROP, 10), CELEBA5, options, 3, 0,
            box_from_points=True, soft_weight=0.25,
        )  # fmt: skip
        _, wanted = made[0]
        expected = [0.25 if i == soft else 1.0 for i in range(5)]
        assert wanted["mask"].tolist() == [expected] * 3
        assert not wanted["tangent"][:, [i for i in range(5) if i != soft]].any()


def test_without_a_soft_weight_every_labelled_point_counts_alike(samples) -> None:
    samples = [replace(s, visible=np.zeros(5, bool)) for s in samples]
    _, wanted = batches(FaceStore(samples, CROP, 10))[0]
    assert (wanted["mask"] == 1).all()
    assert "tangent" not in wanted


def test_tangents_point_along_the_outline() -> None:
    points = np.full((1, 68, 2), np.nan, np.float32)
    points[0, :17] = [[i, 0.5 * i] for i in range(17)]
    points[0, 36:42] = [[0, 0], [1, -1], [2, -1], [3, 0], [2, 1], [1, 1]]
    along = tangents(points, IBUG68)
    # Which of the two ways it points does not matter.
    np.testing.assert_allclose(abs(along[0, :17]), [[0.8944272, 0.4472136]] * 17, rtol=1e-5)
    np.testing.assert_allclose(abs(along[0, 36]), [0, 1])  # from the last point to the next: closed
    assert not along[0, 17:27].any()  # unlabelled
