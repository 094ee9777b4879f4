"""Stickers: where they go, when they hide, and what is wrong with those that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import draw_stickers
from helpers.drawn_faces import face_of, points_at
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kpcli.drawing import Sticker, Style, draw
from kpcli.drawing.fitting import bent, fitted, opacity_at, yaw_of
from kpcli.drawing.places import place, places
from kpcli.drawing.stickers import FILE, sticker_names, stickers_home
from kpcli.drawing.warp import (
    Layered,
    Region,
    triangle_matrices,
    triangulate,
    warp_affine,
    warp_triangles,
)
from kpcli.errors import InputError, KpcliError
from kpcli.schemes import CELEBA5, IBUG68, KAGGLE15, WFLW98

NAMES = ("ears", "glasses", "hat", "mask", "moustache")
STICKERS = {name: Sticker.open(name) for name in NAMES}
angle = st.floats(-180, 180)
some = settings(max_examples=30)


def targets(sticker: Sticker, points: np.ndarray) -> np.ndarray:
    return np.array([place(points, IBUG68, anchor.to) for anchor in sticker.anchors])


def test_the_embedded_stickers() -> None:
    assert tuple(sticker_names()) == NAMES == tuple(sorted(draw_stickers.ALL))
    sources = (stickers_home() / "SOURCES.md").read_text()
    assert all(f"`{name}`" in sources for name in NAMES)
    for name in NAMES:
        pixels = Sticker.open(name).pixels
        assert (pixels[..., :3] <= pixels[..., 3:]).all(), "premultiplied"
        assert pixels[[0, -1]].max() == 0 or name in ("hat", "mask"), "no cut edges"


def test_the_script_draws_the_shipped_sticker(tmp_path: Path) -> None:
    folder = draw_stickers.write("glasses", tmp_path)
    shipped = stickers_home() / "glasses"
    assert (folder / FILE).read_text() == (shipped / FILE).read_text()
    new, old = (np.asarray(Image.open(f / "glasses.png")).astype(int) for f in (folder, shipped))
    assert np.abs(new - old).mean() < 1


@some
@given(angle, st.floats(20, 400), st.floats(-50, 300), st.floats(-50, 300))
def test_a_sticker_follows_place_size_and_roll(
    roll: float, side: float, x: float, y: float
) -> None:
    for name in ("glasses", "moustache", "hat", "ears"):
        sticker = STICKERS[name]
        wanted = targets(sticker, points_at(x, y, side, roll))
        matrix = fitted(sticker, wanted, 0.0)
        at = np.array([anchor.at for anchor in sticker.anchors])
        assert at @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(wanted, abs=0.004 * side)
        off = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])) - roll
        assert abs((off + 180) % 360 - 180) < 0.5
        assert np.hypot(*matrix[:, 0]) * draw_stickers.SIDE == pytest.approx(side, rel=0.01)


@some
@given(st.floats(-55, 55), angle)
def test_flat_stickers_narrow_with_the_face_and_round_ones_keep_their_size(
    yaw: float, roll: float
) -> None:
    points = points_at(100, 100, 100, roll, yaw)
    for name in ("glasses", "hat"):
        sticker = STICKERS[name]
        matrix = fitted(sticker, targets(sticker, points), yaw)
        wide, high = np.hypot(*matrix[:, 0]), np.hypot(*matrix[:, 1])
        narrow = np.cos(np.radians(yaw)) if name == "glasses" else 1
        assert wide / high == pytest.approx(narrow, rel=0.02)
        assert high * draw_stickers.SIDE == pytest.approx(100, rel=0.03)


@some
@given(st.floats(-60, 60), angle)
def test_the_triangles_take_every_anchor_to_its_place(yaw: float, roll: float) -> None:
    sticker = STICKERS["mask"]
    wanted = targets(sticker, points_at(100, 100, 100, roll, yaw))
    source, target = bent(sticker, wanted)
    assert target[: len(wanted)] == pytest.approx(wanted)
    triangles = triangulate(source)
    matrices = triangle_matrices(source, target, triangles)
    ends = np.einsum("tij,tkj->tki", matrices[:, :, :2], source[triangles])
    assert ends + matrices[:, None, :, 2] == pytest.approx(target[triangles], abs=1e-6)


@some
@given(st.floats(-60, 60), angle)
def test_the_yaw_by_five_points(yaw: float, roll: float) -> None:
    face = face_of(points_at(100, 100, 100, roll, yaw))
    assert yaw_of(face, IBUG68) == pytest.approx(yaw, abs=6)
    assert yaw_of(face_of(face.points, yaw=-33.0), IBUG68) == -33, "a pose that is there counts"


def test_a_sticker_fades_and_is_hidden_where_the_face_turns_away() -> None:
    sticker = STICKERS["glasses"]
    assert [opacity_at(sticker, yaw) for yaw in (0, 40, -45, 50, -90)] == [1, 1, 0.5, 0, 0]
    pixels = np.full((200, 200, 3), 90, np.uint8)
    draw(pixels, [face_of(points_at(100, 100, 90), yaw=70.0)], IBUG68, Style.of(["stickers:hat"]))
    assert (pixels != 90).any()
    pixels[:] = 90
    glasses = Style.of(["stickers:glasses"])
    draw(pixels, [face_of(points_at(100, 100, 90), yaw=70.0)], IBUG68, glasses)
    assert (pixels == 90).all()


def test_stickers_follow_the_smoothed_points() -> None:
    face = face_of(points_at(60, 100, 60), yaw=0.0)
    there = points_at(140, 100, 60)
    pixels = np.full((200, 200, 3), 90, np.uint8)
    draw(pixels, [replace(face, smoothed=there)], IBUG68, Style.of(["stickers:glasses"]))
    assert (pixels[:, :100] == 90).all()
    assert (pixels[:, 100:] != 90).any()


def test_the_warp_is_exact_to_the_half_pixel() -> None:
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[..., 3], picture[20:30, 12:20] = 255, 255
    for scale in (1.0, 0.5, 0.25, 2.0):
        matrix = np.array([[scale, 0, 7.0], [0, scale, 5.0]])
        region = Region(0, 0, 160, 160)
        corners = np.array([[-0.5, -0.5], [63.5, -0.5], [-0.5, 63.5], [63.5, 63.5]])
        target = corners @ matrix[:, :2].T + matrix[:, 2]
        for warped in (
            warp_affine(Layered(picture), matrix, region),
            warp_triangles(Layered(picture), corners, target, triangulate(corners), region),
        ):
            light = warped[..., 0].astype(float)
            y, x = np.mgrid[:160, :160]
            middle = np.array([(x * light).sum(), (y * light).sum()]) / light.sum()
            assert middle == pytest.approx([15.5 * scale + 7, 24.5 * scale + 5], abs=0.06)
            assert light.sum() / 255 == pytest.approx(80 * scale**2, rel=0.03)


def test_triangles_cover_the_hull_and_refuse_a_line() -> None:
    points = np.random.default_rng(1).uniform(0, 100, (40, 2))
    corners = points[triangulate(points)]
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    hull = cv2.contourArea(cv2.convexHull(points.astype(np.float32)))
    assert np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum() / 2 == pytest.approx(hull, rel=0.01)
    for bad in (np.zeros((5, 2)), np.arange(12.0).reshape(6, 2)):
        with pytest.raises(ValueError, match="points"):
            triangulate(bad)


def test_places_mean_the_same_in_every_scheme() -> None:
    points = points_at(100, 100, 100)
    assert places(KAGGLE15)["left_eye_outer"] == (5,)
    assert places(CELEBA5)["mouth_left"] == (3,)
    assert places(WFLW98)["left_eye_outer"] == (60,)
    assert places(WFLW98)["chin"] == (16,)
    assert place(points, IBUG68, ["chin"]) == pytest.approx(points[8])
    middle = place(points, IBUG68, ["left_eye", "right_eye"])
    assert middle[0] == pytest.approx(100, abs=0.1)


def own(folder: Path, change: Callable[[dict[str, object]], object] = lambda v: None) -> Path:
    folder.mkdir(exist_ok=True)
    dot = np.zeros((20, 30, 4), np.uint8)
    dot[5:15, 5:25] = (200, 10, 10, 255)
    Image.fromarray(dot).save(folder / "dot.png")
    Image.fromarray(dot[..., :3]).save(folder / "plain.png")
    Image.fromarray(np.zeros_like(dot)).save(folder / "nothing.png")
    (folder / "broken.png").write_bytes((folder / "dot.png").read_bytes()[:60])
    eyes = {"a": {"at": [5, 10], "to": "left_eye"}, "b": {"at": [25, 10], "to": ["right_eye"]}}
    values: dict[str, object] = {"picture": "dot.png", "anchors": eyes}
    change(values)
    (folder / FILE).write_text(json.dumps(values))
    return folder


def test_a_sticker_of_the_user_s_own(tmp_path: Path) -> None:
    sticker = Sticker.open(str(own(tmp_path / "dot")))
    assert (sticker.name, sticker.fit, sticker.turn) == ("dot", "similarity", "flat")
    pixels = np.full((200, 200, 3), 90, np.uint8)
    face = face_of(points_at(100, 100, 90), yaw=0.0)
    draw(pixels, [face], IBUG68, Style.of([f"stickers:{tmp_path / 'dot'}"]))
    x, y = place(face.points, IBUG68, ["left_eye", "right_eye"]).round().astype(int)
    assert tuple(pixels[y, x]) == (200, 10, 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(picture="../dot.png"), "name of a file beside it"),
        (lambda v: v.update(picture="none.png"), "no such file"),
        (lambda v: v.update(picture="plain.png"), "has no alpha"),
        (lambda v: v.update(picture="nothing.png"), "all transparent"),
        (lambda v: v.update(picture="broken.png"), "broken.png"),
        (lambda v: v.update(fit="glue"), "similarity or triangles"),
        (lambda v: v.update(fit="triangles"), "at least 3 anchors"),
        (lambda v: v.update(turn=3), "flat or round"),
        (lambda v: v.update(hide_beyond=-1), "from 0 to 180"),
        (lambda v: v.update(hide_beyond=True), "hide_beyond"),
        (lambda v: v.update(layer=float("nan")), "layer"),
        (lambda v: v.update(colour="red"), "unknown key 'colour'"),
        (lambda v: v.update(anchors=[]), "anchors is not an object"),
        (lambda v: v.update(anchors={}), "0 anchors"),
        (lambda v: v["anchors"].update(a=[1, 2]), "is not of at and to"),
        (lambda v: v["anchors"]["a"].update(at=["x", 1]), "pixels of the picture"),
        (lambda v: v["anchors"]["a"].update(at=[25, 10]), "different places"),
        (lambda v: v["anchors"]["a"].update(to=[]), "names of places"),
        (lambda v: v["anchors"]["a"].update(at=[1e9, 1]), "near the picture"),
    ],
)
def test_what_is_wrong_with_a_sticker_is_said(
    tmp_path: Path, change: Callable[[dict[str, object]], object], message: str
) -> None:
    folder = own(tmp_path / "dot", change)
    with pytest.raises(KpcliError) as caught:
        Sticker.open(str(folder))
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"picture": ' * 5000, "\xff"])
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    folder = own(tmp_path / "dot")
    (folder / FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="not a sticker"):
        Sticker.open(str(folder))
    (folder / FILE).unlink()
    with pytest.raises(InputError, match="not a sticker"):
        Sticker.open(str(folder))
