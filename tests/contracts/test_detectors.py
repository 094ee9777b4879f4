"""What every entry of `kpcli.catalogue.DETECTORS` keeps; a new entry without a spec here fails."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kpcli.catalogue import DETECTORS
from kpcli.detectors import create_detector
from kpcli.errors import KpcliError, UsageError
from kpcli.images import read_image
from kpcli.types import Frame

Spec = Callable[[Path], str]


def boxes_csv(folder: Path) -> str:
    path = folder / "boxes.csv"
    path.write_text("file,left,top,right,bottom\ngrace_hopper.jpg,160,170,370,380\n")
    return f"boxes_file:{path}"


SPECS: dict[str, Spec] = {
    "haar": lambda _: "haar",
    "whole_image": lambda _: "whole_image",
    "boxes_file": boxes_csv,
    "builtin": lambda _: "builtin",
}
FILES_ONLY = {"ssd": "none.tflite", "yunet": "none.onnx"}
"""Detectors that run a file of the user's; kpcli brings none."""


def test_every_detector_is_tested() -> None:
    assert {*SPECS, *FILES_ONLY} == {*DETECTORS}


@pytest.mark.parametrize("name", FILES_ONLY)
def test_a_file_that_is_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(KpcliError, match=r"none\."):
        create_detector(f"{name}:{tmp_path / FILES_ONLY[name]}")
    with pytest.raises(UsageError):
        create_detector(name)


@pytest.mark.parametrize("name", SPECS)
def test_boxes_of_a_batch_of_different_sizes(
    name: str, tmp_path: Path, sample_images: Path
) -> None:
    file = sample_images / "portraits" / "grace_hopper.jpg"
    pixels = read_image(file)
    gray = np.full((90, 31, 3), 128, np.uint8)
    detector = create_detector(SPECS[name](tmp_path))
    frames = [Frame.still(file, pixels), Frame.still(Path("gray.png"), gray)]
    found = detector.detect(frames)
    assert len(found) == 2
    assert len(found[0]) >= 1
    for image, boxes in zip((pixels, gray), found, strict=True):
        height, width = image.shape[:2]
        for box in boxes:
            assert box.width > 0
            assert box.height > 0
            assert math.isfinite(box.score)
            assert -width < box.left < box.right < 2 * width
            assert -height < box.top < box.bottom < 2 * height
    again = detector.detect(frames)
    assert again == found, "the same pictures must give the same boxes"
    assert detector.detect([]) == []
