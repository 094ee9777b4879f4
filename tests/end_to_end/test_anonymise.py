"""kpcli anonymise: nobody is bare, nothing but pixels, times and sound is kept, nothing is lost."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from helpers.anonymised import SIDE, red, scene, seek_drawn
from helpers.media import turn_clockwise, write_animation, write_picture, write_video
from PIL import Image, ImageCms, PngImagePlugin

import kpcli
from kpcli.errors import InputError, UsageError
from kpcli.images import read_image
from kpcli.sources import read_frames

SECRET = "Jane Roe"
GPS = 34853
FACE = (20, 30)


def at(i: int) -> tuple[int, int]:
    return 2 + 2 * i, 30


def run(source: Path, out: Path, **choices: Any) -> Any:
    return kpcli.anonymise(source, out=out, workers=1, **choices)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def clip(path: Path, count: int = 20, **more: Any) -> Path:
    return write_video(path, frames=[scene(at(i)) for i in range(count)], pts=uneven(count), **more)


def uneven(count: int) -> list[int]:
    """Times of frames a tenth of a second apart in the mean, in 1/600 s."""
    return [60 * i + (7 if i % 3 else 0) for i in range(count)]


def streams(path: Path) -> tuple[list[float], list[bytes]]:
    """Times of the pictures, and the packets of the sound."""
    with av.open(str(path)) as container:
        times = [float(f.time) for f in container.decode(video=0)]
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return times, []
        return times, [bytes(p) for p in container.demux(audio=0) if p.size]


@pytest.mark.parametrize("how", ["blur", "pixelate", "fill", "oval"])
def test_a_face_of_a_picture_is_covered_and_the_rest_is_as_it_was(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek_drawn(monkeypatch)
    before = scene(FACE)
    write_picture(tmp_path / "in/a.png", before)
    report = run(tmp_path / "in", tmp_path / "out", how=how)
    assert (report.exit_code, report.faces) == (0, 1)
    after = read_image(tmp_path / "out/copies/a.png")
    face = before[FACE[1] : FACE[1] + SIDE, FACE[0] : FACE[0] + SIDE]
    there = after[FACE[1] : FACE[1] + SIDE, FACE[0] : FACE[0] + SIDE]
    assert (face != there).any(axis=2).mean() > 0.8
    assert (after[:, 70:] == before[:, 70:]).all()
    (row,) = table(tmp_path / "out/covers.csv")
    assert (row["file"], row["kind"], row["covered"]) == ("a.png", "seen", "1")


def test_a_face_found_late_lost_and_found_again_is_never_bare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek_drawn(monkeypatch, blind=[*range(7), *range(11, 15), 18, 19])
    clip(tmp_path / "in/late.mp4")
    report = run(tmp_path / "in", tmp_path / "out", how="fill")
    assert report.faces == 1
    frames = list(read_frames(tmp_path / "out/copies/late.mp4"))
    assert len(frames) == 20
    assert [int(red(frame.pixels).sum()) for frame in frames] == [0] * 20
    kinds = {row["kind"] for row in table(tmp_path / "out/covers.csv")}
    assert {"before", "seen"} <= kinds
    leaks = table(tmp_path / "out/leaks.csv")
    assert "before the face was found" in leaks[0]["reason"]
    assert read_image(tmp_path / "out/leaks.jpg").shape[0] >= 160


@pytest.mark.parametrize("sound", [True, False])
def test_sound_and_times_are_kept_and_tags_are_not(
    tmp_path: Path, sound: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek_drawn(monkeypatch)
    source = clip(tmp_path / "in/a.mp4", audio="aac")
    tagged = tmp_path / "in/tagged.mp4"
    with (
        av.open(str(source)) as given,
        av.open(str(tagged), "w", options={"movflags": "use_metadata_tags"}) as output,
    ):
        output.metadata.update({
            "title": SECRET, "artist": SECRET, "location": "+52.5-013.4/",
            "com.apple.quicktime.make": SECRET,
        })  # fmt: skip
        outs = {s.index: output.add_stream_from_template(s) for s in given.streams}
        for stream in outs.values():
            stream.metadata.update({"handler_name": SECRET, "language": "swe"})
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = outs[packet.stream_index]
                output.mux(packet)
    assert SECRET.encode() in tagged.read_bytes()
    assert run(tmp_path / "in", tmp_path / "out", sound=sound).exit_code == 0
    copy = tmp_path / "out/copies/tagged.mp4"
    assert SECRET.encode() not in copy.read_bytes()
    assert b"+52.5" not in copy.read_bytes()
    with av.open(str(copy)) as container:
        brands = {"major_brand", "minor_version", "compatible_brands"}
        assert {*container.metadata} <= brands | {"encoder"}
        for stream in container.streams:
            assert stream.metadata.get("language", "und") == "und"
    times, packets = streams(copy)
    expected, tone = streams(tagged)
    assert times == pytest.approx(expected, abs=1e-6)
    assert packets == (tone if sound else [])


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[0x010F] = tags[0x013B] = SECRET  # the camera's maker, the artist
    tags[0x0112] = 6
    tags.get_ifd(GPS)[2] = (52.0, 30.0, 0.0)
    tags.get_ifd(GPS)[1] = "N"
    return tags


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_a_picture_keeps_its_pixels_upright_and_no_metadata(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek_drawn(monkeypatch)
    (tmp_path / "in").mkdir()
    source = tmp_path / f"in/a.{ending}"
    more: dict[str, Any] = {"exif": exif()}
    if ending in ("jpg", "webp"):
        more["xmp"] = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{SECRET}</x:xmpmeta>".encode()
    if ending == "jpg":
        more["comment"] = SECRET.encode()
        thumbnail = io.BytesIO()
        Image.fromarray(scene(FACE)[:48, :64]).save(thumbnail, "JPEG")
    if ending == "png":
        more["pnginfo"] = PngImagePlugin.PngInfo()
        more["pnginfo"].add_itxt("Author", SECRET)
    Image.fromarray(scene(FACE)).save(source, **more)
    if ending == "jpg":  # what cameras put behind the main picture: a preview with the bare face
        source.write_bytes(source.read_bytes() + thumbnail.getvalue())
    assert SECRET.encode() in source.read_bytes()
    assert run(tmp_path / "in", tmp_path / "out", how="fill").exit_code == 0
    copy = tmp_path / f"out/copies/a.{ending}"
    data = copy.read_bytes()
    assert SECRET.encode() not in data
    assert b"Exif\0\0" not in data
    if ending == "jpg":
        assert data.count(b"\xff\xd8\xff") == 1
    with Image.open(copy) as image:
        assert image.size == (96, 128)  # turned as EXIF said
        kept = dict(image.getexif())
    assert not {GPS, 0x010F, 0x013B, 0x0112} & {*kept} or kept.get(0x0112) == 1
    assert not red(read_image(copy)).any()


def test_colours_of_another_profile_become_srgbs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek_drawn(monkeypatch)
    (tmp_path / "in").mkdir()
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = scene(FACE)
    Image.fromarray(pixels).save(tmp_path / "in/same.png", icc_profile=srgb)
    odd = ImageCms.ImageCmsProfile(lab).tobytes()
    Image.fromarray(pixels).save(tmp_path / "in/odd.png", icc_profile=odd)
    Image.fromarray(pixels).save(tmp_path / "in/bad.png", icc_profile=b"none" + srgb)
    assert run(tmp_path / "in", tmp_path / "out").exit_code == 0
    for name in ("same", "odd", "bad"):
        with Image.open(tmp_path / f"out/copies/{name}.png") as image:
            assert "icc_profile" not in image.info
            assert np.abs(np.asarray(image)[:, 80:].astype(int) - pixels[:, 80:]).max() <= 2


def test_a_turned_video_and_an_animation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seek_drawn(monkeypatch)
    turn_clockwise(clip(tmp_path / "in/a.mp4", 6), 90)
    write_animation(tmp_path / "in/b.gif")
    assert run(tmp_path / "in", tmp_path / "out", how="fill").exit_code == 0
    frames = list(read_frames(tmp_path / "out/copies/a.mp4"))
    assert frames[0].pixels.shape[:2] == (128, 96)
    assert not any(red(frame.pixels).any() for frame in frames)
    assert len(list(read_frames(tmp_path / "out/copies/b.gif.mp4"))) == 3


def write_csv(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("file,frame,left,top,right,bottom,face_id", *lines)) + "\n")
    return path


def test_keep_only_and_also(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seek_drawn(monkeypatch)
    one, other = (10, 30), (90, 40)
    write_picture(tmp_path / "in/a.png", scene(one, other))
    left, right = "a.png,,10,30,33,53,", "a.png,,90,40,113,63,"

    def bare(out: str, **choices: Any) -> tuple[bool, bool]:
        run(tmp_path / "in", tmp_path / out, how="fill", **choices)
        after = red(read_image(tmp_path / out / "copies/a.png"))
        return bool(after[:, :64].any()), bool(after[:, 64:].any())

    keep = write_csv(tmp_path / "keep.csv", left)
    assert bare("keep", keep=keep) == (True, False)
    ids = {row["left"]: row["face_id"] for row in table(tmp_path / "keep/covers.csv")}
    by_id = write_csv(tmp_path / "id.csv", f"a.png,,,,,,{ids['90.00']}")
    assert bare("id", keep=by_id) == (False, True)
    assert bare("only", only=write_csv(tmp_path / "only.csv", right)) == (True, False)
    assert bare("none", least_score=0.95) == (True, True)
    (leak, _) = table(tmp_path / "none/leaks.csv")
    assert leak["reason"].startswith("left bare")
    also = tmp_path / "none/leaks.csv"  # the table itself, cut to what was signed off as a face
    also.write_text("\n".join(also.read_text().splitlines()[:2]) + "\n")
    assert sorted(bare("also", least_score=0.95, also=also)) == [False, True]
    given = write_csv(tmp_path / "given.csv", "a.png,1,60,70,70,80,")
    run(tmp_path / "in", tmp_path / "given", also=given, how="fill")
    assert not read_image(tmp_path / "given/copies/a.png")[70:80, 60:70].any()


def test_keep_bares_a_face_of_a_video_only_in_the_frames_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek_drawn(monkeypatch)
    clip(tmp_path / "in/a.mp4", 8)
    rows = [f"a.mp4,{i + 1},{at(i)[0]},30,{at(i)[0] + 23},53," for i in (2, 3, 4)]
    run(tmp_path / "in", tmp_path / "out", keep=write_csv(tmp_path / "k.csv", *rows), how="fill")
    frames = read_frames(tmp_path / "out/copies/a.mp4")
    assert [bool(red(f.pixels).any()) for f in frames] == [i in (2, 3, 4) for i in range(8)]


def test_options_that_do_not_go_together_and_names_that_are_not_there(tmp_path: Path) -> None:
    write_picture(tmp_path / "in/a.png", scene(FACE))
    one = write_csv(tmp_path / "k.csv", "b.png,1,1,1,9,9,")
    with pytest.raises(UsageError, match="--only"):
        run(tmp_path / "in", tmp_path / "out", keep=one, only=one)
    with pytest.raises(InputError, match="not there"):
        run(tmp_path / "in", tmp_path / "out", keep=one)
    with pytest.raises(UsageError, match="how"):
        run(tmp_path / "in", tmp_path / "out", how="none")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_read_or_found_has_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek_drawn(monkeypatch)
    write_picture(tmp_path / "in/a.png", scene(FACE))
    (tmp_path / "in/b.jpg").write_bytes(b"\xff\xd8\xff no picture")
    whole = clip(tmp_path / "in/c.mp4").read_bytes()
    (tmp_path / "in/c.mp4").write_bytes(whole[: len(whole) // 2])
    report = run(tmp_path / "in", tmp_path / "out")
    assert report.exit_code == 5
    there = {p.name for p in (tmp_path / "out/copies").iterdir()}
    assert "a.png" in there
    assert "b.jpg" not in there
    manifest = {row["file"]: row["status"] for row in table(tmp_path / "out/manifest.csv")}
    assert (manifest["a.png"], manifest["b.jpg"]) == ("done", "failed")

    def broken(self: object, pixels: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("kpcli.workflows.anonymise.work.Seeker.picture", broken)
    report = run(tmp_path / "in", tmp_path / "out", overwrite=True)
    assert report.counts["failed"] >= 2
    assert not (tmp_path / "out/copies/a.png").exists()


KILLED = """
import sys
sys.path.insert(0, {tests!r})
import os, signal
from pathlib import Path
from helpers.anonymised import DrawnSeeker
from kpcli.workflows.anonymise import work
import kpcli

class Killer(DrawnSeeker):
    count = 0
    def picture(self, pixels):
        Killer.count += 1
        if Killer.count > {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().picture(pixels)

work.Seeker = Killer
kpcli.anonymise({source!r}, out={out!r}, workers=1)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("after", [30])
def test_killed_and_resumed_it_is_as_if_it_never_was(
    tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek_drawn(monkeypatch)
    clip(tmp_path / "in/v.mp4", 12)
    for i in range(24):
        write_picture(tmp_path / f"in/{i:02d}.png", scene((5 + i, 20)))
    whole, out = tmp_path / "whole", tmp_path / "out"
    run(tmp_path / "in", whole)
    text = KILLED.format(
        tests=str(Path(__file__).parents[1]), after=after, source=str(tmp_path / "in"), out=str(out)
    )
    done = subprocess.run([sys.executable, "-c", text], check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(InputError):
        run(tmp_path / "in", out)
    with pytest.raises(InputError, match="other options"):
        run(tmp_path / "in", out, resume=True, how="fill")
    assert run(tmp_path / "in", out, resume=True).exit_code == 0
    for name in ("covers.csv", "leaks.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    for copy in (whole / "copies").iterdir():
        assert (out / "copies" / copy.name).read_bytes() == copy.read_bytes()
    assert {p.name for p in (out / ".kpcli").iterdir()} <= {
        "outputs", "parts", "settings.json", "files.jsonl", "lock",
    }  # fmt: skip
