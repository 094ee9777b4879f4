"""A review without a model: drawn results, a journal, a server in this process or another one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.annotated import face, frame, write_results
from helpers.media import write_picture, write_video
from kpcli.options import ReviewOptions
from kpcli.workflows.review.run import serving

REPO = Path(__file__).resolve().parents[2]
CLIP = 12
"""Frames of the clip; in the last the face is lost."""


def results(folder: Path) -> Path:
    """Two pictures and a clip of drawn frames, and what annotate would have said of them."""
    source = folder / "in"
    write_picture(source / "a.png")
    write_picture(source / "b.png")
    write_video(source / "clip.mp4", CLIP)
    frames = [frame("a.png", 1, face(0, 0.4, weak=3), face(1, 0.95, left=14)), frame("b.png", 1)]
    for i in range(1, CLIP + 1):
        faces = [face(0, 0.9)] if i < CLIP else []
        frames.append(frame("clip.mp4", i, *faces, moving=True))
    return write_results(folder / "out", frames, input=str(source))


def request(address: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and content of an answer."""
    data = json.dumps(body).encode() if body is not None else None
    asked = urllib.request.Request(address + path, data)
    if data is not None:
        asked.add_header("Content-Type", "application/json")
    for name, value in headers.items():
        asked.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(asked, timeout=600) as answer:
            status, content, kind = answer.status, answer.read(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as e:
        status, content, kind = e.code, e.read(), e.headers["Content-Type"]
    return status, json.loads(content) if "json" in kind else content


@contextmanager
def server(source: Path, **choices: Any) -> Iterator[str]:
    """The address of a server in this process."""
    options = ReviewOptions(**{"source": source, "copies": False, "browser": False, **choices})
    with serving(options) as started:
        thread = threading.Thread(target=started.serve_forever, daemon=True)
        thread.start()
        try:
            yield started.address
        finally:
            started.shutdown()
            thread.join()


def _interruptible() -> None:
    """Ctrl-C at its default: where the tests run in the background, they ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def process(source: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``kpcli review`` as a process of its own, and its address."""
    command = [sys.executable, "-m", "kpcli", "review", str(source), "--no-browser", "--no-copies"]
    environment = {**os.environ, "PYTHONPATH": str(REPO), "PYTHONUNBUFFERED": "1"}
    started = subprocess.Popen(
        [*command, *more], stdout=subprocess.PIPE, text=True, cwd=REPO, env=environment,
        preexec_fn=_interruptible if os.name == "posix" else None,
    )  # fmt: skip
    try:
        assert started.stdout is not None
        line = started.stdout.readline()
        match = re.match(r"review: (http://127\.0\.0\.1:\d+/\S+/)$", line)
        assert match, line
        yield started, match[1]
    finally:
        started.kill()
        started.wait()
        if started.stdout:
            started.stdout.close()


def saved(shown: dict[str, Any], place: dict[str, int], **changes: Any) -> dict[str, Any]:
    """What the page sends of a face that it was shown."""
    names = ("face", "status", "points", "occluded", "box")
    return {**place, **{k: shown[k] for k in names}, "base": shown["version"], **changes}
