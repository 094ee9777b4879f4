import html
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.annotated import face, frame, write_results
from helpers.media import write_picture, write_video

from kpcli.errors import InputError, UsageError
from kpcli.options import ReportOptions
from kpcli.types import FrameFaces
from kpcli.workflows.report.page import MOST_BYTES
from kpcli.workflows.report.run import report

EVIL = "a<script>alert(1)</script>.jpg"


def made(folder: Path, **options: object) -> str:
    path = report(ReportOptions((folder,), **options)).path  # type: ignore[arg-type]
    return path.read_text(encoding="utf-8")


def clip(count: int = 50) -> Iterator[FrameFaces]:
    for i in range(1, count + 1):
        faces = () if 20 <= i < 40 else (face(0, 0.4 if i < 6 else 0.9, weak=3 if i < 6 else 0),)
        yield frame("v/clip.mp4", i, *faces, moving=True)


def results(tmp_path: Path, **run: object) -> Path:
    source = tmp_path / "in"
    write_picture(source / EVIL)
    write_picture(source / "b.png")
    write_video(source / "v" / "clip.mp4", 50)
    frames = [frame(EVIL, 1, face(weak=2)), frame("b.png", 1), *clip()]
    outcomes = [
        (EVIL, "done", ""), ("b.png", "no_face", ""), ("c.jpg", "failed", "<b>not</b> a picture"),
        ("v/clip.mp4", "partial", "the video ends early"),
    ]  # fmt: skip
    return write_results(tmp_path / "out", frames, outcomes, input=str(source), **run)


def test_what_the_page_says(tmp_path: Path) -> None:
    page = made(results(tmp_path))
    assert "<b>1</b>files with faces" in page
    assert "&lt;b&gt;not&lt;/b&gt; a picture" in page
    assert "the video ends early" in page
    assert "no face in 20 frames (40%)" in page
    assert "longest gap 0.8 s" in page
    assert page.count("data:image/jpeg;base64,") >= 4
    assert "research" in page  # the terms of the model's card
    worst, other = page.index("confidence 0.40, 3 of 5 points"), page.index("Other faces")
    assert worst < other or "Other faces" not in page


def test_nothing_of_a_file_name_is_markup(tmp_path: Path) -> None:
    page = made(results(tmp_path))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.jpg" in page.replace("/<wbr>", "/")
    assert page.count("<script") == 1 + page.count('<script type="application/json"')


def test_nothing_is_fetched(tmp_path: Path) -> None:
    page = made(results(tmp_path))
    assert not re.findall(r'(?:src|href|url\()\s*=?\s*["\']?(?!data:|#)\w+:?//', page)
    assert "default-src 'none'; img-src data:;" in html.unescape(page)


def test_sources_that_are_gone_are_said(tmp_path: Path) -> None:
    out = results(tmp_path)
    (tmp_path / "in").rename(tmp_path / "moved")
    page = made(out)
    assert "the source is gone, and there is no overlay" in page
    assert "data:image/jpeg" not in page
    again = made(out, root=tmp_path / "moved")
    assert "the source is gone" not in again
    assert "data:image/jpeg" in again


def test_overlays_stand_in_for_sources(tmp_path: Path) -> None:
    out = results(tmp_path)
    (tmp_path / "in").rename(out / "overlays")
    page = made(out)
    assert "pictures come from the overlays" in page
    assert "data:image/jpeg" in page


def test_a_page_of_ours_is_replaced_and_no_other_file(tmp_path: Path) -> None:
    out = results(tmp_path)
    made(out)
    made(out)
    other = tmp_path / "notes.html"
    other.write_text("mine")
    with pytest.raises(InputError, match="in the way"):
        made(out, out=other)
    assert other.read_text() == "mine"


def test_folders_without_results(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results"):
        made(tmp_path)
    with pytest.raises(UsageError):
        report(ReportOptions((tmp_path, tmp_path)))


def many(files: int) -> Iterator[FrameFaces]:
    for i in range(files):
        name = f"{'long_folder_name/' * 3}{i:06d}.jpg"
        yield frame(name, 1, face(confidence=0.3 + 0.7 * (i % 97) / 97, weak=i % 5))


def test_ten_thousand_files_stay_small(tmp_path: Path) -> None:
    names = [f"{'long_folder_name/' * 3}{i:06d}.jpg" for i in range(10_000)]
    outcomes = ((n, "failed" if i % 7 == 0 else "done", "x" * 80) for i, n in enumerate(names))
    out = write_results(tmp_path / "out", many(10_000), outcomes, input=str(tmp_path / "in"))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    source = write_picture(tmp_path / "in" / names[0], noise)
    for name in names[1:]:
        (tmp_path / "in" / name).hardlink_to(source)
    page = made(out)
    assert len(page) < MOST_BYTES / 4
    assert "1000 of " in page
    assert "the first 300 of 1429" in page


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        frames = (frame("long.mp4", i, face(), moving=True) for i in range(1, count + 1))
        out = write_results(tmp_path / str(count), frames)
        tracemalloc.start()
        made(out)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(300)  # imports
    assert peak(1800) < 1.5 * peak(600) + 500_000
