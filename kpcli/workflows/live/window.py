"""The window, by OpenCV; and whether there can be one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Protocol

import cv2

from kpcli.errors import ModelError
from kpcli.types import Pixels

TITLE = "kpcli live"
LARGEST = (1600, 900)
"""A larger frame is shown smaller; the window may be pulled to any size."""
_ESCAPE = 27
_PROBE = f"import cv2; cv2.namedWindow({TITLE!r}, cv2.WINDOW_NORMAL); cv2.destroyAllWindows()"
_PROBE_SECONDS = 60


class Window(Protocol):
    """Where frames are shown and keys come from."""

    def show(self, pixels: Pixels) -> None:
        """Show (H, W, 3) RGB."""

    def key(self, milliseconds: int) -> str:
        """Put what was shown on the screen; the key that came meanwhile, "" if none did."""

    def is_open(self) -> bool:
        """Whether the user has not closed it."""

    def close(self) -> None: ...


class ScreenWindow:
    """A window on the screen; made by the main thread, which alone may use it.

    Raises
    ------
    ModelError
        If this OpenCV makes no windows, or there is no display.
    """

    def __init__(self) -> None:
        check_display()
        self._shown = False

    def show(self, pixels: Pixels) -> None:
        """Show a frame."""
        if not self._shown:
            self._open(pixels.shape[1], pixels.shape[0])
        cv2.imshow(TITLE, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))

    def _open(self, width: int, height: int) -> None:
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        cv2.namedWindow(TITLE, flags)
        share = min(1.0, LARGEST[0] / width, LARGEST[1] / height)
        cv2.resizeWindow(TITLE, round(width * share), round(height * share))
        self._shown = True

    def key(self, milliseconds: int) -> str:
        """Let the window draw; the key that came."""
        if not self._shown:
            return ""
        code = cv2.waitKey(max(1, milliseconds))
        if code == _ESCAPE:
            return "q"
        return chr(code & 0xFF).lower() if code >= 0 else ""

    def is_open(self) -> bool:
        """Whether it is still there."""
        return not self._shown or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Take it away."""
        if self._shown:
            cv2.destroyAllWindows()
            cv2.waitKey(1)


def check_display() -> None:
    """See that a window can be made.

    Raises
    ------
    ModelError
        If this OpenCV makes no windows, or there is no display.
    """
    # Qt's words on fonts that OpenCV does not bring, once a letter.
    os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
    if not hasattr(cv2, "imshow") or re.search(r"GUI:\s+NONE", cv2.getBuildInformation()):
        raise ModelError(
            "this OpenCV makes no windows",
            expected="opencv-python",
            actual="opencv-python-headless",
            next_step="pip uninstall opencv-python-headless, then pip install opencv-python; or "
            "add --headless",
        )
    if not sys.platform.startswith("linux"):
        return
    # Qt ends the process where it finds no display: only another process can find out. OpenCV's and
    # PyAV's wheels bring an X library each: where PyAV's came first, the window never opens.
    order = list(sys.modules)
    av_first = "av" in order and order.index("av") < order.index("cv2")
    probe = f"import av; {_PROBE}" if av_first else _PROBE
    try:
        done = subprocess.run(
            [sys.executable, "-c", probe], capture_output=True, text=True, check=False,
            timeout=_PROBE_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as e:
        raise ModelError(
            "the window does not open",
            expected="a window",
            actual=f"none in {_PROBE_SECONDS} s" + "; av was imported before cv2" * av_first,
            next_step="import cv2 before av" if av_first else "add --headless --record OUT",
        ) from e
    if done.returncode:
        raise ModelError(
            "there is no display to make a window on",
            actual=f"DISPLAY is {os.environ.get('DISPLAY')!r}",
            next_step="add --headless --record OUT, or start it where a screen is",
        )
