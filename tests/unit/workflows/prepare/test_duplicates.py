from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import picture
from PIL import Image

from kpcli.workflows.prepare.duplicates import (
    MIN_CORRELATION,
    across_splits,
    correlation,
    fingerprint,
    linked_groups,
)


def copy_of(pixels: np.ndarray, how: str) -> np.ndarray:
    """The picture re-encoded as JPEG, after a change that leaves it the same picture."""
    image = Image.fromarray(pixels)
    width, height = image.size
    if how == "half":
        image = image.resize((width // 2, height // 2))
    elif how == "double":
        image = image.resize((2 * width, 2 * height))
    elif how == "gray":
        image = image.convert("L").convert("RGB")
    elif how == "brighter":
        image = image.point(lambda v: min(255, int(1.2 * v + 8)))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=35 if how == "jpeg" else 80)
    return np.array(Image.open(file))


@pytest.mark.parametrize("how", ["jpeg", "half", "double", "gray", "brighter"])
def test_copies_are_found_and_nothing_else(how: str) -> None:
    train = {Path(f"train/{i}"): picture(seed=i) for i in range(30)}
    test = {Path(f"test/{i}"): picture(seed=100 + i) for i in range(30)}
    test[Path("test/copy")] = copy_of(train[Path("train/7")], how)
    prints = {p: fingerprint(v) for p, v in {**train, **test}.items()}
    found = across_splits({"train": list(train), "test": list(test)}, prints)
    assert [(d.first, d.second) for d in found] == [(Path("test/copy"), Path("train/7"))]
    assert (found[0].first_split, found[0].second_split) == ("test", "train")
    assert found[0].correlation >= MIN_CORRELATION


def test_copies_within_a_split_are_no_matter() -> None:
    prints = {Path("a"): fingerprint(picture(seed=1)), Path("b"): fingerprint(picture(seed=1))}
    assert across_splits({"train": list(prints), "test": []}, prints) == []


def test_one_file_in_two_splits_and_files_without_fingerprint() -> None:
    prints = {Path("a"): fingerprint(picture(seed=1))}
    found = across_splits({"val": [Path("a"), Path("b")], "test": [Path("a"), Path("b")]}, prints)
    assert [(d.first, d.second, d.distance) for d in found] == [(Path("a"), Path("a"), 0)]


def test_groups_that_share_a_picture_are_linked() -> None:
    """a-b share picture 1, b-c picture 2, d shares none."""
    groups = {"a1": 1, "b1": 1, "b2": 2, "c2": 2, "d3": 3, "d4": 4}
    prints = {Path(name): fingerprint(picture(seed=seed)) for name, seed in groups.items()}
    linked = linked_groups([(p, p.name[0]) for p in prints], prints)
    assert linked == {"a": "a", "b": "a", "c": "a", "d": "d"}
    assert linked_groups([(Path("x"), "x")], {}) == {"x": "x"}


def test_flat_pictures_are_alike_only_if_equal() -> None:
    black, gray = np.zeros((32, 32), np.uint8), np.full((32, 32), 90, np.uint8)
    assert correlation(black, black.copy()) == 1
    assert correlation(black, gray) == 0
    noise = np.random.default_rng(0).integers(0, 255, (32, 32), dtype=np.uint8)
    assert correlation(noise, gray) == 0
    assert correlation(noise, noise) == pytest.approx(1)
    assert correlation(noise, 255 - noise) < 0.5


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (700, 3, 3)])
def test_any_size_has_a_fingerprint(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    assert 0 <= fingerprint(pixels).code < 2**64
