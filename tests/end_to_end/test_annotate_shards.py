"""Shards and their merge give what one run gives."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.fakes import FakePredictor, InterruptedPredictor
from helpers.media import picture, write_picture, write_video

from kpcli.batch.plan import shard_of
from kpcli.errors import InputError
from kpcli.options import AnnotateOptions, MergeOptions
from kpcli.workflows.annotate.merge import merge
from kpcli.workflows.annotate.run import annotate


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for i in range(40):
        write_picture(folder / f"{i % 4}" / f"ü{i:03}.png", picture(40, 30, seed=i))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").touch()
    for name in ("a.cr2", "ü.dng", "b.psd"):
        (folder / name).write_bytes(b"raw")
    for i in range(3):
        write_video(folder / f"v{i}.mp4", 10)
    return folder


def options(source: Path, out: Path, **changes: object) -> AnnotateOptions:
    return replace(AnnotateOptions((source,), out, detector="whole_image"), **changes)


def run_shards(source: Path, base: Path, count: int, **changes: object) -> list[Path]:
    outs = [base / f"shard{i}" for i in range(1, count + 1)]
    for i, out in enumerate(outs, 1):
        annotate(options(source, out, shard=(i, count), **changes), FakePredictor())
    return outs


def manifest(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def test_the_merge_is_what_one_run_writes(source: Path, tmp_path: Path) -> None:
    one_run = options(source, tmp_path / "whole", formats=("coco",), frames_out=True)
    whole = annotate(one_run, FakePredictor())
    outs = run_shards(source, tmp_path, 3, frames_out=True)
    report = merge(MergeOptions(tuple(reversed(outs)), tmp_path / "merged", ("coco",)))
    assert report.counts == whole.counts == {"done": 43, "failed": 1}
    assert report.exit_code == 5
    assert report.ignored == whole.ignored
    assert report.ignored[".txt"] == 1
    assert report.unread == whole.unread == 3
    for name in ("landmarks.csv", "annotations/person_keypoints_default.json"):
        merged, one = (tmp_path / d / name for d in ("merged", "whole"))
        assert merged.read_bytes() == one.read_bytes(), name
    assert manifest(tmp_path / "merged") == manifest(tmp_path / "whole")
    told = [r for r in manifest(tmp_path / "merged") if r["status"] == "ignored"]
    assert [r["file"] for r in told] == ["a.cr2", "b.psd", "ü.dng"]
    assert all(r["reason"] for r in told)
    for what, ending, count in (
        ("overlays", "png", 40),
        ("images", "png", 40),
        ("images", "jpg", 30),
    ):
        one, merged = (
            {
                p.relative_to(tmp_path / folder).as_posix(): p.read_bytes()
                for p in (tmp_path / folder / what).rglob(f"*.{ending}")
            }
            for folder in ("whole", "merged")
        )
        assert len(one) == count, what
        assert merged == one, what
    assert json.loads((tmp_path / "merged" / "run.json").read_text())["files"]["done"] == 43


def test_a_merged_folder_can_be_resumed(source: Path, tmp_path: Path) -> None:
    outs = run_shards(source, tmp_path, 2, overlays=False)
    merge(MergeOptions(tuple(outs), tmp_path / "merged"))
    predictor = FakePredictor()
    again = options(source, tmp_path / "merged", overlays=False, resume=True)
    assert annotate(again, predictor).counts == {"done": 43, "failed": 1}
    assert predictor.batches == []


def test_every_file_is_in_one_shard_by_its_name_alone() -> None:
    names = [f"{i}/picture {i}.jpg" for i in range(2000)]
    sizes = [sum(shard_of(n, 4) == i for n in names) for i in (1, 2, 3, 4)]
    assert sum(sizes) == 2000
    assert min(sizes) > 400
    assert shard_of("a.jpg", 4) == shard_of("a.jpg", 4)
    assert {shard_of(n, 1) for n in names} == {1}


def test_a_shard_without_files_is_whole_too(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a.png")
    outs = run_shards(tmp_path / "in", tmp_path, 3)
    assert merge(MergeOptions(tuple(outs), tmp_path / "merged")).counts == {"done": 1}


def test_what_cannot_be_merged(source: Path, tmp_path: Path) -> None:
    one, two = run_shards(source, tmp_path, 2, overlays=False)
    with pytest.raises(InputError, match="not all shards") as e:
        merge(MergeOptions((one,), tmp_path / "m"))
    assert e.value.expected == "1 to 2 of 2"
    with pytest.raises(InputError, match="not all shards"):
        merge(MergeOptions((one, one), tmp_path / "m"))
    with pytest.raises(InputError, match="not an output folder"):
        merge(MergeOptions((one, tmp_path), tmp_path / "m"))
    other = tmp_path / "other"
    annotate(options(source, other, overlays=False, shard=(2, 2), max_faces=1), FakePredictor())
    with pytest.raises(InputError, match="other options") as e:
        merge(MergeOptions((one, other), tmp_path / "m"))
    assert e.value.actual == "max_faces"
    stopped = tmp_path / "stopped"
    annotate(options(source, stopped, overlays=False, shard=(2, 2)), InterruptedPredictor(2))
    with pytest.raises(InputError, match="did not come to its end"):
        merge(MergeOptions((one, stopped), tmp_path / "m"))
    (two / "landmarks.csv").write_bytes(b"edited")
    with pytest.raises(InputError, match="did not come to its end"):
        merge(MergeOptions((one, two), tmp_path / "m"))
    assert not (tmp_path / "m").exists()


def test_the_output_is_not_overwritten_unasked(source: Path, tmp_path: Path) -> None:
    outs = tuple(run_shards(source / "0", tmp_path, 1, overlays=False))
    merge(MergeOptions(outs, tmp_path / "m"))
    with pytest.raises(InputError, match="holds results already"):
        merge(MergeOptions(outs, tmp_path / "m"))
    merge(MergeOptions(outs, tmp_path / "m", overwrite=True))
