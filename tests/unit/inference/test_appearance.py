from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from kpcli.images import read_image
from kpcli.inference.appearance import likeness, thumbnail
from kpcli.inference.finder import FaceFinder
from kpcli.schemes import IBUG68, get_scheme
from kpcli.sources import read_frames
from kpcli.types import Frame, Pixels

PORTRAITS = sorted((Path(__file__).parents[3] / "sample_images" / "portraits").iterdir())


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def people(finder: FaceFinder) -> list[Pixels]:
    """The portraits, each with its face in the middle of 160 x 120, 50 pixels large."""
    return [_framed(finder, read_image(path)) for path in PORTRAITS]


def _framed(finder: FaceFinder, pixels: Pixels) -> Pixels:
    box = max((face.box for face in finder.picture(pixels)), key=lambda box: box.side)
    scale = 50 / box.side
    x, y = box.centre
    matrix = np.array([[scale, 0, 80 - scale * x], [0, scale, 60 - scale * y]])
    framed = cv2.warpAffine(
        pixels, matrix, (160, 120), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(framed, np.uint8)


def clip(pictures: Sequence[Pixels], rate: float) -> Iterator[Frame]:
    for i, pixels in enumerate(pictures):
        yield Frame(Path("clip"), i + 1, i / rate, pixels, moving=True)


def ids(finder: FaceFinder, pictures: Sequence[Pixels], rate: float = 30) -> list[list[int]]:
    return [[face.track for face in faces] for _, faces in finder.find(clip(pictures, rate))]


def test_a_face_is_like_itself_however_it_lies_and_unlike_others(
    finder: FaceFinder, people: list[Pixels]
) -> None:
    turned = [np.ascontiguousarray(np.rot90(p)) for p in people]
    looks, again = (
        [thumbnail(p, finder.picture(p)[0].points, IBUG68) for p in pictures]
        for pictures in (people, turned)
    )
    for i, j in itertools.product(range(len(people)), repeat=2):
        alike = likeness(looks[i], again[j])
        assert alike is not None
        assert alike > 0.8 if i == j else alike < 0.6


def test_points_that_allow_no_thumbnail() -> None:
    gray = np.full((50, 50, 3), 90, np.uint8)
    lost = np.full((68, 2), np.nan, np.float32)
    assert thumbnail(gray, lost, IBUG68) is None
    assert thumbnail(gray, np.zeros((68, 2), np.float32), IBUG68) is None
    assert thumbnail(gray, np.zeros((4, 2), np.float32), get_scheme("points4")) is None
    assert likeness(None, None) is None


def test_persons_on_either_side_of_a_cut_have_ids_of_their_own(
    finder: FaceFinder, people: list[Pixels]
) -> None:
    """At the very same place, as in interviews."""
    for one, other in itertools.combinations(people, 2):
        assert ids(finder, [one, one, other, other]) == [[0], [0], [1], [1]]


def test_a_flash_is_no_cut(finder: FaceFinder, people: list[Pixels]) -> None:
    flash = np.asarray(np.clip(people[0].astype(int) + 60, 0, 255), np.uint8)
    assert ids(finder, [people[0], flash, people[0]]) == [[0], [0], [0]]


def test_smoothing_ends_at_a_cut(people: list[Pixels]) -> None:
    smooth = FaceFinder(smooth="one-euro")
    found = list(smooth.find(clip([people[0]] * 3 + [people[1]], 30)))
    last = found[-1][1][0]
    assert last.smoothed is not None
    np.testing.assert_array_equal(last.smoothed, last.points)


def _at(person: Pixels, x: float) -> Pixels:
    wall = np.full((120, 640, 3), (150, 140, 130), np.uint8)
    at = round(x)
    wall[:, at : at + 80] = person[:, 40:120]
    return wall


@pytest.mark.parametrize("detect_every", [0, 1, 3])
@pytest.mark.parametrize("rate", [5.0, 30.0])
@pytest.mark.parametrize("widths", [0.3, 0.4, 0.45, 0.5, 0.7, 1.0])
def test_a_face_that_moves_fast_is_one_row_and_one_id(
    people: list[Pixels], detect_every: int, rate: float, widths: float
) -> None:
    finder = FaceFinder(detect_every=detect_every)
    pictures = [_at(people[0], 10 + 50 * widths * i) for i in range(8)]
    assert ids(finder, pictures, rate) == [[0]] * 8


@pytest.mark.parametrize("seconds", [1.0, 2.0, 10.0])
def test_far_apart_frames_keep_the_ids(
    finder: FaceFinder, people: list[Pixels], seconds: float
) -> None:
    assert ids(finder, [people[2]] * 4, 1 / seconds) == [[0]] * 4


@pytest.mark.parametrize("detect_every", [0, 1])
def test_a_face_that_a_pan_brings_in_has_one_id(detect_every: int, sample_images: Path) -> None:
    """Its landmarks, and so its look, change while its other half is not in the picture yet."""
    entering = [f for f in read_frames(sample_images / "clip.mp4") if f.index >= 37]
    found = FaceFinder(detect_every=detect_every).find(entering)
    assert [[face.track for face in faces] for _, faces in found] == [[0]] * len(entering)
