"""The page's pixels against OpenCV's, by Node: the same bytes give the same points."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from kpcli.geometry import CropTransform
from kpcli.images import to_gray
from kpcli.letterbox import NEARLY, Letterbox
from kpcli.types import FaceBox, Pixels
from kpcli.workflows.export.web.run import PAGE

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no Node here: nodejs.org, or apt nodejs")
SIZES = [(512, 600), (910, 1137), (333, 97), (1400, 700), (640, 640), (1283, 961), (61, 2), (1, 1)]


def by_node(picture: Pixels, expression: str, folder: Path) -> dict[str, np.ndarray]:
    """Arrays that a JavaScript expression of ``p``, the picture, gives by name."""
    (folder / "in").write_bytes(picture.tobytes())
    height, width = picture.shape[:2]
    sources = "".join((PAGE / f"{name}.js").read_text() for name in ("pixels", "geometry"))
    script = f"""
        const fs = require("fs"), S = {{NEARLY: {NEARLY}}};
        {sources}
        const p = {{width: {width}, height: {height}, channels: 3,
                    data: new Uint8Array(fs.readFileSync("in"))}};
        const sizes = Object.entries({expression}).map(([name, made]) => {{
            fs.writeFileSync(name, made.data);
            return [name, [made.height, made.width, made.channels]];
        }});
        console.log(JSON.stringify(sizes));"""
    (folder / "script.js").write_text(script)
    done = subprocess.run(
        [str(NODE), "script.js"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {
        name: np.frombuffer((folder / name).read_bytes(), np.uint8).reshape(shape)
        for name, shape in json.loads(done.stdout)
    }


def drawn(width: int, height: int) -> Pixels:
    """Smooth noise with sharp grains."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (max(height // 9, 1), max(width // 9, 1), 3), np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grains = rng.integers(-9, 10, (height, width, 3))
    return np.clip(np.asarray(smooth).astype(int) + grains, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_letterboxes(size: tuple[int, int], tmp_path: Path) -> None:
    picture = drawn(*size)
    found = by_node(
        picture,
        "(() => { const l = new Letterbox(p, 640, 64);"
        "return {full: l.pixels, small: new Letterbox(p, 256, 64).pixels, gray: toGray(p)}; })()",
        tmp_path,
    )
    full = Letterbox.fit(picture, 640, 64)
    np.testing.assert_array_equal(found["full"], full.pixels)
    np.testing.assert_array_equal(found["small"], Letterbox.fit(picture, 256, 64).pixels)
    assert np.abs(found["gray"].astype(int) - to_gray(picture)).max() <= 1


@pytest.mark.parametrize(
    ("box", "turn"),
    [
        ((150.3, 40.2, 330.7, 250.1), 0), ((100.4, 60.2, 700.1, 640.3), 0),
        ((-200.2, -90.3, 900.6, 800.4), 17), ((300.3, 200.2, 340.4, 250.9), -130),
        ((-400.1, 10.3, -10.7, 300.2), 0), ((300.3, 200.2, 590.2, 500.1), 0),
    ],
    ids=str,
)  # fmt: skip
def test_crops(box: tuple[float, ...], turn: float, tmp_path: Path) -> None:
    picture = drawn(900, 710)
    made = f"new CropTransform({list(box)}, 128, 1.3, {turn})"
    found = by_node(picture, f"({{crop: {made}.toCrop(p)}})", tmp_path)["crop"]
    expected = CropTransform.from_box(FaceBox(*box), 128, 1.3, rotation=turn).to_crop(picture)
    off = np.abs(found.astype(int) - expected)
    assert off.max() <= 1
    assert (off > 0).mean() < 0.001


@pytest.mark.parametrize(
    "by", [(2, 2), (2, 3), (3, 2), (4, 4), (3, 3), (5, 2), (2.03, 2), (2, 2.5), (3.7, 4.1)], ids=str
)
def test_averages(by: tuple[float, float], tmp_path: Path) -> None:
    width, height = 90, 71
    picture = drawn(round(width * by[0]), round(height * by[1]))
    found = by_node(picture, f"({{mean: averaged(p, {width}, {height})}})", tmp_path)["mean"]
    expected = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(found, expected)


def test_quarter_turns(tmp_path: Path) -> None:
    picture = drawn(40, 30)
    made = "Object.fromEntries([1, 2, 3].map((k) => [`t${k}`, quarterTurned(p, k)]))"
    for name, turned in by_node(picture, made, tmp_path).items():
        np.testing.assert_array_equal(turned, np.rot90(picture, int(name[1])))
