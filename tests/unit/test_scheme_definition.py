from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpcli.errors import InputError, UsageError
from kpcli.scheme_definition import (
    OWN,
    LandmarkScheme,
    definition,
    from_definition,
    named_scheme,
    read_definition,
)
from kpcli.schemes import SCHEMES, can_convert, convert_points, get_scheme, key_of, scheme_of_names

HAND = {
    "name": "hand4",
    "points": ["wrist", "tip", "left_side", "right_side"],
    "pairs": [["left_side", "right_side"]],
    "edges": [["wrist", "tip"], [0, 2]],
    "normaliser": ["wrist", ["left_side", "right_side"]],
}


def test_a_file_says_all(tmp_path: Path) -> None:
    path = tmp_path / "hand.json"
    path.write_text(json.dumps(HAND))
    scheme = read_definition(path)
    assert scheme.point_names == ("wrist", "tip", "left_side", "right_side")
    assert scheme.flip_order == (0, 1, 3, 2)
    assert scheme.edges == ((0, 1), (0, 2))
    assert scheme.normalisers[OWN] == ((0,), (2, 3))
    assert scheme.default_normaliser == OWN
    key = key_of(scheme)
    assert get_scheme(key) == scheme
    assert LandmarkScheme.from_json(json.loads(json.dumps(scheme.to_json()))) == scheme


def test_without_pairs_nothing_is_mirrored_with_none_all_is() -> None:
    bare = {"name": "plate", "points": ["a", "b"]}
    assert from_definition(json.dumps(bare)).flip_order == ()
    assert from_definition(json.dumps({**bare, "pairs": []})).flip_order == (0, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"points": []}, "list of 1"),
        ({"points": ["a", "a"]}, "stands twice"),
        ({"points": ["a", "b\n"]}, "not a point's name"),
        ({"points": "abc"}, "list of 1"),
        ({"pairs": [["wrist", "elbow"]]}, "'elbow' is not a point"),
        ({"pairs": [[0, 1], [1, 2]]}, "two pairs"),
        ({"pairs": [[0, 0]]}, "two pairs"),
        ({"pairs": {}}, "not a list"),
        ({"edges": [[0]]}, "two points each"),
        ({"edges": [[0, True]]}, "True is not a point"),
        ({"normaliser": ["wrist"]}, "two points"),
        ({"normaliser": ["wrist", "wrist"]}, "one place"),
        ({"name": "a b"}, "the name"),
        ({"name": None}, "the name"),
        ({"edgse": []}, "unknown key 'edgse'"),
    ],
)
def test_what_is_wrong_is_said(change: dict, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps({**HAND, **change}))
    with pytest.raises(InputError) as caught:
        read_definition(path)
    assert problem in caught.value.actual


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '"x"', "null"])
def test_no_scheme_at_all(text: str) -> None:
    with pytest.raises(UsageError):
        from_definition(text)


def test_a_device_is_no_file() -> None:
    with pytest.raises(InputError):
        read_definition(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("names", "flip"),
    [
        (["nose", "left_ear", "right_ear"], (0, 2, 1)),
        (["LEye", "REye"], (1, 0)),
        (["eye.L", "eye.R", "chin"], (1, 0, 2)),
        (["leftEye", "rightEye"], (1, 0)),
        (["left_ear", "nose"], ()),  # its partner is not there
        (["nose", "chin"], ()),  # nothing tells what mirrors onto what
        (["LIPS", "RIPS"], ()),
    ],
)
def test_pairs_by_name(names: list[str], flip: tuple[int, ...]) -> None:
    assert named_scheme(names).flip_order == flip


def test_names_that_tell_no_more_than_a_known_scheme() -> None:
    assert scheme_of_names([str(i) for i in range(1, 69)]) == "ibug68"
    assert scheme_of_names(SCHEMES["cofw29"].point_names) == "cofw29"
    assert get_scheme(scheme_of_names([str(i) for i in range(1, 22)])).point_names[-1] == "21"


NAMES = st.lists(
    st.text(st.characters(categories=("L", "N")), min_size=1, max_size=9),
    min_size=1,
    max_size=30,
    unique=True,
)


@given(NAMES, st.data())
def test_definitions_round_trip(names: list[str], data: st.DataObject) -> None:
    index = st.integers(0, len(names) - 1)
    order = data.draw(st.permutations(range(len(names))))
    pairs = [sorted(order[i : i + 2]) for i in range(0, len(names) - 1, 2)]
    values = {
        "name": "own",
        "points": names,
        "pairs": data.draw(st.sampled_from([pairs, []])),
        "edges": data.draw(st.lists(st.tuples(index, index).map(list), max_size=9)),
    }
    scheme = from_definition(json.dumps(values))
    assert from_definition(definition(scheme)) == scheme
    flip = scheme.flip_order
    assert [flip[i] for i in flip] == list(range(len(names)))


@given(NAMES, st.randoms(use_true_random=False))
def test_conversion_by_name_finds_every_point(names: list[str], chance) -> None:
    import numpy as np

    other = list(names)
    chance.shuffle(other)
    source, target = key_of(named_scheme(names)), key_of(named_scheme(other))
    assert can_convert(source, target)
    points = np.arange(2 * len(names), dtype=np.float32).reshape(-1, 2)
    converted = convert_points(points, source, target)
    for i, name in enumerate(other):
        assert converted[i].tolist() == points[names.index(name)].tolist()
