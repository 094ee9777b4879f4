"""Every word of ``--draw`` on drawn faces, against goldens; order, colours, what is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from helpers.drawn_faces import WORDS, drawn, face_of, golden_path, points_at, scene
from PIL import Image

from kpcli.drawing import Style, draw
from kpcli.drawing.style import KINDS
from kpcli.errors import UsageError
from kpcli.schemes import CELEBA5, COFW29, IBUG51, IBUG68, KAGGLE15, WFLW98, get_scheme

# OpenCV and Pillow may round otherwise in other versions: a golden may differ by 1 gray level in
# the mean, and by more than 40 in at most 1 % of its pixels (text moves by a pixel).
MEAN, FAR, FEW = 1.0, 40, 0.01


@pytest.mark.parametrize("words", WORDS, ids=",".join)
def test_golden(words: Sequence[str]) -> None:
    golden = np.asarray(Image.open(golden_path(words)).convert("RGB")).astype(int)
    found = drawn(words).astype(int)
    assert found.shape == golden.shape
    difference = np.abs(found - golden)
    assert difference.mean() <= MEAN
    assert (difference.max(axis=2) > FAR).mean() <= FEW


def test_every_kind_has_a_golden_and_changes_the_picture() -> None:
    assert {word.partition(":")[0] for words in WORDS for word in words} == set(KINDS)
    plain = scene()[0]
    for words in WORDS:
        changed = (drawn(words) != plain).any(axis=2).mean()
        assert (changed == 0) == (words == ("none",)), words


def test_the_near_face_covers_the_far_one_whatever_their_order() -> None:
    near, far = face_of(points_at(100, 100, 100), 5), face_of(points_at(150, 70, 50), 2)
    style = Style.of(["stickers:hat"])
    found = []
    for faces in ((near, far), (far, near)):
        pixels = np.full((220, 260, 3), 128, np.uint8)
        draw(pixels, faces, IBUG68, style)
        found.append(pixels)
    assert (found[0] == found[1]).all()
    hats = []
    for face in (near, far):
        alone = np.full((220, 260, 3), 128, np.uint8)
        draw(alone, [face], IBUG68, style)
        hats.append(alone)
    opaque, behind = ((hat != 128).any(axis=2) for hat in hats)
    inner = cv2.erode(opaque.astype(np.uint8), np.ones((7, 7))) == 1  # its edges are soft
    assert (inner & behind).sum() > 100
    assert (found[0][inner] == hats[0][inner]).all()


def test_swapped_faces_have_the_other_s_features_and_the_own_colours() -> None:
    pixels, faces = scene()
    before = pixels.copy()
    draw(pixels, faces, IBUG68, Style.of(["swap"]))
    for face in faces:
        x, y = face.points[29].round().astype(int)
        nose = (slice(y - 3, y + 4), slice(x - 3, x + 4))
        assert np.abs(pixels[nose].mean((0, 1)) - before[nose].mean((0, 1))).max() < 40
    again = before.copy()
    draw(again, faces[::-1], IBUG68, Style.of(["swap"]))
    assert (again == pixels).all(), "pairs follow ids, not the order of the list"
    alone = before.copy()
    draw(alone, faces[:1], IBUG68, Style.of(["swap"]))
    assert (alone == before).all()


def test_a_face_swapped_with_itself_is_the_same() -> None:
    pixels, faces = scene()
    before = pixels.copy()
    draw(pixels, [faces[0], replace(faces[0], track=1)], IBUG68, Style.of(["swap"]))
    assert np.abs(pixels.astype(int) - before).max() <= 2


def test_the_background_is_blurred_and_the_face_is_not() -> None:
    pixels, faces = scene()
    before = pixels.copy()
    draw(pixels, faces, IBUG68, Style.of(["blur-background"]))
    left, top, right, bottom = (round(v) for v in faces[0].box.corners)
    middle = (slice(top + 25, bottom - 25), slice(left + 25, right - 25))
    assert np.abs(pixels[middle].astype(int) - before[middle]).mean() < 1
    stripes = (slice(130, 170), slice(120, 160))
    assert pixels[stripes][..., 0].std() < 0.4 * before[stripes][..., 0].std()


def test_colours_and_sizes() -> None:
    count = {}
    for size in (1.0, 3.0):
        pixels, faces = scene()
        draw(pixels, faces, IBUG68, Style.of(["points:#00ff00"], size))
        count[size] = (pixels == (0, 255, 0)).all(axis=2).sum()
    assert count[3.0] > 3 * count[1.0] > 0


@pytest.mark.parametrize("words", WORDS, ids=",".join)
def test_faces_without_points_or_outside_the_frame_do_no_harm(words: Sequence[str]) -> None:
    style = Style.of(words)
    plain = scene()[0]
    broken = face_of(points_at(60, 60, 50))
    missing = replace(broken, points=np.full((68, 2), np.nan, np.float32))
    some = broken.points.copy()
    some[::3] = np.nan
    flat = replace(broken, points=np.full((68, 2), 40, np.float32), track=3)
    away = replace(face_of(points_at(-4000, 9000, 80)), track=4)
    huge = replace(face_of(points_at(0, 0, 1e7)), track=5)
    pixels = plain.copy()
    draw(pixels, [missing, replace(broken, points=some), flat, away, huge], IBUG68, style)
    draw(pixels, [], IBUG68, style)
    assert pixels.shape == plain.shape


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["wings"], "cannot draw 'wings'"),
        ([], "cannot draw nothing"),
        (["stickers:beard"], "there is no sticker 'beard'"),
        (["stickers"], "there is no sticker ''"),
        (["points:reddish"], "unknown colour 'reddish'"),
        (["swap:red"], "cannot draw 'swap:red'"),
        (["none:red"], "cannot draw 'none:red'"),
    ],
)
def test_wrong_words_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Style.of(words)
    assert message in str(caught.value)


@pytest.mark.parametrize("word", ["swap", "makeup", "blur-background", "stickers:mask"])
def test_a_scheme_that_lacks_the_points_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="lacks points") as caught:
        Style.of([word]).check(CELEBA5)
    assert caught.value.expected
    with pytest.raises(UsageError, match="points7"):
        Style.of([word]).check(get_scheme("points7"))


@pytest.mark.parametrize("scheme", [CELEBA5, COFW29, KAGGLE15, IBUG51, WFLW98, IBUG68])
@pytest.mark.parametrize("name", ["glasses", "moustache", "hat", "ears"])
def test_plain_stickers_go_with_every_known_scheme(scheme: object, name: str) -> None:
    Style.of([f"stickers:{name}"]).check(scheme)  # type: ignore[arg-type]


def test_98_points_have_all_that_68_have() -> None:
    for words in WORDS:
        Style.of(words).check(WFLW98)
