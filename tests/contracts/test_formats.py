"""Every dataset format: found by its layout and no other, points on their pixels, exact counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import BUILDERS, Built, build_300w_lp
from helpers.tool_builders import TOOL_BUILDERS

from kpcli.catalogue import FORMATS
from kpcli.dataset_csv import SPLITS, n_points_of, read_dataset
from kpcli.images import read_image
from kpcli.options import PrepareOptions
from kpcli.types import Sample
from kpcli.workflows.prepare.reading import find_format
from kpcli.workflows.prepare.run import prepare

ALL = {**BUILDERS, **TOOL_BUILDERS}
LAYOUTS = {**ALL, "300w_lp": build_300w_lp}


def format_of(layout: str) -> str:
    return "aflw2000" if layout == "300w_lp" else layout


def samples_of(layout: str, built: Built) -> list[Sample]:
    items = list(FORMATS.load(format_of(layout)).read(built.root))
    assert all(isinstance(item, Sample) for item in items), items
    return items


def test_every_format_has_sample_data() -> None:
    assert set(ALL) == set(FORMATS), "add build_NAME to BUILDERS (or TOOL_BUILDERS) in helpers"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_is_recognised_and_by_one_format_only(layout: str, tmp_path: Path) -> None:
    built = LAYOUTS[layout](tmp_path / "data")
    assert find_format(built.root, None) == format_of(layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_folder_is_not_recognised(layout: str, tmp_path: Path) -> None:
    assert not FORMATS.load(format_of(layout)).sniff(tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_points_lie_on_their_pixels(layout: str, tmp_path: Path) -> None:
    built = LAYOUTS[layout](tmp_path)
    samples = samples_of(layout, built)
    labelled = 0
    for sample in samples:
        pixels = read_image(sample.image) if sample.pixels is None else sample.pixels
        assert sample.points.shape == (built.n_points, 2)
        assert sample.points.dtype == np.float32
        for x, y in sample.points[~np.isnan(sample.points).any(axis=1)]:
            assert float(x).is_integer()
            assert float(y).is_integer()
            assert pixels[int(y), int(x)].tolist() == [255, 255, 255]
            labelled += 1
    assert labelled >= len(samples) * built.n_points - 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_samples_are_complete(layout: str, tmp_path: Path) -> None:
    built = LAYOUTS[layout](tmp_path)
    samples = samples_of(layout, built)
    assert Counter(s.split for s in samples) == built.rows
    splits_of: dict[str, set[str]] = {}
    for sample in samples:
        assert sample.split in SPLITS
        assert len(sample.points) == len(sample.visible) == n_points_of(sample.scheme)
        assert sample.group.startswith(f"{sample.dataset}/")
        assert sample.origin.startswith(str(tmp_path))
        splits_of.setdefault(sample.group, set()).add(sample.split)
    assert all(len(splits) == 1 for splits in splits_of.values())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_prepare_takes_every_row(layout: str, tmp_path: Path) -> None:
    built = LAYOUTS[layout](tmp_path / "data")
    sheet = tmp_path / "sheet.png"
    options = PrepareOptions(
        sources=(built.root,), out=tmp_path / "faces.csv", preview=sheet, strict=True
    )
    result = prepare(options)
    assert not result.rejects
    rows = read_dataset(options.out)
    assert Counter(r.split for r in rows) == built.rows
    originals = {s.origin: s for s in samples_of(layout, built)}
    for row, sample in zip(rows, result.samples, strict=True):
        wanted = originals[sample.origin].points
        np.testing.assert_allclose(row.points, wanted, atol=0.01)
        assert row.image.is_file()
    assert read_image(sheet).std() > 5
    left = [path.name for path in tmp_path.glob(".*")]
    assert left == [".kpcli"], "temporary files are left"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "rows", "pictures"),
    [
        ("300w", 2342, 2342),
        ("youtube_faces", 1743, 1743),
        ("wflw", 608, 608),
        ("celeba", 2104, 2104),
        ("widerface", None, 3109),
    ],
)
def test_shared_data_in_full(
    folder: str, rows: int | None, pictures: int, shared: Path, tmp_path: Path
) -> None:
    out = tmp_path / "faces.csv"
    result = prepare(PrepareOptions(sources=(shared / folder,), out=out))
    reasons = [f"{r.origin} {r.reason}" for r in result.rejects]
    assert len(reasons) == len(set(reasons)) <= 1, "good labels are rejected"
    samples = read_dataset(out)
    assert rows is None or len(samples) + len(reasons) == rows
    assert len({s.image for s in samples}) + len(reasons) == pictures
    assert (tmp_path / "faces.rejects.csv").exists() == bool(reasons)
