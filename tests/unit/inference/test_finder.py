"""Which of the faces that a detector and a model see in a picture are given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.fakes import FakePredictor
from PIL import Image

from kpcli.images import read_image
from kpcli.inference.finder import FaceFinder
from kpcli.options import FaceOptions
from kpcli.sources import read_frames
from kpcli.types import FaceBox, Frame

LARGE, WITHIN, BESIDE = (FaceBox(10, 10, 50, 50), FaceBox(15, 15, 36, 36), FaceBox(40, 40, 80, 80))


class Boxes:
    """Sees the same boxes in every picture."""

    def __init__(self, boxes: Sequence[FaceBox]) -> None:
        self.boxes = list(boxes)

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        return [self.boxes for _ in frames]


def given(boxes: Sequence[FaceBox], bright: FaceBox, detector: str = "builtin") -> list[FaceBox]:
    """The boxes of what is given of a picture that is light in one box: there it is surest."""
    pixels = np.full((100, 100, 3), 20, np.uint8)
    rows, columns = (slice(round(a), round(b)) for a, b in
                     ((bright.top, bright.bottom), (bright.left, bright.right)))  # fmt: skip
    pixels[rows, columns] = 250
    options = FaceOptions(detector=detector)
    finder = FaceFinder(options, detector=Boxes(boxes), predictor=FakePredictor())
    ((_, faces),) = finder.find([Frame(Path("a.png"), 1, 0.0, pixels)])
    return [face.box for face in faces]


@pytest.mark.parametrize("boxes", [[LARGE, WITHIN], [WITHIN, LARGE]])
def test_of_a_face_within_another_the_surer_is_given(boxes: list[FaceBox]) -> None:
    assert given(boxes, bright=WITHIN) == [WITHIN]


def test_faces_that_overlap_a_little_are_both_given_in_the_detectors_order() -> None:
    assert given([BESIDE, LARGE], bright=LARGE) == [BESIDE, LARGE]
    assert given([], bright=LARGE) == []


def test_boxes_from_a_file_are_all_given() -> None:
    assert given([LARGE, WITHIN], WITHIN, detector="boxes_file:b.csv") == [LARGE, WITHIN]


class Bright:
    """Sees one face where the picture is bright, and half of the picture is enough for it."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def detect(self, frames: Sequence[Frame]) -> list[list[FaceBox]]:
        found = []
        for frame in frames:
            self.sizes.append(frame.pixels.shape[:2])
            ys, xs = np.nonzero(frame.pixels[..., 0] > 127)
            found.append([FaceBox(*(float(v) for v in (xs.min(), ys.min(), xs.max(), ys.max())))])
        return found

    def shrink(self, width: int, height: int) -> int:
        return 2


class Crops(FakePredictor):
    """Remembers its crops."""

    def __init__(self) -> None:
        super().__init__()
        self.crops: list[np.ndarray] = []

    def predict(self, crops: np.ndarray) -> object:
        self.crops.extend(crops)
        return super().predict(crops)


@pytest.mark.parametrize("side", [160, 40])
def test_a_picture_at_half_its_size_gives_faces_in_its_own_pixels(
    tmp_path: Path, side: int
) -> None:
    pixels = np.full((300, 400, 3), 20, np.uint8)
    pixels[80 : 80 + side, 120 : 120 + side] = 250
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    finder = FaceFinder(detector=Bright(), predictor=FakePredictor())
    detector, predictor = Bright(), Crops()
    shrunk = FaceFinder(detector=detector, predictor=predictor)
    (theirs,), (ours,) = finder.picture(pixels), shrunk.picture(tmp_path / "a.jpg")
    assert detector.sizes == [(150, 200)]
    np.testing.assert_allclose(ours.box.corners, theirs.box.corners, atol=1.6)
    np.testing.assert_allclose(ours.points, theirs.points, atol=0.02 * side)
    # 32 pixels of the crop: half of the picture has them of the large face, not of the small one.
    assert len(predictor.crops) == (1 if side == 160 else 2)
    ((frame, _),) = shrunk.find(read_frames(tmp_path / "a.jpg", shrink=shrunk.shrink))
    assert (frame.size, frame.shrunk) == ((400, 300), 2)


def test_a_file_that_is_gone_leaves_the_half_that_was_read(tmp_path: Path) -> None:
    pixels = np.full((300, 400, 3), 20, np.uint8)
    pixels[80:120, 120:160] = 250
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    finder = FaceFinder(detector=Bright(), predictor=FakePredictor(), measures=True)
    (frame,) = read_frames(tmp_path / "a.jpg", shrink=finder.shrink)
    (tmp_path / "a.jpg").unlink()
    ((_, (face,)),) = finder.find([frame])
    np.testing.assert_allclose(face.box.corners, (120, 80, 159, 119), atol=1.6)


def test_real_faces_at_half_the_size_are_where_they_are(sample_images: Path) -> None:
    path = sample_images / "wall_of_portraits.jpg"
    finder = FaceFinder()
    halves, wholes = (
        sorted(finder.picture(given), key=lambda face: face.box.left)
        for given in (path, read_image(path))
    )
    assert len(halves) == len(wholes) >= 6
    for half, whole in zip(halves, wholes, strict=True):
        off = np.linalg.norm(half.points - whole.points, axis=1)
        assert off.mean() < 0.006 * whole.box.side
