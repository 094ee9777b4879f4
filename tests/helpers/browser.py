"""A real headless Chromium, by the WebDriver protocol (W3C) over plain HTTP: no package needed."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DRIVER, CHROMIUM = shutil.which("chromedriver"), shutil.which("chromium")
REASON = "no Chromium here: apt-get install chromium chromium-driver"
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "ArrowRight": "\ue014",
        "ArrowLeft": "\ue012", "ArrowDown": "\ue015", "End": "\ue010", "Space": " "}  # fmt: skip
LOADING = 60
"""Seconds for a page to load: it takes one, but now and then the tab hangs (seen once in CI, for
Chromium's own 300 s)."""
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--hide-scrollbars", "--disable-extensions", "--no-first-run")  # fmt: skip


class Browser:
    """One page; `run` evaluates the body of a function in it."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._size: tuple[int, int] | None = None

    def call(self, method: str, path: str, **values: Any) -> Any:
        data = json.dumps(values).encode() if method == "POST" else None
        request = urllib.request.Request(f"{self._base}{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=900) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise AssertionError(e.read().decode()[:800]) from e

    def open(self, page: Path | str) -> None:
        """Load a page; where the tab does not answer (`LOADING`), in a new one."""
        url = page if isinstance(page, str) else page.absolute().as_uri()
        for attempt in range(3):
            try:
                self.call("POST", "/url", url=url)
                return
            except AssertionError as e:
                if attempt == 2 or '"error":"timeout"' not in str(e):
                    raise
            tab = self.call("POST", "/window/new", type="tab")
            self.call("POST", "/window", handle=tab["handle"])
            if self._size is not None:
                self.size(*self._size)

    def run(self, script: str, *args: Any) -> Any:
        return self.call("POST", "/execute/sync", script=script, args=list(args))

    def cdp(self, command: str, **params: Any) -> Any:
        return self.call("POST", "/goog/cdp/execute", cmd=command, params=params)

    def press(self, *keys: str) -> None:
        """Keys one after the other, as names of `KEYS` or characters."""
        strokes: list[dict[str, str]] = []
        for key in keys:
            value = KEYS.get(key, key)
            strokes += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self.call("POST", "/actions", actions=[{"type": "key", "id": "k", "actions": strokes}])

    def dark(self, on: bool) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])

    def size(self, width: int, height: int) -> None:
        self._size = width, height
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=False)  # fmt: skip

    def screenshot(self, path: Path) -> Path:
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))
        return path

    def errors(self) -> list[str]:
        """What the console complained of since it was asked last."""
        entries = self.call("POST", "/se/log", type="browser")
        return [entry["message"] for entry in entries]


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Starts Chromium and ends it."""
    assert DRIVER
    assert CHROMIUM
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(
        [DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    base = f"http://127.0.0.1:{port}"
    started: Browser | None = None
    try:
        _wait(base)
        options = {"binary": CHROMIUM, "args": [*_OPTIONS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
                  "timeouts": {"pageLoad": 1000 * LOADING}}  # fmt: skip
        answer = _session(Browser(base), wanted)
        started = Browser(f"{base}/session/{answer['sessionId']}")
        yield started
    finally:
        try:
            if started is not None:
                started.call("DELETE", "")
        finally:
            driver.terminate()
            driver.wait()


def _session(driver: Browser, wanted: dict[str, Any]) -> Any:
    """A session; chromedriver waits a minute for Chromium, which a busy machine may take twice."""
    for attempt in range(5):
        try:
            return driver.call("POST", "/session", capabilities={"alwaysMatch": wanted})
        except AssertionError as e:
            if attempt == 4 or "session not created" not in str(e):
                raise
    return None


def _wait(base: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{base}/status", timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("chromedriver does not answer")
