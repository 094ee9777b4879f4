from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import build_youtube_faces
from PIL import Image

from kpcli.formats.youtube_faces import read
from kpcli.images import read_image
from kpcli.types import Reject, Sample


def test_frames_of_one_video_share_a_group(tmp_path: Path) -> None:
    found = [s for s in read(build_youtube_faces(tmp_path).root) if isinstance(s, Sample)]
    assert [s.group for s in found] == [
        "youtube_faces/Bob",
        "youtube_faces/Ann_Lee",
        "youtube_faces/Ann_Lee",
    ]


def test_rgba_bytes_under_a_jpg_name_are_read(tmp_path: Path) -> None:
    root = build_youtube_faces(tmp_path).root
    sample = next(s for s in read(root) if isinstance(s, Sample))
    pixels = read_image(sample.image)
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    Image.fromarray(np.dstack([pixels, alpha])).save(sample.image, format="PNG")
    np.testing.assert_array_equal(read_image(sample.image), pixels)


def test_damage_is_one_reject_with_its_line(tmp_path: Path) -> None:
    root = build_youtube_faces(tmp_path).root
    path = root / "training_frames_keypoints.csv"
    lines = path.read_text().splitlines()
    path.write_text("\r\n".join([*lines, "short.jpg,1,2", lines[1].replace("120", "x"), ",,"]))
    rejects = [i for i in read(root) if isinstance(i, Reject)]
    assert [r.origin for r in rejects] == [f"{path}:4", f"{path}:5"]
    assert "3 values" in rejects[0].detail


@pytest.fixture
def python_field_limit() -> Iterator[None]:
    limit = csv.field_size_limit(131_072)
    yield
    csv.field_size_limit(limit)


@pytest.mark.usefixtures("python_field_limit")
def test_an_unclosed_quote_is_a_reject(tmp_path: Path) -> None:
    root = build_youtube_faces(tmp_path).root
    path = root / "test_frames_keypoints.csv"
    path.write_text(path.read_text() + '"' + "x,\n" * 100_000)
    *_, reject = read(path)
    assert isinstance(reject, Reject)
    assert reject.reason == "damaged file"
