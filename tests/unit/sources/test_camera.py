"""Cameras without a camera: names by a drawn /sys, frames by a fake of OpenCV's capture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kpcli.errors import InputError
from kpcli.sources import camera
from kpcli.sources.camera import Camera, CameraName, find_camera, list_cameras


@pytest.fixture(autouse=True)
def two_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number, name in ((10, "HD Webcam: front\n"), (2, "Capture card")):
        (tmp_path / "sys" / f"video{number}").mkdir(parents=True)
        (tmp_path / "sys" / f"video{number}" / "name").write_text(name)
    (tmp_path / "sys" / "video3").mkdir()  # it tells no name
    (tmp_path / "dev").mkdir()
    monkeypatch.setattr(camera, "V4L2", tmp_path / "sys")
    monkeypatch.setattr(camera, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(camera.sys, "platform", "linux")
    return tmp_path


class FakeCapture:
    opened, pictures = True, 3

    def __init__(self, number: int, backend: int) -> None:
        self.number, self.left, self.released = number, self.pictures, False
        self.asked: dict[int, float] = {}

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def set(self, what: int, value: float) -> None:
        self.asked[what] = value

    def read(self) -> tuple[bool, Any]:
        self.left -= 1
        if self.left < 0:
            return False, None
        picture = np.zeros((4, 6, 3), np.uint8)
        picture[..., 0] = 200  # blue, in OpenCV's order
        return True, picture

    def release(self) -> None:
        self.released = True


def fake(monkeypatch: pytest.MonkeyPatch, *, opened: bool = True, pictures: int = 3) -> None:
    kind = type("Capture", (FakeCapture,), {"opened": opened, "pictures": pictures})
    monkeypatch.setattr(cv2, "VideoCapture", kind)


def test_the_list_is_by_number_and_has_names() -> None:
    assert list_cameras() == [
        CameraName(2, "Capture card"),
        CameraName(3, ""),
        CameraName(10, "HD Webcam: front"),
    ]


def test_a_machine_without_cameras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(camera, "V4L2", tmp_path / "none")
    assert list_cameras() == []
    with pytest.raises(InputError, match="there is no such camera") as caught:
        Camera("0")
    assert caught.value.expected == "a camera; there is none"


def test_elsewhere_numbers_that_open_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    monkeypatch.setattr(camera.sys, "platform", "darwin")
    assert [c.number for c in list_cameras()] == list(range(camera.PROBED))


@pytest.mark.parametrize(("text", "number"), [("2", 2), ("webcam", 10), ("CAPTURE", 2), ("7", 7)])
def test_a_camera_by_number_and_by_name(text: str, number: int) -> None:
    assert find_camera(text).number == number


def test_a_device_is_a_number(two_cameras: Path) -> None:
    assert find_camera(f"{two_cameras}/dev/video10").number == 10


@pytest.mark.parametrize(("text", "why"), [("logitech", "there is none"), ("ca", "several")])
def test_a_name_that_none_or_two_have(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        find_camera(text)
    assert "camera 2 (Capture card)" in caught.value.expected


def test_the_camera_is_asked_for_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    source = Camera("2", (640, 480))
    asked: Any = source._capture
    assert asked.asked == {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480}
    source.close()
    assert asked.released
    assert source.name == "camera 2"


def test_frames_until_it_is_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    frames = Camera("2").frames()
    got = [next(frames) for _ in range(3)]
    assert [f.index for f in got] == [1, 2, 3]
    assert got[0].seconds == 0.0 < got[1].seconds < got[2].seconds
    assert got[0].pixels[0, 0].tolist() == [0, 0, 200]
    with pytest.raises(InputError, match="no more"):
        next(frames)


def test_one_that_gives_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, pictures=0)
    with pytest.raises(InputError, match="gives no picture") as caught:
        Camera("2")
    assert "another program" in caught.value.actual


def test_one_that_is_taken_or_not_allowed(
    monkeypatch: pytest.MonkeyPatch, two_cameras: Path
) -> None:
    fake(monkeypatch, opened=False)
    (two_cameras / "dev" / "video2").write_text("")
    with pytest.raises(InputError, match="cannot be opened") as caught:
        Camera("2")
    assert "another program" in caught.value.actual

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(camera.os, "open", refused)
    with pytest.raises(InputError, match="cannot be opened") as caught:
        Camera("2")
    assert caught.value.actual == "Permission denied"
