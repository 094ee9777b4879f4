"""kpcli annotate over every kind of file, with a predictor that finds the brightest spot."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.fakes import FakeFaces, FakePredictor, InterruptedPredictor
from helpers.media import (
    drain,
    moving,
    picture,
    turn_clockwise,
    write_animation,
    write_picture,
    write_video,
)
from PIL import Image

from kpcli.catalogue import WRITERS
from kpcli.errors import InputError
from kpcli.images import read_image
from kpcli.options import AnnotateOptions, FrameSelection
from kpcli.sources import read_frames
from kpcli.types import Measures
from kpcli.workflows.annotate import overlays
from kpcli.workflows.annotate.report import Report
from kpcli.workflows.annotate.run import annotate
from kpcli.writers.coco import FILE, OUTPUT

COCO = f"{OUTPUT}/{FILE}"


def run(source: Path, out: Path, **changes: object) -> Report:
    options = AnnotateOptions(inputs=(source,), out=out, detector="whole_image")
    return annotate(replace(options, **changes), FakePredictor())


def manifest(out: Path) -> dict[str, dict[str, str]]:
    with (out / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def rows(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "landmarks.csv")


def centre(table: pd.DataFrame) -> np.ndarray:
    """Mean of the points, one line a row: where the predictor saw the bright spot."""
    x = table[[f"x_{i}" for i in range(68)]].to_numpy().mean(axis=1)
    y = table[[f"y_{i}" for i in range(68)]].to_numpy().mean(axis=1)
    return np.stack([x, y], axis=1)


def write_all_kinds(folder: Path, pixels: np.ndarray) -> list[str]:
    """One picture in many dresses; names of the files."""
    folder.mkdir(parents=True)
    image = Image.fromarray(pixels)
    image.save(folder / "plain.png")
    image.save(folder / "plain.jpg", quality=95)
    image.save(folder / "plain.webp", quality=95)
    image.save(folder / "plain.tiff")
    image.save(folder / "plain.bmp")
    image.save(folder / "plain.gif")
    image.save(folder / "palette.png", format="PNG")
    image.quantize(200).save(folder / "palette.png")
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    gray = np.asarray(image.convert("L"))
    Image.fromarray(gray).save(folder / "gray.png")
    Image.fromarray(gray.astype(np.uint16) * 257).save(folder / "sixteen.png")
    alpha = image.convert("RGBA")
    alpha.putalpha(255)
    alpha.save(folder / "alpha.png")
    image.save(folder / "PNG bytes.jpg", format="PNG")
    image.save(folder / "名前 ü.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    turned = image.transpose(Image.Transpose.ROTATE_90)
    turned.save(folder / "phone.jpg", exif=exif, quality=95)
    return sorted(p.name for p in folder.iterdir())


def test_every_kind_of_picture_gives_the_same_points(tmp_path: Path) -> None:
    names = write_all_kinds(tmp_path / "in", picture(90, 70, seed=4))
    report = run(tmp_path / "in", tmp_path / "out")
    assert report.exit_code == 0
    table = rows(tmp_path / "out")
    assert list(table["file"]) == names
    assert (table["success"] == 1).all()
    truth = centre(table[table["file"] == "plain.png"])
    assert np.abs(centre(table) - truth).max() < 1.5
    for name in names:
        ending = ".jpg" if name.endswith(".gif") else ""
        overlay = read_image(tmp_path / "out" / "overlays" / (name + ending))
        assert overlay.shape == (70, 90, 3), name
    assert {r["status"] for r in manifest(tmp_path / "out").values()} == {"done"}


def test_bad_files_are_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "in"
    write_picture(source / "good.jpg", picture(60, 50))
    data = (source / "good.jpg").read_bytes()
    (source / "empty.jpg").touch()
    (source / "cut.jpg").write_bytes(data[: len(data) // 2])
    (source / "text.png").write_text("no picture")
    (source / "gone.png").symlink_to(tmp_path / "nothing")
    (source / "empty.mp4").touch()
    (source / "text.mov").write_text("no video")
    (source / "notes.txt").write_text("not a picture")
    write_huge(source / "huge.png")
    report = run(source, tmp_path / "out")
    assert report.exit_code == 5
    found = manifest(tmp_path / "out")
    assert found.pop("good.jpg")["status"] == "done"
    assert {r["status"] for r in found.values()} == {"failed"}
    assert len(found) == 7
    assert all(r["reason"] for r in found.values())
    assert "too large" in found["huge.png"]["reason"]
    assert "empty" in found["empty.jpg"]["reason"]
    assert list(rows(tmp_path / "out")["file"]) == ["good.jpg"]
    assert report.ignored == {".txt": 1}
    summary = report.summary()
    assert "8 files, 1 frame, 1 face" in summary
    assert "7 failed" in summary
    assert "1 ignored, neither picture nor video: 1 .txt" in summary
    assert "and 2 more, see manifest.csv" in summary
    assert not [p for p in (tmp_path / "out").rglob("*") if p.name.startswith("rows-")]


def test_a_limit_of_size(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "large.png", picture(120, 100))
    write_picture(tmp_path / "in" / "small.png", picture(90, 100))
    write_video(tmp_path / "in" / "large.mp4", 2, size=(128, 96))
    report = run(tmp_path / "in", tmp_path / "out", max_megapixels=0.01)
    assert {p.file: "too large" in p.reason for p in report.problems} == {
        "large.mp4": True, "large.png": True,
    }  # fmt: skip
    assert list(rows(tmp_path / "out")["file"]) == ["small.png"]


def write_huge(path: Path) -> None:
    """A PNG whose header promises ten gigabytes."""
    Image.new("1", (8, 8)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(bytes(data))


def test_the_tree_is_mirrored_and_names_never_collide(tmp_path: Path) -> None:
    source = tmp_path / "in"
    names = ["a.jpg", "a.png", "a.gif", "a.gif.jpg", "x/a.jpg", "y/a.jpg", "y/a.webp"]
    for i, name in enumerate(names):
        write_picture(source / name, picture(40 + i, 30))
    report = run(source, tmp_path / "out")
    assert report.counts == {"done": len(names)}
    overlays = [p for p in (tmp_path / "out" / "overlays").rglob("*") if p.is_file()]
    assert len(overlays) == len(names)
    widths = {read_image(p).shape[1] for p in overlays}
    assert widths == {40 + i for i in range(len(names))}
    assert (tmp_path / "out" / "overlays" / "y" / "a.webp").is_file()
    assert list(rows(tmp_path / "out")["file"]) == sorted(names)


def test_a_video_is_a_row_a_frame_with_its_true_time(tmp_path: Path) -> None:
    pts = [0, 20, 25, 60, 61, 300]
    write_video(tmp_path / "in" / "v" / "clip.mov", pts=pts, frames=[picture(64, 48)] * 6)
    report = run(tmp_path / "in", tmp_path / "out")
    table = rows(tmp_path / "out")
    assert list(table["frame"]) == [1, 2, 3, 4, 5, 6]
    assert list(table["timestamp"]) == pytest.approx([p / 600 for p in pts], abs=1e-6)
    assert (table["face_id"] == 0).all()
    assert (report.faces, report.frames) == (1, 6)
    overlay = list(read_frames(tmp_path / "out" / "overlays" / "v" / "clip.mov.mp4"))
    assert [f.seconds for f in overlay] == pytest.approx([p / 600 for p in pts], abs=1e-4)


def test_a_phone_video_is_annotated_upright(tmp_path: Path) -> None:
    frames = [picture(96, 64, seed=5)] * 3
    write_video(tmp_path / "in" / "level.mp4", pts=[0, 20, 40], frames=frames)
    shutil.copy(tmp_path / "in" / "level.mp4", tmp_path / "in" / "turned.mp4")
    turn_clockwise(tmp_path / "in" / "turned.mp4", 90)
    run(tmp_path / "in", tmp_path / "out")
    table = rows(tmp_path / "out")
    level, turned = (centre(table[table["file"] == f"{n}.mp4"])[0] for n in ("level", "turned"))
    np.testing.assert_allclose(turned, [63 - level[1], level[0]], atol=2.5)
    overlay = next(iter(read_frames(tmp_path / "out" / "overlays" / "turned.mp4")))
    assert overlay.pixels.shape == (96, 64, 3)


def test_an_animation_is_treated_as_a_video(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_animation(tmp_path / "in" / "a.gif", frames=moving(4))
    write_picture(tmp_path / "in" / "b.png")
    run(tmp_path / "in", tmp_path / "out")
    table = rows(tmp_path / "out")
    assert list(table["file"]) == ["a.gif"] * 4 + ["b.png"]
    assert list(table["timestamp"]) == pytest.approx([0, 0.1, 0.2, 0.3, 0])
    assert len(list(read_frames(tmp_path / "out" / "overlays" / "a.gif.mp4"))) == 4
    assert manifest(tmp_path / "out")["a.gif"]["faces"] == "1"


def test_a_video_that_ends_damaged_keeps_its_good_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "in" / "a.mp4", 60, options={"movflags": "+faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.7)])
    good, _ = drain(read_frames(path))
    report = run(tmp_path / "in", tmp_path / "out")
    assert report.exit_code == 5
    row = manifest(tmp_path / "out")["a.mp4"]
    assert row["status"] == "partial"
    assert row["reason"]
    assert len(rows(tmp_path / "out")) == len(good)
    overlay = list(read_frames(tmp_path / "out" / "overlays" / "a.mp4"))
    assert len(overlay) == len(good)


def boxes(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["file,frame,left,top,right,bottom,score", *lines]) + "\n")
    return f"boxes_file:{path}"


def test_frames_and_pictures_without_a_face_have_their_row(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "v.mp4", 4)
    write_picture(tmp_path / "in" / "none.png")
    detector = boxes(tmp_path / "b.csv", "v.mp4,2,5,5,40,40,1", "v.mp4,4,6,5,41,40,1")
    report = run(tmp_path / "in", tmp_path / "out", detector=detector)
    assert report.exit_code == 0
    table = rows(tmp_path / "out")
    assert list(zip(table["file"], table["frame"], table["success"], strict=True)) == [
        ("none.png", 1, 0), ("v.mp4", 1, 0), ("v.mp4", 2, 1), ("v.mp4", 3, 0), ("v.mp4", 4, 1),
    ]  # fmt: skip
    missing = table[table["success"] == 0]
    assert (
        missing.drop(columns=["file", "frame", "timestamp", "success", "confidence"])
        .isna()
        .all(axis=None)
    )
    assert (missing["confidence"] == 0).all()
    assert [manifest(tmp_path / "out")[f]["status"] for f in ("none.png", "v.mp4")] == [
        "no_face",
        "done",
    ]


def test_many_faces_their_order_and_limits(tmp_path: Path) -> None:
    pixels = np.zeros((40, 160, 3), np.uint8)
    for i, light in enumerate((60, 240, 120, 180)):
        pixels[:, 40 * i : 40 * i + 40] = light
    write_picture(tmp_path / "in" / "a.png", pixels)
    lines = [f"a.png,,{40 * i + 8},8,{40 * i + 31},31,{1 - i / 10}" for i in range(4)]
    detector = boxes(tmp_path / "b.csv", *lines)
    run(tmp_path / "in", tmp_path / "all", detector=detector)
    assert list(rows(tmp_path / "all")["face_id"]) == [0, 1, 2, 3]
    assert list(rows(tmp_path / "all")["left"]) == [8, 48, 88, 128]
    run(tmp_path / "in", tmp_path / "two", detector=detector, max_faces=2)
    assert list(rows(tmp_path / "two")["left"]) == [48, 128], "the two most confident"
    run(tmp_path / "in", tmp_path / "sure", detector=detector, min_confidence=0.75)
    assert list(rows(tmp_path / "sure")["left"]) == [48, 88, 128]
    run(tmp_path / "in", tmp_path / "none", detector=detector, min_confidence=0.99)
    assert list(rows(tmp_path / "none")["success"]) == [0]


def test_boxes_without_area_are_no_faces(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a.png", picture(30, 30))
    detector = boxes(tmp_path / "b.csv", "a.png,,500,500,520,520,1")
    run(tmp_path / "in", tmp_path / "out", detector=detector)
    assert list(rows(tmp_path / "out")["success"]) == [1], "outside the picture is odd, not fatal"


def test_no_overlays(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a.png")
    report = run(tmp_path / "in", tmp_path / "out", overlays=False)
    assert not (tmp_path / "out" / "overlays").exists()
    assert "overlays:" not in report.summary()


def test_frame_selection_of_videos_only(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "v.mp4", 10)
    write_video(tmp_path / "in" / "short.mp4", 2)
    write_picture(tmp_path / "in" / "a.png")
    run(tmp_path / "in", tmp_path / "out", frames=FrameSelection(first=3, every=3))
    table = rows(tmp_path / "out")
    assert list(table[table["file"] == "v.mp4"]["frame"]) == [3, 6, 9]
    assert list(table["file"]) == ["a.png", *["v.mp4"] * 3]
    assert manifest(tmp_path / "out")["short.mp4"]["status"] == "skipped"
    overlay = list(read_frames(tmp_path / "out" / "overlays" / "v.mp4"))
    assert [f.seconds for f in overlay] == pytest.approx([0, 3 / 30, 6 / 30], abs=1e-3)


def test_overlays_of_a_constant_rate(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "v.mp4", 30, audio="aac")
    run(tmp_path / "in", tmp_path / "out", overlay_fps=10)
    assert len(rows(tmp_path / "out")) == 30
    assert len(list(read_frames(tmp_path / "out" / "overlays" / "v.mp4"))) == 10
    with pytest.raises(InputError, match="other options"):
        run(tmp_path / "in", tmp_path / "out", overlay_fps=15, resume=True)


def test_overlays_of_videos_are_the_same_bytes_after_a_stop(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mkv", "c.mov"):
        write_video(tmp_path / "in" / name, 30, audio="aac")
    run(tmp_path / "in", tmp_path / "whole")
    options = AnnotateOptions((tmp_path / "in",), tmp_path / "out", detector="whole_image")
    assert annotate(options, InterruptedPredictor(4)).exit_code == 130
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == 1
    run(tmp_path / "in", tmp_path / "out", resume=True)
    overlays = [
        {p.name: p.read_bytes() for p in (tmp_path / out / "overlays").iterdir()}
        for out in ("whole", "out")
    ]
    assert overlays[0].keys() == {"a.mp4", "b.mkv.mp4", "c.mov.mp4"}
    assert overlays[0] == overlays[1]


def test_the_summary_tells_of_sound_left_out_also_after_resume(tmp_path: Path) -> None:
    for name in ("a.mkv", "b.mkv"):
        write_video(tmp_path / "in" / name, 5, audio="pcm_s16le")
    write_video(tmp_path / "in" / "c.mkv", 5, audio="aac")
    for resume in (False, True):
        report = run(tmp_path / "in", tmp_path / "out", resume=resume)
        assert report.exit_code == 0
        assert "without their sound, which MP4 cannot carry: 2 pcm_s16le" in report.summary()
    report = run(tmp_path / "in", tmp_path / "silent", overlays=False)
    assert "sound" not in report.summary()


def test_output_inside_the_input_is_not_annotated(tmp_path: Path) -> None:
    source = tmp_path / "in"
    write_picture(source / "a.png")
    run(source, source / "out")
    run(source, source / "second")
    assert list(rows(source / "second")["file"]) == ["a.png"]
    run(source, source)
    run(source, source, overwrite=True)
    assert list(rows(source)["file"]) == ["a.png"]


def test_single_files_named_from_their_common_folder(tmp_path: Path) -> None:
    one = write_picture(tmp_path / "in" / "a" / "x.png")
    two = write_picture(tmp_path / "in" / "b" / "x.png")
    options = AnnotateOptions(
        (two, one, one), tmp_path / "out", folder=False, detector="whole_image"
    )
    assert annotate(options, FakePredictor()).counts == {"done": 2}
    assert list(rows(tmp_path / "out")["file"]) == ["a/x.png", "b/x.png"]
    assert (tmp_path / "out" / "overlays" / "b" / "x.png").is_file()


def test_run_json_says_how_it_came_about(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a.png")
    run(tmp_path / "in", tmp_path / "out", max_faces=3)
    values = json.loads((tmp_path / "out" / "run.json").read_text())
    assert values["options"]["max_faces"] == 3
    assert (values["model"], values["scheme"], values["files"]) == ("fake", "ibug68", {"done": 1})
    assert values["versions"]["opencv-python"].startswith("4.")


@pytest.mark.parametrize("kind", ["missing", "a file", "empty", "nothing to see"])
def test_no_input(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "in"
    if kind == "a file":
        source.write_text("x")
    elif kind != "missing":
        source.mkdir()
    if kind == "nothing to see":
        (source / "a.txt").write_text("x")
    with pytest.raises(InputError) as e:
        run(source, tmp_path / "out")
    assert e.value.exit_code == 3
    assert str(source) in str(e.value)
    assert not (tmp_path / "out").exists()
    if kind == "nothing to see":
        assert "1 .txt" in e.value.actual
        assert ".jpg" in e.value.expected
        assert ".mp4" in e.value.expected


def test_single_files_that_are_not_there(tmp_path: Path) -> None:
    good = write_picture(tmp_path / "a.png")
    missing = tmp_path / "none.png"
    for inputs, message in (((missing,), "no such file"), ((good, tmp_path), "a folder among")):
        options = AnnotateOptions(inputs, tmp_path / "out", folder=False)
        with pytest.raises(InputError, match=message):
            annotate(options, FakePredictor())


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a.png")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written") as e:
        run(tmp_path / "in", tmp_path / "file" / "out")
    assert e.value.exit_code == 3
    with pytest.raises(InputError, match="cannot be written"):
        run(tmp_path / "in", tmp_path / "file")


@pytest.mark.parametrize("error", [ValueError("odd"), OSError(28, "No space left"), MemoryError()])
def test_overlays_that_cannot_be_written_cost_no_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    write_picture(tmp_path / "in" / "x" / "a.png", picture(60, 50))
    write_video(tmp_path / "in" / "x" / "v.mp4", 4, frames=[picture(60, 50)] * 4)
    write_picture(tmp_path / "in" / "b.png", picture(40, 30))
    plain = overlays.draw

    def fails(pixels: np.ndarray, *more: object) -> None:
        if pixels.shape[1] == 60:
            raise error
        plain(pixels, *more)

    monkeypatch.setattr(overlays, "draw", fails)
    report = run(tmp_path / "in", tmp_path / "out")
    assert report.counts == {"done": 1, "partial": 2}
    assert report.exit_code == 5
    assert [p.name for p in (tmp_path / "out" / "overlays").rglob("*")] == ["b.png"]
    assert len(rows(tmp_path / "out")) == 6
    reasons = {f: r["reason"] for f, r in manifest(tmp_path / "out").items()}
    assert reasons["x/a.png"].startswith("no overlay:")
    assert reasons["x/v.mp4"].startswith("no overlay:")


def test_faces_of_several_pictures_share_a_batch(tmp_path: Path) -> None:
    for i in range(20):
        write_picture(tmp_path / "in" / f"{i:02}.png")
    predictor = FakePredictor()
    options = AnnotateOptions((tmp_path / "in",), tmp_path / "out", detector="whole_image")
    annotate(options, predictor)
    assert predictor.batches == [16, 4]


def test_every_format_of_one_run(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a" / "p.png", picture(60, 50))
    write_video(tmp_path / "in" / "v.mp4", 4)
    names = tuple(WRITERS)
    report = run(tmp_path / "in", tmp_path / "out", formats=names, smooth="one-euro")
    assert len(report.written) == len(names) - 1
    assert all(path.exists() for path in report.written)
    values = json.loads((tmp_path / "out" / COCO).read_text())
    assert [(i["file_name"], i["width"], i["height"]) for i in values["images"]][:2] == [
        ("a/p.png", 60, 50), ("v.mp4/000001.jpg", 64, 48),
    ]  # fmt: skip
    table = rows(tmp_path / "out")
    face = json.loads((tmp_path / "out" / "landmarks.json").read_text())["frames"][2]["faces"][0]
    assert face["points"][7] == [table.loc[2, "x_7"], table.loc[2, "y_7"]]
    assert face["smooth"][7] == [table.loc[2, "smooth_x_7"], table.loc[2, "smooth_y_7"]]
    assert face["pose"]["yaw"] == table.loc[2, "yaw"]
    assert not list((tmp_path / "out").glob(".*.*"))


def test_measures_of_one_run(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a" / "p.png", picture(60, 50))
    write_video(tmp_path / "in" / "v.mp4", 4, frames=[picture(64, 48)] * 4)
    out = tmp_path / "out"
    report = run(tmp_path / "in", out, measures=True, formats=("json", "parquet"))
    names = ["events.csv", "summary.csv", "persons.csv"]
    assert [p.name for p in report.written] == ["landmarks.json", "landmarks.parquet", *names]
    table = rows(out)
    assert list(table.columns[-12:]) == list(Measures._fields)
    assert table["face_size"].tolist() == pytest.approx(
        np.sqrt((table["right"] - table["left"]) * (table["bottom"] - table["top"])), abs=1e-3
    )
    typed = pd.read_parquet(out / "landmarks.parquet")
    np.testing.assert_allclose(typed["brightness"], table["brightness"], atol=1e-3)
    frames = json.loads((out / "landmarks.json").read_text())["frames"]
    face = frames[0]["faces"][0]["measures"]
    assert face["sharpness"] == pytest.approx(table["sharpness"][0], abs=1e-3)
    events, summary, persons = (pd.read_csv(out / name) for name in names)
    assert list(summary["file"]) == ["a/p.png", "v.mp4"]
    assert list(summary["frames"]) == [1, 4]
    assert list(persons["file"]) == ["a/p.png", "v.mp4"]
    assert list(events["event"][:1]) == ["face_found"]
    before = {name: (out / name).read_bytes() for name in names}
    run(tmp_path / "in", out, measures=True, resume=True)
    assert before == {name: (out / name).read_bytes() for name in names}
    with pytest.raises(InputError, match="other options"):
        run(tmp_path / "in", out, resume=True)


def test_the_frames_that_other_formats_refer_to(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a" / "p.png", picture(60, 50))
    write_video(tmp_path / "in" / "v.mp4", 4)
    selection = FrameSelection(every=2)
    run(tmp_path / "in", tmp_path / "out", formats=("coco",), frames_out=True, frames=selection)
    images = tmp_path / "out" / "images"
    values = json.loads((tmp_path / "out" / COCO).read_text())["images"]
    there = {p.relative_to(images).as_posix() for p in images.rglob("*.*") if p.is_file()}
    assert {i["file_name"] for i in values} == there
    assert there == {"a/p.png", "v.mp4/000001.jpg", "v.mp4/000003.jpg"}
    for image in values:
        pixels = read_image(images / image["file_name"])
        assert pixels.shape[:2] == (image["height"], image["width"])
    third = [f.pixels for f in read_frames(tmp_path / "in" / "v.mp4")][2]
    shown = read_image(images / "v.mp4" / "000003.jpg")
    # Without boxes and points: the overlay is drawn on the same pixels afterwards.
    assert np.abs(shown.astype(int) - third).mean() < 4


def test_a_format_can_be_added_later(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "p.png")
    run(tmp_path / "in", tmp_path / "out")
    run(tmp_path / "in", tmp_path / "out", formats=("coco",), resume=True)
    assert (tmp_path / "out" / COCO).is_file()


def test_optional_columns(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "v.mp4", 4)
    run(tmp_path / "in", tmp_path / "plain", pose=False)
    run(tmp_path / "in", tmp_path / "rich", smooth="one-euro")
    plain, rich = rows(tmp_path / "plain"), rows(tmp_path / "rich")
    assert list(plain.columns) == list(rich.columns)[: len(plain.columns)]
    assert list(rich.columns)[len(plain.columns) :][:4] == ["yaw", "pitch", "roll", "smooth_x_0"]
    pd.testing.assert_frame_equal(plain, rich[plain.columns])
    assert rich.loc[0, "smooth_x_5"] == rich.loc[0, "x_5"], "the first frame has no past"
    assert (rich["smooth_x_5"] != rich["x_5"]).any()


class SpotPredictor(FakePredictor):
    """Points around the brightest pixel, as wide as the face box; sure of itself."""

    def predict(self, crops: np.ndarray) -> FakeFaces:
        faces = super().predict(crops)
        angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
        shape = np.stack([np.cos(angle), np.sin(angle)], axis=1) / self.card.crop_scale
        size = crops.shape[1]
        peak = crops.mean(axis=3).reshape(len(crops), -1).argmax(axis=1)
        at = (2 * np.stack([peak % size, peak // size], axis=1) + 1) / size - 1
        chunk = (shape + at[:, None]).astype(np.float32)
        return FakeFaces(chunk, faces.point_confidences, np.full(len(crops), 0.9, np.float32))


def test_the_detector_may_rest_while_landmarks_lead_on(tmp_path: Path) -> None:
    """A bright spot moves; boxes are known for every fifth frame only."""
    y, x = np.mgrid[:96, :160]
    frames = []
    for i in range(20):
        spot = 200 * np.exp(-((x - 40 - 3 * i) ** 2 + (y - 48) ** 2) / 300)
        frames.append(np.repeat((40 + spot)[..., None], 3, axis=2).astype(np.uint8))
    write_video(tmp_path / "in" / "v.mp4", pts=[20 * i for i in range(20)], frames=frames)
    lines = [f"v.mp4,{i + 1},{10 + 3 * i},18,{70 + 3 * i},78,1" for i in range(0, 20, 5)]
    options = AnnotateOptions(
        (tmp_path / "in",), tmp_path / "every", detector=boxes(tmp_path / "b.csv", *lines)
    )
    annotate(options, SpotPredictor())
    assert rows(tmp_path / "every")["success"].sum() == 4
    annotate(replace(options, out=tmp_path / "fifth", detect_every=5), SpotPredictor())
    table = rows(tmp_path / "fifth")
    assert table["success"].sum() == 20
    assert set(table["face_id"]) == {0}
    np.testing.assert_allclose(centre(table)[:, 0], 40 + 3 * np.arange(20), atol=4)
    np.testing.assert_allclose(centre(table)[:, 1], 48, atol=4)


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_picture(folder / "a.png")
    (folder / "a.png").rename(folder / os.fsdecode(b"\xff\xfe.png"))
    report = run(folder, tmp_path / "out", formats=("coco", "pyfeat", "openface"))
    assert report.counts == {"done": 1}
    assert list(rows(tmp_path / "out")["file"]) == [r"\udcff\udcfe.png"]
    assert list(manifest(tmp_path / "out")) == [r"\udcff\udcfe.png"]
    again = run(folder, tmp_path / "out", formats=("json",), resume=True)
    assert again.counts == {"done": 1}
