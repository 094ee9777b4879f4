"""Label files that have no end, wait for ever or promise too much: refused at once, in bounds."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.dataset_builders import face, picture, pts_text, save
from hypothesis import given
from hypothesis import strategies as st

from kpcli.catalogue import FORMATS
from kpcli.formats import text_points, yolo
from kpcli.formats.columns import of_header
from kpcli.formats.ibug import parse_pts
from kpcli.formats.layout import natural
from kpcli.formats.pictures import portable
from kpcli.formats.reading import encoding_of, read_json, root_tag
from kpcli.types import Reject

ENDINGS = ("pts", "json", "xml", "txt", "csv", "tsv", "mat", "zip", "parquet", "yaml")


@pytest.mark.parametrize("kind", ["zero", "fifo", "folder", "nothing"])
def test_no_reader_waits_for_what_is_no_file(kind: str, tmp_path: Path) -> None:
    """Every format is asked about, and reads, a folder of such files under all endings."""
    for ending in ENDINGS:
        for stem in ("a", "list_landmarks_celeba", "COFW_train_color", "samples", "landmarks"):
            path = tmp_path / f"{stem}.{ending}"
            if kind == "zero":
                path.symlink_to("/dev/zero")
            elif kind == "fifo":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            else:
                path.symlink_to(tmp_path / "nowhere")
    for name in FORMATS:
        module = FORMATS.load(name)
        if module.sniff(tmp_path):
            assert all(isinstance(item, Reject) for item in module.read(tmp_path)), name


@pytest.mark.parametrize("name", ["coco", "labelme", "labelstudio", "via", "fiftyone", "annotated"])
def test_json_of_endless_depth(name: str, tmp_path: Path) -> None:
    words = (
        '"annotations" "images" "keypoints" "shapes" "imagePath" "keypointlabels" "data" '
        '"original_width" "shape_attributes" "regions" "samples" "filepath" "Keypoint'
    )
    if name == "coco":
        words = words.replace('"shapes"', "")
    if name == "labelstudio":
        words = words.replace('"categories"', "")
    path = tmp_path / ("samples.json" if name == "fiftyone" else "a.json")
    extra = '"point_names" "frames": [' if name == "annotated" else ""
    path.write_text(f'[{words.replace(" ", ",")}",{extra}{"[" * 200_000}')
    with pytest.raises(ValueError, match=r"."):
        read_json(path)
    module = FORMATS.load(name)
    assert module.sniff(tmp_path)
    assert [item.reason for item in module.read(tmp_path) if isinstance(item, Reject)]


def test_a_table_of_faces_that_are_not_there(tmp_path: Path) -> None:
    number = 10**8
    with h5py.File(tmp_path / "COFW_train_color.mat", "w") as file:
        chunk = (1, 10**5)
        file.create_dataset("IsTr", (1, number), h5py.ref_dtype, chunks=chunk)
        file.create_dataset("phisTr", (87, number), "f8", chunks=chunk)
        file.create_dataset("bboxesTr", (4, number), "f8", chunks=chunk)
    (reject,) = FORMATS.load("cofw").read(tmp_path)
    assert isinstance(reject, Reject)
    assert "100000000 faces promised" in reject.detail


def test_xml_begins_after_a_long_comment(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(f"<?xml version='1.0'?><!-- {'long ' * 50_000} --><dataset/>")
    assert root_tag(path) == "dataset"
    assert FORMATS.load("dlib").sniff(tmp_path)


def test_hidden_copies_of_other_systems_are_no_labels(tmp_path: Path) -> None:
    """macOS leaves ``._a.pts`` and ``__MACOSX/`` in every zip."""
    points = face(68)
    save(tmp_path / "a.png", picture(points))
    (tmp_path / "a.pts").write_text(pts_text(points))
    (tmp_path / "._a.pts").write_bytes(b"\0\5\x16\7")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "b.pts").write_bytes(b"\0\5\x16\7")
    assert len(list(FORMATS.load("ibug").read(tmp_path))) == 1


@given(st.text(max_size=300))
def test_parsers_of_text_raise_nothing_but_value_errors(text: str) -> None:
    for parse in (parse_pts, text_points.parse):
        try:
            points = parse(text)
        except ValueError as e:
            line, reason = e.args
            assert line >= 1
            assert reason
        else:
            assert points.shape[1] == 2
    yolo._fits(text.split())
    of_header(text.split(","))
    natural(text)
    portable(text)


@given(
    st.lists(st.tuples(*2 * [st.floats(-1e4, 1e4, width=32)]), min_size=1, max_size=99),
    st.sampled_from(["{} {}", "{},{}", "{}\t{}", "  {} ,  {} "]),
    st.booleans(),
)
def test_text_points_round_trip(rows: list[tuple[float, float]], form: str, count: bool) -> None:
    lines = [form.format(*row) for row in rows]
    text = "\n".join([str(len(rows))] * count + lines)
    np.testing.assert_array_equal(text_points.parse(text), np.array(rows, np.float32))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=12, max_size=200))
def test_encodings_with_a_mark_are_seen(text: str) -> None:
    for encoding in ("utf-16", "utf-8-sig"):
        raw = text.encode(encoding)
        assert raw.decode(encoding_of(raw)).removeprefix("\ufeff") == text.removeprefix("\ufeff")


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=30, unique=True),
    st.text("Pp_-", max_size=3),
)
def test_names_with_numbers_sort_by_them(numbers: list[int], before: str) -> None:
    names = sorted((f"{before}{n}" for n in numbers), key=natural)
    assert names == [f"{before}{n}" for n in sorted(numbers)]
