"""The page in a real headless Chromium: opened, keys pressed, looked at pixel by pixel."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import browser as chromium
from helpers.annotated import face, frame, write_results
from helpers.media import write_picture, write_video
from PIL import Image

from kpcli.options import ReportOptions
from kpcli.workflows.report.run import report

pytestmark = pytest.mark.skipif(not (chromium.CHROMIUM and chromium.DRIVER), reason=chromium.REASON)
EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script>.jpg'


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    source = folder / "in"
    write_picture(source / EVIL.replace("/", "_"))
    write_picture(source / "b.png")
    write_video(source / "clip.mp4", 60)
    frames = [frame(EVIL.replace("/", "_"), 1, face(weak=2)), frame("b.png", 1)]
    for i in range(1, 61):
        faces = [face(0, 0.4 if i < 9 else 0.9)] if i < 40 else []
        faces += [face(1, 0.8, left=60)] if i > 20 else []
        frames.append(frame("clip.mp4", i, *faces, moving=True))
    outcomes = [(EVIL, "failed", EVIL), ("b.png", "no_face", ""), ("clip.mp4", "done", "")]
    out = write_results(folder / "out", frames, outcomes, input=str(source))
    return report(ReportOptions((out,))).path


@pytest.fixture(scope="module")
def tab(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    with chromium.browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.size(1100, 900)
        opened.open(page)
        yield opened


def test_it_opens_without_a_complaint_or_a_request(tab: chromium.Browser) -> None:
    assert tab.errors() == []
    assert tab.run("return document.title").startswith("Landmarks of ")
    assert tab.run("return performance.getEntriesByType('resource').length") == 0
    broken = (
        "return [...document.images].filter(i => i.src && i.complete && !i.naturalWidth).length"
    )
    assert tab.run(broken) == 0
    assert tab.run("return document.querySelectorAll('.shots img').length") >= 4
    assert tab.run("return document.documentElement.scrollWidth <= innerWidth")


def test_time_line_by_keys(tab: chromium.Browser) -> None:
    tab.run("document.querySelector('.tracks').focus()")
    tab.press("ArrowRight", "ArrowRight")
    said = tab.run("return document.querySelector('.time output').textContent")
    assert said.startswith("0.04 s, frame 2: 100 % of frames with a face")
    assert "face 1: not there" in said or "confidence 0.40" in said
    tab.press("End")
    said = tab.run("return document.querySelector('.time output').textContent")
    assert "frame 60" in said
    other = "const r = document.querySelectorAll('.time input')[1]; r.focus(); return r.value"
    chosen = tab.run(other)
    tab.press("Space")
    shown = "return [...document.querySelectorAll('.time [data-face]')]"
    assert tab.run(f"{shown}.filter(d => !d.hidden).map(d => d.dataset.face)") == [chosen]


def test_large_view_by_keys(tab: chromium.Browser) -> None:
    tab.run("document.querySelector('.shots button').focus()")
    tab.press("Enter")
    assert tab.run("return document.querySelector('dialog').open")
    first = tab.run("return document.querySelector('dialog p').textContent")
    assert "(1 of " in first
    tab.press("ArrowRight")
    assert "(2 of " in tab.run("return document.querySelector('dialog p').textContent")
    tab.press("Escape")
    assert not tab.run("return document.querySelector('dialog').open")


def test_files_are_searched_and_sorted_by_keys(tab: chromium.Browser) -> None:
    tab.run("document.activeElement.blur()")
    tab.press("/", "c", "l", "i", "p")
    assert tab.run("return document.querySelector('.tools output').textContent") == "1 of 3 rows"
    tab.run("const i = document.querySelector('input[type=search]'); i.value = '';"
            "i.dispatchEvent(new Event('input'));"
            "document.querySelectorAll('#files-table thead button')[2].focus()")  # fmt: skip
    tab.press("Enter")
    rows = "[...document.querySelectorAll('#files-table tbody tr')]"
    frames = f"return {rows}.map(r => +r.cells[2].textContent)"
    assert tab.run(frames) == [1, 1, 60]
    tab.press("Enter")
    assert tab.run(frames) == [60, 1, 1]
    assert tab.run("return document.title").startswith("Landmarks of ")  # no name was run


def test_light_dark_and_print(tab: chromium.Browser, tmp_path: Path) -> None:
    light = np.asarray(Image.open(tab.screenshot(tmp_path / "light.png")).convert("L"))
    tab.dark(True)
    dark = np.asarray(Image.open(tab.screenshot(tmp_path / "dark.png")).convert("L"))
    tab.dark(False)
    assert np.median(light) > 230
    assert np.median(dark) < 40


def test_a_narrow_screen_does_not_scroll_sideways(tab: chromium.Browser) -> None:
    tab.size(390, 800)
    assert tab.run("return document.documentElement.scrollWidth") <= 390
    tab.run("document.querySelector('.tracks').focus()")
    tab.press("End")
    # Its letters stay legible: the time line scrolls, and goes along with the keys.
    letters = "return document.querySelector('.tracks svg text').getBoundingClientRect().height"
    assert tab.run(letters) > 8
    seen = "const t = document.querySelector('.tracks'), c = t.querySelector('.cursor');"
    seen += "return c.getBoundingClientRect().right <= t.getBoundingClientRect().right"
    assert tab.run(seen)
    tab.size(1100, 900)
