"""Damaged files of every kind: no crash, no hang, nothing unreported.

The default run tries a sample; KPCLI_FUZZ=2000 (mutants) makes it the full one.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.fakes import FakePredictor
from helpers.media import picture, write_animation, write_picture, write_video
from helpers.mutants import mutant
from PIL import Image

from kpcli.options import AnnotateOptions
from kpcli.workflows.annotate.run import annotate

COUNT = int(os.environ.get("KPCLI_FUZZ", "120"))
KINDS = ("a.jpg", "a.png", "a.webp", "a.gif", "a.tiff", "a.bmp", "anim.gif", "anim.webp", "a.mp4",
         "a.mkv", "real.jpg", "real.png", "real.webp", "real.mp4")  # fmt: skip


def originals(folder: Path, sample_images: Path) -> dict[str, bytes]:
    """The undamaged files: drawn ones, and small ones of real pictures."""
    for name in KINDS:
        path = folder / name
        if name == "real.mp4":
            path.write_bytes((sample_images / "clip.mp4").read_bytes())
        elif name.startswith("real"):
            with Image.open(sample_images / "wall_of_portraits.jpg") as image:
                image.resize((160, 120)).save(path)
        elif name.startswith("anim"):
            write_animation(path, 3)
        elif name.endswith(("mp4", "mkv")):
            options = {"movflags": "+faststart"} if "mp4" in name else {}
            write_video(path, 12, options=options, audio="aac")
        else:
            write_picture(path, picture(64, 48, seed=3))
    return {name: (folder / name).read_bytes() for name in KINDS}


@pytest.mark.parametrize("part", range(4))
def test_mutants_of_pictures_and_videos(tmp_path: Path, sample_images: Path, part: int) -> None:
    chance = np.random.default_rng(part)
    (tmp_path / "good").mkdir()
    kinds = originals(tmp_path / "good", sample_images)
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(COUNT // 4):
        name = KINDS[i % len(KINDS)]
        (folder / f"{i:05}_{name}").write_bytes(mutant(kinds[name], chance))
    (folder / "good.png").write_bytes(kinds["a.png"])
    options = AnnotateOptions(
        (folder,), tmp_path / "out", detector="whole_image", timeout=20, max_megapixels=2
    )
    report = annotate(options, FakePredictor())
    assert sum(report.counts.values()) == COUNT // 4 + 1
    assert report.exit_code in (0, 5)
    with (tmp_path / "out" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        manifest = {row["file"]: row for row in csv.DictReader(file)}
    assert manifest["good.png"]["status"] == "done"
    unexplained = [r for r in manifest.values() if r["status"] != "done" and not r["reason"]]
    assert not unexplained
    given_up = [r["file"] for r in manifest.values() if "no progress" in r["reason"]]
    assert not given_up, "a decoder hangs"
    with (tmp_path / "out" / "landmarks.csv").open(newline="", encoding="utf-8") as file:
        lengths = {len(row) for row in csv.reader(file)}
    assert len(lengths) == 1
    print(f"\npart {part}: {dict(report.counts)}")
    kinds_and_ends = Counter(
        (row["file"].partition("_")[2], row["status"]) for row in manifest.values()
    )
    print(sorted(kinds_and_ends.items()))
