"""A page of `kpcli export --to web` in a tab: files go in, its status and its CSV come out."""

from __future__ import annotations

import base64
import csv
import io
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from helpers.browser import Browser

PATIENCE = 900.0
"""Seconds; the machine may be busy."""


class Page:
    """The page in a tab: files go in, its status and its CSV come out."""

    def __init__(self, tab: Browser, page: Path, downloads: Path) -> None:
        self.tab, self._downloads = tab, downloads
        tab.call("POST", "/timeouts", script=int(1000 * PATIENCE), pageLoad=int(1000 * PATIENCE))
        tab.open(page)
        allow = {"behavior": "allow", "downloadPath": str(downloads)}
        tab.cdp("Browser.setDownloadBehavior", **allow)
        self.until(lambda text: text.startswith("Ready"))

    def status(self) -> str:
        return str(self.tab.run("return document.getElementById('status').textContent"))

    def until(self, wanted: Callable[[str], bool]) -> str:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            text = self.status()
            if wanted(text):
                return text
            time.sleep(0.3)
        raise AssertionError(f"still: {self.status()}")

    def give(self, *files: Path) -> str:
        """Open the files as a user does; what the page says at the end."""
        root = self.tab.cdp("DOM.getDocument")["root"]["nodeId"]
        node = self.tab.cdp("DOM.querySelector", nodeId=root, selector="#files")["nodeId"]
        names = [str(file) for file in files]
        self.tab.run("document.getElementById('status').textContent = 'given'")
        self.tab.cdp("DOM.setFileInputFiles", nodeId=node, files=names)
        return self.until(lambda text: bool(re.search(r" (pictures?|frames), ", text)))

    def stage(self) -> NDArray[np.uint8]:
        """What it shows, (H, W, 3)."""
        script = "return document.getElementById('stage').toDataURL('image/png').split(',')[1]"
        data = base64.b64decode(self.tab.run(script))
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def tick(self, on: bool, *ids: str) -> None:
        """Boxes of the page; a sticker's picture takes a moment to be unpacked."""
        before = self.stage()
        for one in ids:
            box = f"document.getElementById('{one}')"
            self.tab.run(f"if ({box}.checked !== arguments[0]) {box}.click()", on)
        end = time.monotonic() + 60
        while np.array_equal(before, self.stage()) and time.monotonic() < end:
            time.sleep(0.2)
        time.sleep(0.5)

    def table(self) -> pd.DataFrame:
        """The CSV that its button saves."""
        path = self._downloads / "landmarks.csv"
        path.unlink(missing_ok=True)
        self.tab.run("document.getElementById('save').click()")
        end = time.monotonic() + PATIENCE
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.2)
        text = path.read_text(encoding="utf-8")
        assert text.endswith("\n")
        assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1
        return pd.read_csv(io.StringIO(text))
