"""The page in a real headless Chromium: a face is dragged, saved, the server killed, prepared."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import browser as chromium
from helpers.annotated import SHAPE
from helpers.reviewed import CLIP, process, request, results, saved
from PIL import Image

from kpcli.dataset_csv import read_dataset
from kpcli.options import PrepareOptions
from kpcli.workflows.prepare.run import prepare

pytestmark = pytest.mark.skipif(not (chromium.CHROMIUM and chromium.DRIVER), reason=chromium.REASON)
WAIT = 60.0
NOSE = 2


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results(tmp_path_factory.mktemp("review"))


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    with chromium.browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.size(1280, 800)
        yield opened


def until(found: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {WAIT} s: {what}")


def text(tab: chromium.Browser, query: str) -> str:
    return str(tab.run(f"return document.querySelector({json.dumps(query)})?.textContent ?? ''"))


def drag(tab: chromium.Browser, start: tuple[float, float], by: tuple[int, int]) -> None:
    """Press, move and let go, in pixels of the window."""
    x, y = round(start[0]), round(start[1])
    steps = [
        {"type": "pointerMove", "duration": 0, "x": x, "y": y},
        {"type": "pointerDown", "button": 0},
        {"type": "pointerMove", "duration": 20, "x": x + by[0], "y": y + by[1]},
        {"type": "pointerUp", "button": 0},
    ]
    pointer = {"type": "pointer", "id": "m", "parameters": {"pointerType": "mouse"}}
    tab.call("POST", "/actions", actions=[{**pointer, "actions": steps}])


def on_screen(tab: chromium.Browser, area: tuple[float, ...], point: Any) -> tuple[float, float]:
    """Where a point of the picture is, if the page shows an area with room around it."""
    box = tab.run("const b = document.querySelector('#canvas').getBoundingClientRect();"
                  "return [b.left, b.top, b.width, b.height]")  # fmt: skip
    left, top, right, bottom = area
    zoom = min(box[2] / ((right - left + 1) * 1.5), box[3] / ((bottom - top + 1) * 1.5), 40)
    x = box[0] + box[2] / 2 + (point[0] - (left + right) / 2) * zoom
    y = box[1] + box[3] / 2 + (point[1] - (top + bottom) / 2) * zoom
    return x, y


def test_a_face_is_dragged_saved_killed_and_prepared(
    tab: chromium.Browser, out: Path, tmp_path: Path
) -> None:
    with process(out) as (running, address):
        tab.open(address)
        until(lambda: "a.png" in text(tab, "#where"), "the first face")
        until(lambda: "0.40" in text(tab, "#faces [aria-current]"), "its points")
        start = SHAPE[NOSE] * 40 + np.array([10, 8])
        place = on_screen(tab, (10, 8, 50, 48), start)
        drag(tab, place, (60, -30))
        until(lambda: text(tab, "#saved") == "all changes saved", "the save")
        assert "corrected" in text(tab, "#faces [aria-current]")
        zoom = on_screen(tab, (10, 8, 50, 48), start + 1)[0] - place[0]
        tab.press("o")  # the nose is the point at hand
        until(lambda: "occluded" in text(tab, "#points [aria-current]"), "occluded")
        until(lambda: text(tab, "#saved") == "all changes saved", "the save")
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        # With the server gone, the page says so, keeps what is done and goes on by itself.
        tab.press("]", "x")
        until(lambda: "NOT SAVED" in text(tab, "#saved"), "the warning")
    with process(out) as (running, again):
        assert again == address
        until(lambda: text(tab, "#saved") == "all changes saved", "the page finds the server again")
        running.kill()
    prepare(PrepareOptions(sources=(out / "review",), out=tmp_path / "faces.csv"))
    (row,) = read_dataset(tmp_path / "faces.csv")
    wanted = start + np.array([60, -30]) / zoom
    np.testing.assert_allclose(row.points[NOSE], wanted, atol=0.15)
    assert not row.visible[NOSE]
    assert np.isnan(row.points[NOSE + 1]).all()
    errors = [e for e in tab.errors() if "ERR_CONNECTION" not in e and "Failed to fetch" not in e]
    assert errors == []


def test_undo_batches_frames_and_help_by_keys(tab: chromium.Browser, out: Path) -> None:
    with process(out) as (_, address):
        tab.open("about:blank")
        tab.open(address)
        until(lambda: "a.png" in text(tab, "#where"), "the first face")
        until(
            lambda: tab.run("return document.querySelectorAll('#points li').length") == 5, "points"
        )
        assert "Batch 1 of 1" in text(tab, "#batch")
        tab.press("f")
        until(lambda: "face 1" in text(tab, "#faces [aria-current]"), "the other face")
        tab.press("d")
        until(lambda: "no face" in text(tab, "#faces [aria-current]"), "not a face")
        tab.press("z")
        until(lambda: "no face" not in text(tab, "#faces [aria-current]"), "undo")
        tab.press("a", "ArrowRight")
        until(lambda: "corrected" in text(tab, "#faces [aria-current]"), "nudged")
        tab.press("?")
        assert tab.run("return document.querySelector('#help').open")
        tab.press("Escape")
        tab.press("g")
        until(lambda: "kpcli prepare" in text(tab, "#steps-body"), "the commands")
        tab.press("Escape")
        files = tab.run("return [...document.querySelectorAll('#items button')].map(b => b.title)")
        at = files.index("clip.mp4")
        tab.run(f"document.querySelectorAll('#items button')[{at}].click()")
        until(lambda: "clip.mp4, frame" in text(tab, "#where"), "a video's frame")
        frame = int(text(tab, "#where").rsplit(" ", 1)[1])
        step = -1 if frame > 1 else 1
        tab.press("," if step < 0 else ".")
        until(lambda: text(tab, "#where").endswith(f"frame {frame + step}"), "the frame beside it")
        until(lambda: text(tab, "#saved") == "all changes saved", "the save")


def test_a_face_that_is_lost_is_copied_from_the_frame_beside(
    tab: chromium.Browser, out: Path
) -> None:
    with process(out) as (_, address):
        tab.open("about:blank")
        tab.open(address)
        until(lambda: "a.png" in text(tab, "#where"), "the first face")
        words = "return [...document.querySelectorAll('#items button')].map(b => b.textContent)"
        at = next(i for i, said in enumerate(tab.run(words)) if "face lost" in said)
        tab.run(f"document.querySelectorAll('#items button')[{at}].click()")
        until(lambda: text(tab, "#where").endswith(f"frame {CLIP}"), "the frame without a face")
        until(lambda: text(tab, "#faces") == "none", "no face")
        tab.press("c")
        until(lambda: "added face" in text(tab, "#faces [aria-current]"), "the copied face")
        until(lambda: text(tab, "#saved") == "all changes saved", "the save")
        _, queue = request(address, "api/queue")
        place = f"file={queue['files'].index('clip.mp4')}&frame="
        (there,) = request(address, f"api/frame?{place}{CLIP - 1}")[1]["faces"]
        (here,) = request(address, f"api/frame?{place}{CLIP}")[1]["faces"]
        assert here["points"] == there["points"]
        assert here["raw"] is None
        assert here["status"] == "corrected"


def test_two_tabs_do_not_overwrite_each_other(tab: chromium.Browser, out: Path) -> None:
    with process(out) as (_, address):
        tab.open("about:blank")
        tab.open(address)
        until(lambda: "a.png" in text(tab, "#where"), "the first face")
        until(lambda: tab.run("return document.querySelectorAll('#faces li').length") == 2, "faces")
        _, queue = request(address, "api/queue")
        place = {"file": queue["files"].index("a.png"), "frame": 1}
        _, shown = request(address, "api/frame?file={file}&frame={frame}".format(**place))
        other = shown["faces"][0]
        points = [p and [p[0] + 5, p[1]] for p in other["points"]]
        body = saved(other, place, points=points, status="corrected", what="the other tab")
        assert request(address, "api/save", body)[0] == 200
        tab.press("a", "ArrowDown")
        until(lambda: tab.run("return document.querySelector('#conflict').open"), "the question")
        assert "the other tab" in text(tab, "#conflict-words")
        tab.run("document.querySelector('[data-do=theirs]').click()")
        until(lambda: text(tab, "#saved") == "all changes saved", "settled")
        _, shown = request(address, "api/frame?file={file}&frame={frame}".format(**place))
        assert shown["faces"][0]["points"] == points


def test_light_dark_and_narrow(tab: chromium.Browser, out: Path, tmp_path: Path) -> None:
    with process(out) as (_, address):
        tab.open("about:blank")
        tab.open(address)
        until(lambda: "a.png" in text(tab, "#where"), "the first face")
        light = np.asarray(Image.open(tab.screenshot(tmp_path / "light.png")).convert("L"))
        tab.dark(True)
        dark = np.asarray(Image.open(tab.screenshot(tmp_path / "dark.png")).convert("L"))
        tab.dark(False)
        assert np.median(light[:, :200]) > 230
        assert np.median(dark[:, :200]) < 40
        tab.size(390, 800)
        assert tab.run("return document.documentElement.scrollWidth") <= 390
        tab.size(1280, 800)
