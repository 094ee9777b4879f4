"""A whole run with a fake window or none: keys, files, counts, exit codes."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from helpers.fakes import FakePredictor, InterruptedPredictor
from helpers.media import Pixels, picture, write_video

from kpcli.errors import InputError, UsageError
from kpcli.options import AnnotateOptions, LiveOptions
from kpcli.types import Frame
from kpcli.workflows.annotate.run import annotate
from kpcli.workflows.live.report import LiveReport
from kpcli.workflows.live.run import live

TABLE = "landmarks.csv"


class FakeWindow:
    """Remembers what was shown; presses a key after each frame, by the list."""

    def __init__(self, keys: str = "", closes_after: int = 0) -> None:
        self.shown: list[Pixels] = []
        self._keys = list(keys)
        self._pressed_at = 0
        self._closes_after = closes_after
        self.closed = False

    def show(self, pixels: Pixels) -> None:
        self.shown.append(pixels.copy())

    def key(self, milliseconds: int) -> str:
        if not self._keys or len(self.shown) == self._pressed_at:
            return ""
        self._pressed_at = len(self.shown)
        return self._keys.pop(0).strip(".")

    def is_open(self) -> bool:
        return not self._closes_after or len(self.shown) < self._closes_after

    def close(self) -> None:
        self.closed = True


class FakeCamera:
    """Frames without end, or to a number; ``gone``: then it is unplugged."""

    name, waits = "camera 0", False

    def __init__(self, count: int = 10**6, *, gone: bool = False) -> None:
        self._count, self._gone = count, gone
        self.closed = False

    def frames(self) -> Iterator[Frame]:
        for i in range(self._count):
            pixels = picture(64, 48, seed=i % 5)
            yield Frame(Path(self.name), i + 1, i / 30, pixels, moving=True)
        if self._gone:
            raise InputError("camera 0: it gives no more pictures", actual="unplugged")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    pts = [0, 20, 45, 60, 61, 90, 120, 300]
    return write_video(tmp_path / "in" / "clip.mp4", pts=pts)


def run(clip: Path, window: FakeWindow | None = None, **choices: Any) -> LiveReport:
    choices = {"detector": "whole_image", "pace": "every-frame", **choices}
    options = LiveOptions(source=str(clip), headless=window is None, **choices)
    return live(options, window=window, predictor=FakePredictor())


def rows(folder: Path) -> list[list[str]]:
    with (folder / TABLE).open(newline="") as file:
        return list(csv.reader(file))


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [round(float(frame.time), 3) for frame in container.decode(video=0)]


@pytest.mark.parametrize("choices", [{}, {"smooth": "one-euro", "measures": True}, {"pose": False}])
def test_the_table_is_annotates(clip: Path, tmp_path: Path, choices: dict[str, Any]) -> None:
    report = run(clip, record=tmp_path / "live", **choices)
    assert (report.exit_code, report.frames, report.dropped) == (0, 8, 0)
    options = AnnotateOptions(
        inputs=(clip,), out=tmp_path / "annotated", folder=False, detector="whole_image",
        workers=1, overlays=False, **choices,
    )  # fmt: skip
    annotate(options, predictor=FakePredictor())
    assert (tmp_path / "live" / TABLE).read_bytes() == (tmp_path / "annotated" / TABLE).read_bytes()


def test_the_recording_has_the_times_of_the_file_and_run_json_the_counts(
    clip: Path, tmp_path: Path
) -> None:
    report = run(clip, record=tmp_path / "out")
    names = [path.name for path in report.written]
    assert names == [TABLE, "recording_1.mp4", "run.json"]
    assert times(tmp_path / "out" / "recording_1.mp4") == [
        round(p / 600, 3) for p in (0, 20, 45, 60, 61, 90, 120, 300)
    ]
    values = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (values["frames"], values["exit_code"], values["scheme"]) == (8, 0, "ibug68")


def test_no_video_where_only_the_table_is_wanted(clip: Path, tmp_path: Path) -> None:
    run(clip, record=tmp_path / "out", video=False)
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.name[0] != ".") == [
        TABLE,
        "run.json",
    ]


def test_keys(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    window = FakeWindow("hlsr.rq")
    report = run(clip, window)
    assert (report.exit_code, window.closed) == (0, True)
    first, helped, plain = window.shown[0], window.shown[1], window.shown[3]
    assert np.abs(helped.astype(int) - first).max() > 100  # the lines of help
    assert np.abs(plain.astype(int) - helped).max() > 100
    live_folder = tmp_path / "live"
    assert {p.name for p in live_folder.iterdir()} == {".kpcli", "picture_1.png", "recording_1.mp4"}
    assert len(times(live_folder / "recording_1.mp4")) >= 1
    assert not (live_folder / TABLE).exists()
    again = run(clip, FakeWindow("ssq"))
    assert [p.name for p in again.written] == ["picture_2.png", "picture_3.png"]


def test_a_picture_has_the_faces_and_no_text(clip: Path, tmp_path: Path) -> None:
    window = FakeWindow("lsq")
    report = run(clip, window, record=tmp_path / "out", video=False)
    (saved,) = (p for p in report.written if p.suffix == ".png")
    with av.open(str(clip)) as container:
        frames = [f.to_ndarray(format="rgb24").astype(int) for f in container.decode(video=0)]
    from kpcli.images import read_image

    pixels = read_image(saved).astype(int)
    assert min(np.abs(pixels - frame).max() for frame in frames) <= 2  # landmarks are off


def test_a_paused_window_still_listens(clip: Path) -> None:
    window = FakeWindow("pq")
    assert run(clip, window).frames < 8


def test_closing_the_window_ends_it(clip: Path) -> None:
    assert run(clip, FakeWindow(closes_after=2)).exit_code == 0


def test_there_are_no_stickers_and_no_other_model_yet_keys_do_no_harm(clip: Path) -> None:
    window = FakeWindow("fxq")
    assert run(clip, window).exit_code == 0
    assert len(window.shown) >= 2


def test_a_camera_that_goes_leaves_all_that_came(tmp_path: Path) -> None:
    camera = FakeCamera(5, gone=True)
    options = LiveOptions(record=tmp_path / "out", headless=True, detector="whole_image")
    report = live(options, source=camera, predictor=FakePredictor())
    assert report.exit_code == 5
    assert "ended early: it gives no more pictures; actual: unplugged" in report.summary()
    assert report.frames + report.dropped == report.read == 5
    assert len(times(tmp_path / "out" / "recording_1.mp4")) == report.frames
    assert len(rows(tmp_path / "out")) == report.frames + 1
    assert camera.closed


class KillingPredictor(FakePredictor):
    """Has the process get a signal at its third frame, when two have been recorded."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def predict(self, crops: Any) -> Any:
        found = super().predict(crops)
        if len(self.batches) == 3:
            os.kill(os.getpid(), self._number)
        return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_the_files_are_whole(tmp_path: Path, number: int) -> None:
    before = signal.getsignal(signal.SIGTERM)  # other tests' libraries set their own
    options = LiveOptions(record=tmp_path / "out", headless=True, detector="whole_image")
    report = live(options, source=FakeCamera(), predictor=KillingPredictor(number))
    assert report.exit_code == 130
    assert report.frames >= 2
    assert signal.getsignal(signal.SIGTERM) == before
    assert len(times(tmp_path / "out" / "recording_1.mp4")) == report.frames
    assert len(rows(tmp_path / "out")) == report.frames + 1
    assert json.loads((tmp_path / "out" / "run.json").read_text())["interrupted"] is True


def test_a_fault_of_the_model_is_raised_and_the_files_are_finished(
    clip: Path, tmp_path: Path
) -> None:
    class Broken(InterruptedPredictor):
        def predict(self, crops: Any) -> Any:
            self._left -= 1
            if not self._left:
                raise RuntimeError("a bug")
            return FakePredictor.predict(self, crops)

    options = LiveOptions(
        source=str(clip), record=tmp_path / "out", headless=True, detector="whole_image"
    )
    with pytest.raises(RuntimeError, match="a bug"):
        live(options, predictor=Broken(4))
    assert len(times(tmp_path / "out" / "recording_1.mp4")) == 3
    assert len(rows(tmp_path / "out")) == 4


def test_stop_after_seconds(tmp_path: Path) -> None:
    options = LiveOptions(
        record=tmp_path / "out", headless=True, detector="whole_image", seconds=0.5
    )
    report = live(options, source=FakeCamera(), predictor=FakePredictor())
    assert report.exit_code == 0
    assert 0.5 <= float(rows(tmp_path / "out")[-1][2]) < 20


def test_nothing_of_the_users_is_replaced(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / TABLE).write_text("mine")
    (out / "recording_1.mp4").write_text("mine too")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="not written by kpcli"):
            run(clip, record=out, overwrite=overwrite)
    (out / TABLE).unlink()
    report = run(clip, record=out)
    assert (out / "recording_1.mp4").read_text() == "mine too"
    assert (out / "recording_2.mp4") in report.written
    with pytest.raises(InputError, match="earlier run"):
        run(clip, record=out)
    assert run(clip, record=out, overwrite=True).exit_code == 0
    assert (out / "recording_1.mp4").read_text() == "mine too"


def test_what_does_not_go_together(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is to be written"):
        live(LiveOptions(source=str(clip), headless=True), predictor=FakePredictor())
    options = LiveOptions(pace="every-frame", headless=True, record=tmp_path / "o")
    with pytest.raises(UsageError, match="does not wait"):
        live(options, source=FakeCamera(), predictor=FakePredictor())
    with pytest.raises(InputError, match="no such file"):
        run(tmp_path / "none.mp4", record=tmp_path / "o")
    assert not (tmp_path / "o").exists()
