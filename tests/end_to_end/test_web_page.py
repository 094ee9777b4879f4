"""The page of `kpcli export --to web` in a real headless Chromium: its CSV against annotate's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import browser as chromium
from helpers.tiny import tiny_card, write_onnx_bundle
from helpers.web_page import Page
from PIL import Image

from kpcli.drawing import Style, draw
from kpcli.geometry import CropTransform, tight_box
from kpcli.images import read_image
from kpcli.inference.upright import Look, by_points
from kpcli.model_bundle import ModelBundle, write_card
from kpcli.options import AnnotateOptions, ExportOptions
from kpcli.schemes import IBUG68
from kpcli.types import Face, FaceBox, HeadPose
from kpcli.workflows.annotate.run import annotate
from kpcli.workflows.export.web import write_page
from kpcli.workflows.export.web.run import PAGE
from kpcli.workflows.export.web.settings import settings

PACKAGE = Path(os.environ.get("KPCLI_WEB_RUNTIME", "onnxruntime-web.tgz"))
pytestmark = [
    pytest.mark.skipif(not (chromium.CHROMIUM and chromium.DRIVER), reason=chromium.REASON),
    pytest.mark.skipif(
        not PACKAGE.exists(),
        reason="no onnxruntime-web here: npm pack onnxruntime-web, KPCLI_WEB_RUNTIME=its .tgz",
    ),
]
LIMITS = {"yaw": 0.5, "pitch": 0.5, "roll": 0.3, "ear_left": 0.02, "ear_right": 0.02,
          "mouth_open": 0.02, "asymmetry": 0.01, "brow_left": 0.02, "brightness": 0.5}  # fmt: skip


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    with chromium.browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.size(1100, 1000)
        yield opened


@pytest.fixture(scope="module")
def page(tab: chromium.Browser, tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("page")
    options = ExportOptions("default", "web", out=folder / "page.html", web_runtime=PACKAGE)
    written = write_page(options, lambda _: None).path
    assert written.stat().st_size < 25_000_000
    return Page(tab, written, folder)


def points(row: pd.Series, n: int) -> np.ndarray:
    return np.array([[row[f"{axis}_{i}"] for axis in "xy"] for i in range(n)], float)


def test_its_csv_is_that_of_annotate(page: Page, tmp_path: Path, sample_images: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    portraits = sorted((sample_images / "portraits").iterdir())
    pictures = [Path(shutil.copy(path, source)) for path in portraits]
    pictures.append(source / "wall.png")
    Image.open(sample_images / "wall_of_portraits.jpg").save(pictures[-1])
    sideways = Image.open(pictures[0])
    exif = sideways.getexif()
    exif[274] = 6
    sideways.save(source / "sideways, by EXIF.jpg", exif=exif)
    pictures.append(source / "sideways, by EXIF.jpg")
    page.give(*pictures)
    found = page.table()
    options = AnnotateOptions(
        (source,), tmp_path / "out", folder=True, runtime="onnx", pose=True, measures=True,
        overlays=False, workers=1,
    )  # fmt: skip
    assert annotate(options).exit_code == 0
    expected = pd.read_csv(tmp_path / "out" / "landmarks.csv")
    assert list(found.columns) == list(expected.columns)
    keys = ["file", "frame", "timestamp", "face_id", "success"]
    pd.testing.assert_frame_equal(found[keys], expected[keys])
    for (_, ours), (_, theirs) in zip(found.iterrows(), expected.iterrows(), strict=True):
        off = np.linalg.norm(points(ours, 68) - points(theirs, 68), axis=1)
        side = max(theirs["right"] - theirs["left"], theirs["bottom"] - theirs["top"])
        # annotate reads JPEG files from 1280 pixels at half their size, which browsers cannot.
        assert off.max() < max(0.5, 0.006 * side), theirs["file"]
        assert abs(ours["confidence"] - theirs["confidence"]) < 0.01
    for name, limit in LIMITS.items():
        assert (found[name] - expected[name]).abs().max() < limit, name
        assert (found[name].isna() == expected[name].isna()).all()


def test_faces_are_cut_again_as_annotate_cuts_them(page: Page, sample_images: Path) -> None:
    page.give(sample_images / "portraits" / "eileen_collins.png")
    (row,) = (row for _, row in page.table().iterrows())
    upright_points = points(row, 68).astype(np.float32)
    card = ModelBundle.open("default").card
    told = settings(card, ModelBundle.open("face_detector").card)
    scripts = "const [S, look, face] = arguments;" + "".join(
        (PAGE / f"{name}.js").read_text("utf-8") for name in ("geometry", "landmarks")
    )
    again = """return lookByPoints(look, face).map(({ box, turn, shift }) => new CropTransform(
        box, S.model.input_size, S.model.crop_scale, turn, shift).matrix)"""
    frame = np.zeros((8, 8, 3), np.uint8)
    cut_again = []
    for x, y, larger, lean, confidence in (
        (0, 0, 1, 0, 0.9), (0.05, 0.02, 1.03, 0, 0.9), (0.1, -0.1, 1, 0, 0.9), (0, 0, 0.85, 5, 0.9),
        (0, 0, 1.2, 0, 0.9), (0.3, 0, 1, 0, 0.3), (0, 0, 1, 30, 0.9), (0.2, 0, 1.1, -80, 0.2),
    ):  # fmt: skip
        tight = tight_box(upright_points)
        turn = CropTransform.from_box(tight, 200, 1.0, rotation=lean)
        shown = turn.to_crop_pixels(upright_points)
        (cx, cy), half = tight_box(shown).centre, 100 * larger
        cx, cy = cx + 200 * x, cy + 200 * y
        look = Look(frame, FaceBox(cx - half, cy - half, cx + half, cy + half))
        face = Face(look.box, shown, np.ones(68, np.float32), confidence)
        ours = [cut.transform(card).matrix for cut in by_points(look, face, card)]
        given = {"box": [cx - half, cy - half, cx + half, cy + half], "turn": 0, "shift": [0, 0]}
        seen = {"points": shown.tolist(), "confidence": confidence}
        theirs = page.tab.run(scripts + again, told, given, seen)
        assert len(theirs) == len(ours)
        for a, b in zip(theirs, ours, strict=True):
            np.testing.assert_allclose(np.reshape(a, (2, 3)), b, rtol=1e-4, atol=1e-3)
        cut_again.append(bool(ours))
    assert cut_again == [False, False, True, True, True, False, True, True]


def test_it_asks_for_nothing_and_complains_of_nothing(page: Page) -> None:
    asked = page.tab.run("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in asked if not name.startswith("blob:")] == []
    assert page.tab.errors() == []
    page.tab.run("document.querySelector('details').open = true")
    terms = page.tab.run("return document.querySelector('footer').textContent")
    assert "non-commercial research" in terms
    assert "MIT License" in terms


def test_stickers_are_those_of_kpcli(page: Page, sample_images: Path) -> None:
    picture = sample_images / "wall_of_portraits.jpg"
    page.give(picture)
    page.tick(False, "lines", "points")
    plain, rows = page.stage(), page.table()
    np.testing.assert_array_equal(plain, read_image(picture))
    boxes = np.array([[row[k] for k in ("left", "top", "right", "bottom")]
                      for _, row in rows.iterrows()], float)  # fmt: skip
    faces = [
        Face(FaceBox(*box), points(row, 68).astype(np.float32), np.ones(68, np.float32), 1.0, i,
             pose=HeadPose(row["yaw"], row["pitch"], row["roll"]))
        for i, (box, (_, row)) in enumerate(zip(boxes, rows.iterrows(), strict=True))
    ]  # fmt: skip
    try:
        for names in (["mask"], ["ears"], ["hat", "glasses", "moustache"]):
            ids = [f"wear-{name}" for name in names]
            page.tick(True, *ids)
            found = page.stage().astype(int)
            expected = plain.copy()
            style = Style.of([f"stickers:{name}" for name in names])
            draw(expected, faces, IBUG68, style)
            touched = (expected != plain).any(axis=2)
            assert touched.mean() > 0.01
            off = np.abs(found - expected).max(axis=2)
            assert off[touched].mean() < 6, names  # other filters, the same place
            assert (off[touched] > 60).mean() < 0.02, names
            assert (off[~touched] > 30).mean() < 0.001, names
            page.tick(False, *ids)
            np.testing.assert_array_equal(page.stage(), plain)
    finally:
        page.tick(True, "lines", "points")


def test_a_video_is_plotted(page: Page, sample_images: Path) -> None:
    said = page.give(sample_images / "clip.mp4")
    assert " frames, " in said, said
    table = page.table()
    assert len(table) >= 45, said
    assert table["timestamp"].is_monotonic_increasing
    assert table["confidence"].max() > 0.6
    assert not page.tab.run("return document.getElementById('plots').hidden")
    inked = (
        "const c = document.querySelector('#eyes canvas'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; return d.filter((v, i) => i % 4 === 3 && v)"
        ".length"
    )
    assert page.tab.run(inked) > 500


def test_what_cannot_be_read_is_named(page: Page, tmp_path: Path, sample_images: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    said = page.give(broken, sample_images / "portraits" / "eileen_collins.png")
    assert "1 face in 1 picture" in said
    assert "not read: broken.png" in said
    assert list(page.table()["file"]) == ["eileen_collins.png"]


def test_dark_light_and_a_phones_width(page: Page, tmp_path: Path) -> None:
    shades = []
    for dark in (False, True):
        page.tab.dark(dark)
        shot = page.tab.screenshot(tmp_path / "shot.png")
        shades.append(np.asarray(Image.open(shot).convert("L"))[:40].mean())
    page.tab.dark(False)
    page.tab.size(390, 800)
    for shown in ("details", "#plots", "table"):
        page.tab.run(f"document.querySelector('{shown}').hidden = false")
    assert page.tab.run("return document.documentElement.scrollWidth") <= 390
    page.tab.size(1100, 1000)
    assert shades[0] > 180 > 80 > shades[1]


def test_a_model_of_ones_own_on_whole_pictures(
    tab: chromium.Browser, tmp_path: Path, sample_images: Path
) -> None:
    bundle = write_onnx_bundle(tmp_path / "bundle").path
    card = tiny_card(outputs=("points",), face_box="image", licence="mine")
    write_card(card, bundle)
    options = ExportOptions(str(bundle), "web", out=tmp_path / "own.html", web_runtime=PACKAGE)
    own = Page(tab, write_page(options, lambda _: None).path, tmp_path)
    picture = sample_images / "portraits" / "eileen_collins.png"
    own.give(picture)
    (found,) = (row for _, row in own.table().iterrows())
    wanted = AnnotateOptions(
        (picture,), tmp_path / "out", folder=False, model=str(bundle), detector="whole_image",
        overlays=False, workers=1,
    )  # fmt: skip
    annotate(wanted)
    (expected,) = (row for _, row in pd.read_csv(tmp_path / "out" / "landmarks.csv").iterrows())
    assert np.abs(points(found, 5) - points(expected, 5)).max() < 0.1
    assert "mine" in own.tab.run("return document.querySelector('footer').textContent")
