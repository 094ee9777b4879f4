"""Points that are no known scheme's: what files name, what users say, what shapes contradict."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import (
    SIZE,
    Points,
    coco_annotation,
    dlib_image,
    dlib_xml,
    face,
    picture,
    pts_text,
    save,
)

from kpcli.dataset_csv import read_dataset
from kpcli.errors import InputError, UsageError
from kpcli.options import PrepareOptions
from kpcli.scheme_definition import LandmarkScheme
from kpcli.schemes import get_scheme
from kpcli.types import Sample
from kpcli.workflows.prepare.run import prepare

HAND = np.stack([60 + 5.0 * np.arange(21), 60 + 40 * np.sin(np.arange(21.0))], axis=1).round()
# Outer and inner corner of one eye, of the other, nose: dlib's five points.
CORNERS = np.array([[150, 90], [130, 92], [90, 90], [110, 92], [120, 120]], np.float64)


def made(*roots: Path, scheme: str | Path | None = None) -> list[Sample]:
    out = roots[0].parent / "out.csv"
    text = None if scheme is None else str(scheme)
    prepare(PrepareOptions(sources=roots, out=out, scheme=text))
    return read_dataset(out)


def scheme_of(rows: list[Sample]) -> LandmarkScheme:
    (key,) = {row.scheme for row in rows}
    return get_scheme(key)


def coco_set(root: Path, names: list[str], points: Points, skeleton: list[list[int]]) -> None:
    save(root / "a.png", picture(points, 1))
    category = {"id": 1, "name": "thing", "keypoints": names, "skeleton": skeleton}
    image = {"id": 0, "file_name": "a.png", "width": SIZE, "height": SIZE}
    content = {
        "images": [image],
        "categories": [category],
        "annotations": [coco_annotation(points)],
    }
    (root / "a.json").write_text(json.dumps(content))


def pts_set(root: Path, points: Points, count: int = 1) -> None:
    for i in range(count):
        save(root / f"p{i}.png", picture(points, i))
        (root / f"p{i}.pts").write_text(pts_text(points))


def test_cocos_names_and_skeleton_win_over_the_number(tmp_path: Path) -> None:
    names = ["left_ear", "right_ear", "nose", "left_eye", "right_eye"]
    coco_set(tmp_path / "d", names, face(5), [[1, 2], [2, 3]])
    scheme = scheme_of(made(tmp_path / "d"))
    assert scheme.name == "points5"
    assert scheme.point_names == tuple(names)
    assert scheme.edges == ((0, 1), (1, 2))
    assert scheme.flip_order == (1, 0, 2, 4, 3)
    header = (tmp_path / "out.csv").read_text().splitlines()[0].split(",")
    assert "scheme_definition" in header


@pytest.mark.parametrize("labels", ["xml", "pts"])
def test_five_points_that_are_no_celeba(labels: str, tmp_path: Path) -> None:
    root = tmp_path / "d"
    if labels == "pts":
        pts_set(root, CORNERS)
    else:
        save(root / "a.png", picture(CORNERS, 1))
        (root / "a.xml").write_text(dlib_xml([dlib_image("a.png", CORNERS)]))
    assert scheme_of(made(root)).name == "points5"
    assert made(root, scheme="celeba5")[0].scheme == "celeba5", "the user says so"


def test_a_face_of_five_is_celeba_unless_said_otherwise(tmp_path: Path) -> None:
    pts_set(tmp_path / "d", face(5))
    assert made(tmp_path / "d")[0].scheme == "celeba5"
    (row,) = made(tmp_path / "d", scheme="points5")
    assert row.scheme == "points5"
    # Without eyes and mouth the box is the points' own.
    assert row.face is not None
    assert row.face.left == pytest.approx(row.points[:, 0].min(), abs=0.01)


@pytest.mark.parametrize("names", [[str(i) for i in range(1, 22)], [f"P{i}" for i in range(21)]])
def test_numbered_parts_sort_as_numbers(names: list[str], tmp_path: Path) -> None:
    parts = "".join(
        f"<part name='{name}' x='{x:g}' y='{y:g}'/>"
        for name, (x, y) in sorted(zip(names, HAND.tolist(), strict=True))
    )
    box = "<box top='20' left='60' width='110' height='90'>"
    save(tmp_path / "d" / "a.png", picture(HAND, 1))
    (tmp_path / "d" / "a.xml").write_text(
        dlib_xml([f"<image file='a.png'>{box}{parts}</box></image>"])
    )
    (row,) = made(tmp_path / "d")
    assert get_scheme(row.scheme).name == "points21"
    assert get_scheme(row.scheme).point_names == tuple(names)
    np.testing.assert_allclose(row.points, HAND, atol=0.01)


def test_a_users_file_names_what_has_no_names(tmp_path: Path) -> None:
    pts_set(tmp_path / "d", HAND)
    own = {
        "name": "hand",
        "points": [f"k{i}" for i in range(21)],
        "pairs": [[0, 20]],
        "edges": [["k0", "k1"]],
        "normaliser": ["k0", "k20"],
    }
    path = tmp_path / "hand.json"
    path.write_text(json.dumps(own))
    scheme = scheme_of(made(tmp_path / "d", scheme=path))
    assert (scheme.name, scheme.edges, scheme.default_normaliser) == ("hand", ((0, 1),), "own")
    assert scheme.flip_order[0] == 20
    path.write_text(json.dumps({**own, "points": own["points"][:-1], "pairs": []}))
    with pytest.raises(InputError):
        made(tmp_path / "d", scheme=path)
    path.write_text(json.dumps({"name": "ibug68", "points": [f"k{i}" for i in range(21)]}))
    with pytest.raises(InputError, match="known scheme's name"):
        made(tmp_path / "d", scheme=path)
    with pytest.raises(UsageError, match="no such file"):
        made(tmp_path / "d", scheme="nothing.json")


def test_a_users_file_takes_points_by_name(tmp_path: Path) -> None:
    names = [f"finger_{c}" for c in "abcdefghijklmnopqrstu"]
    coco_set(tmp_path / "d", names, HAND, [])
    path = tmp_path / "few.json"
    path.write_text(json.dumps({"name": "few", "points": [names[20], names[3], names[0]]}))
    (row,) = made(tmp_path / "d", scheme=path)
    np.testing.assert_allclose(row.points, HAND[[20, 3, 0]], atol=0.01)
    path.write_text(json.dumps({"name": "other", "points": [f"toe_{c}" for c in names]}))
    with pytest.raises(InputError, match="cannot be converted"):
        made(tmp_path / "d", scheme=path)


def test_sources_of_the_same_names_are_one_scheme(tmp_path: Path) -> None:
    names = ["top", "left", "right", "bottom"]
    points = HAND[[0, 5, 12, 20]]
    coco_set(tmp_path / "a", names, points, [[1, 2]])
    coco_set(tmp_path / "b", names[::-1], points[::-1], [])
    rows = made(tmp_path / "a", tmp_path / "b")
    assert scheme_of(rows).edges == ((0, 1),)
    for row in rows:
        np.testing.assert_allclose(row.points, points, atol=0.01)
    coco_set(tmp_path / "c", ["n", "e", "s", "w"], points, [])
    with pytest.raises(UsageError, match="mix landmark schemes"):
        made(tmp_path / "a", tmp_path / "c")


def test_68_points_of_something_else_are_not_mirrored_as_a_face(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    for i in range(6):
        points = 40 + 150 * chance.random((68, 2))
        save(tmp_path / "d" / f"x{i}.png", picture(None, i))
        (tmp_path / "d" / f"x{i}.pts").write_text(pts_text(points))
    assert scheme_of(made(tmp_path / "d")).name == "points68"


def test_names_that_pair_but_do_not_mirror(tmp_path: Path) -> None:
    """Both eyes numbered clockwise: left_eye_0 is outer, right_eye_0 is inner."""
    names = [f"{side}_eye_{i}" for side in ("left", "right") for i in range(6)]
    eyes = face(68)[36:48] * 3 - 250
    for i in range(6):
        coco_set(tmp_path / "d" / f"s{i}", names, eyes + i, [])
    assert scheme_of(made(tmp_path / "d")).flip_order == ()
    mirrored = [*names[:6], *(names[i] for i in (9, 8, 7, 6, 11, 10))]
    for i in range(6):
        coco_set(tmp_path / "e" / f"s{i}", mirrored, eyes + i, [])
    assert scheme_of(made(tmp_path / "e")).flip_order
