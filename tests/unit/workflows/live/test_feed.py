"""The thread that reads: the newest frame is given out, older ones are dropped and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kpcli.errors import InputError, UsageError
from kpcli.types import Frame
from kpcli.workflows.live.feed import Feed, FileSource


def frame(index: int, seconds: float = 0.0) -> Frame:
    return Frame(Path("cam"), index, seconds, np.zeros((4, 4, 3), np.uint8), moving=True)


class Steps:
    """A source that goes on when it is told to; ``gone`` ends it with an error."""

    def __init__(self, count: int, *, waits: bool = False, gone: bool = False) -> None:
        self.name, self.waits = "cam", waits
        self._count, self._gone = count, gone
        self.go = threading.Semaphore(0)
        self.closed = False
        self.done = 0

    def frames(self) -> Iterator[Frame]:
        for i in range(self._count):
            self.go.acquire()
            yield frame(i + 1, i / 100)
            self.done += 1
        if self._gone:
            raise InputError("cam: it gives no more pictures")

    def close(self) -> None:
        self.closed = True

    def release(self, count: int) -> None:
        for _ in range(count):
            self.go.release()


def until(what: object) -> None:
    assert callable(what)
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_the_newest_is_taken_and_the_others_are_counted() -> None:
    source = Steps(6)
    feed = Feed(source, every=False)
    feed.start()
    source.release(5)
    until(lambda: feed.read == 5)
    first = feed.take()
    assert first is not None
    assert (first.frame.index, feed.dropped) == (5, 4)
    source.release(1)
    second = feed.take()
    assert second is not None
    assert (second.frame.index, feed.dropped) == (6, 4)
    assert second.at >= first.at
    assert feed.take() is None
    feed.close()
    assert source.closed
    assert feed.problem is None


def test_every_frame_is_given_out_where_that_is_asked() -> None:
    source = Steps(20, waits=True)
    source.release(20)
    feed = Feed(source, every=True)
    feed.start()
    indices = []
    while (arrived := feed.take()) is not None:
        indices.append(arrived.frame.index)
        time.sleep(0.001)
    assert indices == list(range(1, 21))
    assert feed.dropped == 0
    feed.close()


def test_a_source_that_breaks_gives_its_last_frame_and_its_reason() -> None:
    source = Steps(1, gone=True)
    source.release(1)
    feed = Feed(source, every=False)
    feed.start()
    assert feed.take() is not None
    assert feed.take() is None
    assert isinstance(feed.problem, InputError)
    feed.close()


def test_a_file_comes_by_its_own_times() -> None:
    source = Steps(5, waits=True)
    source.release(5)
    feed = Feed(source, every=False)
    begun = time.perf_counter()
    feed.start()
    last = None
    while (arrived := feed.take()) is not None:
        last = arrived
    assert last is not None
    assert last.frame.index == 5
    assert last.at - begun >= 0.04  # its time: 4 / 100 s
    feed.close()


def test_a_pause_stops_a_file_and_passes_over_a_cameras_frames() -> None:
    file = Steps(2, waits=True)
    feed = Feed(file, every=True)
    feed.pause(True)
    feed.start()
    file.release(2)
    time.sleep(0.05)
    assert feed.read == 0
    feed.pause(False)
    arrived = feed.take()
    assert arrived is not None
    assert arrived.frame.index == 1
    feed.close()
    camera = Steps(3)
    feed = Feed(camera, every=False)
    feed.pause(True)
    feed.start()
    camera.release(2)
    until(lambda: camera.done == 2)
    feed.pause(False)
    camera.release(1)
    arrived = feed.take()
    assert arrived is not None
    assert arrived.frame.index == 3
    assert feed.dropped == 0
    feed.close()


def test_closing_does_not_wait_for_a_driver_that_hangs() -> None:
    source = Steps(1)
    feed = Feed(source, every=False)
    feed.start()
    waiting = threading.Thread(target=feed.take)
    waiting.start()
    feed.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert not source.closed  # its driver is still inside
    source.release(1)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        FileSource(tmp_path / "none.mp4")
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(UsageError, match="does not move"):
        FileSource(picture)
