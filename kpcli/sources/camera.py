"""Cameras of this machine, by OpenCV: which there are, and the frames of one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kpcli.errors import InputError
from kpcli.types import Frame, Pixels

V4L2 = Path("/sys/class/video4linux")
"""Where Linux names its cameras."""
DEVICES = Path("/dev")
PROBED = 6
"""Numbers that are tried where the system tells no names."""
_BACKENDS = {"linux": cv2.CAP_V4L2, "darwin": cv2.CAP_AVFOUNDATION, "win32": cv2.CAP_DSHOW}
_LOGGING: Any = getattr(cv2.utils, "logging", cv2)
"""Where OpenCV keeps its log level: it moved after 4.10."""
_LIST = "kpcli live --list shows the cameras"


@dataclass(frozen=True)
class CameraName:
    """A camera's number, and its name where the system tells it."""

    number: int
    name: str

    def __str__(self) -> str:
        return f"camera {self.number}" + (f" ({self.name})" if self.name else "")


def list_cameras() -> list[CameraName]:
    """The cameras by number: on Linux by their names, elsewhere those that can be opened."""
    if sys.platform.startswith("linux"):
        found = []
        for folder in V4L2.glob("video*") if V4L2.is_dir() else ():
            number = folder.name.removeprefix("video")
            if number.isdecimal():
                found.append(CameraName(int(number), _read_name(folder / "name")))
        return sorted(found, key=lambda camera: camera.number)
    return [CameraName(n, "") for n in range(PROBED) if _opens(n)]


def find_camera(camera: str) -> CameraName:
    """The camera of a number, of a device such as ``/dev/video2``, or of a part of its name.

    Raises
    ------
    InputError
        If no camera has the name, or several have.
    """
    number = camera.removeprefix(f"{DEVICES}/video")
    if number.isdecimal():
        named = {c.number: c for c in list_cameras()} if sys.platform.startswith("linux") else {}
        return named.get(int(number), CameraName(int(number), ""))
    there = list_cameras()
    fitting = [c for c in there if camera.casefold() in c.name.casefold()]
    if len(fitting) != 1:
        raise InputError(
            f"camera {camera!r}: " + ("several have this name" if fitting else "there is none"),
            expected=_listed(fitting or there),
            next_step=_LIST,
        )
    return fitting[0]


class Camera:
    """Frames of a camera; their times are those of their arrival, the first at 0.

    Parameters
    ----------
    camera : str
        As `find_camera` takes it.
    size : (int, int), optional
        Width and height to ask the camera for; it gives the nearest that it can.

    Raises
    ------
    InputError
        If there is no such camera, it cannot be opened, or it gives no picture.
    """

    waits = False

    def __init__(self, camera: str, size: tuple[int, int] | None = None) -> None:
        self._camera = find_camera(camera)
        self.name = f"camera {self._camera.number}"
        with _quiet():
            backend = _BACKENDS.get(sys.platform, cv2.CAP_ANY)
            self._capture = cv2.VideoCapture(self._camera.number, backend)
            if not self._capture.isOpened():
                raise _unopened(self._camera)
            if size is not None:
                self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
                self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
            self._first = self._read()
        if self._first is None:
            self._capture.release()
            raise InputError(
                f"{self._camera}: it opens, and gives no picture",
                actual="perhaps another program has it",
                next_step="close other programs that use the camera, or unplug it and try again",
            )

    def _read(self) -> Pixels | None:
        good, picture = self._capture.read()
        if not good or picture is None:
            return None
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)

    def frames(self) -> Iterator[Frame]:
        """Frame after frame, without an end.

        Raises
        ------
        InputError
            If the camera gives no more.
        """
        pixels, self._first = self._first, None
        begun, index = time.perf_counter(), 0
        while pixels is not None:
            index += 1
            seconds = time.perf_counter() - begun if index > 1 else 0.0
            yield Frame(Path(self.name), index, seconds, pixels, moving=True)
            pixels = self._read()
        raise InputError(
            f"{self._camera}: it gives no more pictures",
            actual="unplugged, or taken by another program",
        )

    def close(self) -> None:
        """Give the camera back."""
        self._capture.release()


def _unopened(camera: CameraName) -> InputError:
    there = list_cameras() if sys.platform.startswith("linux") else []
    device = DEVICES / f"video{camera.number}"
    if sys.platform.startswith("linux") and not device.exists():
        return InputError(
            f"{camera}: there is no such camera", expected=_listed(there), next_step=_LIST
        )
    actual = "no such camera, or another program has it"
    try:
        if device.exists():
            os.close(os.open(device, os.O_RDWR | os.O_NONBLOCK))
    except OSError as e:
        actual = e.strerror or str(e)
    return InputError(f"{camera}: it cannot be opened", actual=actual, next_step=_LIST)


def _listed(cameras: list[CameraName]) -> str:
    return "one of: " + ", ".join(map(str, cameras)) if cameras else "a camera; there is none"


def _read_name(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _opens(number: int) -> bool:
    with _quiet():
        capture = cv2.VideoCapture(number, _BACKENDS.get(sys.platform, cv2.CAP_ANY))
        opened = bool(capture.isOpened())
        capture.release()
    return opened


@contextmanager
def _quiet() -> Iterator[None]:
    """Without OpenCV's own words on what it cannot open: the error says it."""
    before = _LOGGING.getLogLevel()
    _LOGGING.setLogLevel(0)
    try:
        yield
    finally:
        _LOGGING.setLogLevel(before)
