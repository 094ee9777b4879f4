from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.dataset_builders import picture, save
from PIL import Image

from kpcli.images import open_image
from kpcli.types import Sample
from kpcli.workflows.prepare import pictures as prepare_pictures
from kpcli.workflows.prepare.pictures import ending_early, look_at_pictures


def sample(image: Path) -> Sample:
    nothing = np.zeros((0, 2), np.float32)
    return Sample(image, None, nothing, np.zeros(0, bool), "boxes", "d", "train", "d/a")


def test_every_picture_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [save(tmp_path / f"{i}.png", picture(seed=i, size=40 + i)) for i in range(5)]
    opened: list[Path] = []

    def counted(path: Path) -> Image.Image:
        opened.append(path)
        return open_image(path)

    monkeypatch.setattr(prepare_pictures, "open_image", counted)
    assert len(look_at_pictures([sample(p) for p in paths * 3])) == 5
    assert sorted(opened) == paths


def test_size_fingerprint_and_problems(tmp_path: Path) -> None:
    good = save(tmp_path / "good.png", picture(size=50)[:30])
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    paths = [good, bad, tmp_path / "none.png", bad / "below.png", tmp_path / ("x" * 300)]
    seen = look_at_pictures([sample(p) for p in paths])
    facts, print_of_good = seen[good]
    assert (facts.width, facts.height, facts.missing, facts.problem) == (50, 30, False, "")
    assert print_of_good is not None
    assert not seen[bad][0].missing
    assert seen[bad][0].problem
    assert seen[tmp_path / "none.png"][0].missing
    assert seen[bad / "below.png"][0].missing
    assert seen[paths[-1]][0].problem
    assert [seen[p][1] for p in paths[1:]] == [None] * 4


def test_an_interruption_drops_what_is_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    count = itertools.count()

    def interrupted(path: Path) -> Image.Image:
        if next(count) == 0:
            raise KeyboardInterrupt
        time.sleep(0.005)
        return Image.fromarray(picture(size=40))

    monkeypatch.setattr(prepare_pictures, "open_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        look_at_pictures([sample(Path(f"{i:04d}")) for i in range(400)])
    assert next(count) < 400


def test_pictures_without_their_end_are_used_and_told(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{i}.jpg", picture(size=120, seed=i)) for i in range(12)]
    for path in paths[::2]:
        path.write_bytes(path.read_bytes()[: -len(path.read_bytes()) // 3])
    seen = look_at_pictures([sample(p) for p in paths])
    assert [bool(seen[p][0].lacking) for p in paths] == [i % 2 == 0 for i in range(12)]
    assert {(seen[p][0].width, seen[p][0].problem) for p in paths} == {(120, "")}
    (note,) = ending_early(seen)
    assert note.count == 6
