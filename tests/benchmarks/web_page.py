"""What the page of `kpcli export --to web` takes in headless Chromium: start, pictures, video.

    python tests/benchmarks/web_page.py PAGE.html [--repeats 3]

Chromium's threads of one machine: seconds from opening the page to "Ready", from giving a picture
to its result (the first in a fresh page, and a later one), and frames a second of a clip whose
every frame is looked at. Needs chromium and chromium-driver.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests"))

from helpers.browser import browser  # noqa: E402
from helpers.web_page import Page  # noqa: E402

SAMPLES = REPO / "sample_images"


def once(page: Path) -> dict[str, float]:
    """One fresh browser."""
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder) / "profile") as tab:
        begun = time.monotonic()
        opened = Page(tab, page, Path(folder))
        values = {"start to ready, s": time.monotonic() - begun}
        picture = SAMPLES / "portraits" / "grace_hopper.jpg"
        for name in ("first picture, s", "second picture, s"):
            values[name] = _seconds(opened.give(picture))
        values["start to first result, s"] = (
            values["start to ready, s"] + values["first picture, s"]
        )
        said = opened.give(SAMPLES / "clip.mp4")
        found = re.match(r"(\d+) frames", said)
        assert found, said
        values["video, frames a second"] = int(found[1]) / _seconds(said)
        return values


def _seconds(said: str) -> float:
    found = re.search(r", ([\d.]+) s$", said)
    assert found, said
    return float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    print(f"{arguments.page.stat().st_size / 1e6:.2f} MB; {len(names)} x {names[0]}")
    runs = [once(arguments.page) for _ in range(arguments.repeats)]
    for name in runs[0]:
        best = (max if "frames" in name else min)(run[name] for run in runs)
        print(f"{name}: {best:.2f} (best of {len(runs)})")


if __name__ == "__main__":
    main()
