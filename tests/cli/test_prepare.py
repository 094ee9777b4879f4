"""`kpcli prepare` through the command line: results, messages, exit codes, what is left on disk."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.dataset_builders import (
    BUILDERS,
    build_celeba,
    build_cofw,
    build_ibug,
    build_kaggle,
    build_wflw,
    build_widerface,
    build_youtube_faces,
    dlib_image,
    dlib_xml,
    face,
    picture,
    pts_text,
    save,
)

from kpcli.cli import app
from kpcli.dataset_csv import read_dataset
from kpcli.formats.ibug import parse_pts
from kpcli.images import read_image
from kpcli.writers.pts import write_pts

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``kpcli prepare ...``: exit code, stdout, stderr."""

    def call(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kpcli", "prepare", *map(str, arguments)])
        code: Any = 0
        try:
            app.main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return call


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def faces(root: Path, count: int, first: int = 0) -> Path:
    """A folder of ``count`` .pts faces in no dataset's layout."""
    for i in range(first, first + count):
        points = face(68, (118 + i % 5, 118))
        save(root / f"face{i:03d}x.png", picture(points, i))
        (root / f"face{i:03d}x.pts").write_text(pts_text(points))
    return root


def test_summary_and_csv(run: Run, tmp_path: Path) -> None:
    build_ibug(tmp_path / "data")
    out = tmp_path / "faces.csv"
    code, stdout, stderr = run(tmp_path / "data", "--out", out)
    assert (code, stderr) == (0, "")
    assert stdout.splitlines() == [
        "300w  test  ibug68: 2 rows, 2 pictures, 2 groups",
        "300w  train  ibug68: 2 rows, 2 pictures, 1 groups",
        f"{out}: 4 rows",
    ]
    rows = read_dataset(out)
    assert {r.subset for r in rows} == {"", "common", "challenging"}
    assert {r.attributes["source"] for r in rows} == {"afw", "helen/testset", "ibug"}
    assert {r.box_source for r in rows} == {"points"}
    assert {row["root"] for row in table(out)} == {(tmp_path / "data").as_posix()}
    assert sorted(p.name for p in tmp_path.glob("[!.]*")) == ["data", "faces.csv"]


def test_pts_come_back_from_the_csv(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    originals = {}
    for i in range(5):
        points = face(68) + rng.uniform(-9, 9, (68, 2)).round(6)
        save(tmp_path / "data" / f"{i}.png", picture(seed=i))
        (tmp_path / "data" / f"{i}.pts").write_text(pts_text(points))
        originals[f"{i}.png"] = points + 1
    assert run(tmp_path / "data", "--out", tmp_path / "faces.csv")[0] == 0
    for sample in read_dataset(tmp_path / "faces.csv"):
        write_pts(tmp_path / "again.pts", sample.points)
        again = parse_pts((tmp_path / "again.pts").read_text()) + 1
        np.testing.assert_allclose(again, originals[sample.image.name], atol=0.01)


def test_sources_merge_into_one_scheme(run: Run, tmp_path: Path) -> None:
    sources = [build_ibug(tmp_path / "a").root, build_wflw(tmp_path / "b").root]
    out = tmp_path / "faces.csv"
    code, _, stderr = run(*sources, "--out", out)
    assert code == 2
    assert "mix landmark schemes" in stderr
    assert "--scheme ibug68|celeba5|ibug51" in stderr
    assert not out.exists()
    assert run(*sources, "--out", out, "--scheme", "ibug68")[0] == 0
    rows = read_dataset(out)
    assert {(r.dataset, r.scheme, len(r.points)) for r in rows} == {
        ("300w", "ibug68", 68),
        ("wflw", "ibug68", 68),
    }
    for row in rows:
        pixels = read_image(row.image)
        for x, y in row.points:
            assert pixels[round(float(y)), round(float(x))].tolist() == [255, 255, 255]
    sources += [build_celeba(tmp_path / "c").root, build_cofw(tmp_path / "d").root]
    assert run(*sources, "--out", out, "--scheme", "celeba5")[0] == 0
    assert {len(r.points) for r in read_dataset(out)} == {5}


@pytest.mark.parametrize(
    ("builders", "scheme", "code", "words"),
    [
        ((build_celeba,), "ibug68", 3, "cannot be converted to ibug68"),
        ((build_widerface,), "ibug68", 3, "no --scheme"),
        ((build_ibug,), "nonsense", 2, "unknown landmark scheme 'nonsense'"),
        ((build_widerface, build_ibug), None, 2, "prepare them one by one"),
    ],
)
def test_schemes_that_do_not_fit(
    builders: tuple[Callable[[Path], Any], ...],
    scheme: str | None,
    code: int,
    words: str,
    run: Run,
    tmp_path: Path,
) -> None:
    sources = [build(tmp_path / str(i)).root for i, build in enumerate(builders)]
    more = ["--scheme", scheme] if scheme else []
    found, _, stderr = run(*sources, "--out", tmp_path / "faces.csv", *more)
    assert found == code
    assert words in stderr
    assert not (tmp_path / "faces.csv").exists()


def test_validation_split_by_group(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "afw"
    for i in range(40):
        points = face(68)
        save(root / f"{i // 2}_{1 + i % 2}.png", picture(points, i))
        (root / f"{i // 2}_{1 + i % 2}.pts").write_text(pts_text(points))

    def val_groups(seed: int) -> set[str]:
        out = tmp_path / "faces.csv"
        assert run(root, "--out", out, "--val", 0.2, "--seed", seed)[0] == 0
        rows = read_dataset(out)
        groups = {s: {r.group for r in rows if r.split == s} for s in ("train", "val")}
        assert len(rows) == 40
        assert not groups["train"] & groups["val"]
        assert len(groups["val"]) == 4
        return groups["val"]

    assert val_groups(0) == val_groups(0)
    assert val_groups(0) != val_groups(1)


def test_copies_of_one_picture_stay_on_one_side(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for i in range(24):
        points = face(68)
        save(root / f"p{i:02d}x.png", picture(points, i // 3))
        (root / f"p{i:02d}x.pts").write_text(pts_text(points))
    for seed in range(3):
        out = tmp_path / "faces.csv"
        code, stdout, _ = run(root, "--out", out, "--val", 0.25, "--seed", seed)
        assert code == 0
        assert "same in two splits" not in stdout
        rows = read_dataset(out)
        assert len({r.group for r in rows}) == 8
        assert sum(r.split == "val" for r in rows) == 6


@pytest.mark.parametrize("val", [-0.1, 0.95, 2, "nan"])
def test_validation_share_out_of_range(val: float, run: Run, tmp_path: Path) -> None:
    code, _, stderr = run(faces(tmp_path / "d", 1), "--out", tmp_path / "f.csv", "--val", val)
    assert code == 2
    assert "--val" in stderr or stderr.startswith("error: val: out of range")


def spoil(root: Path) -> None:
    """One label of each kind of damage beside the good ones."""
    points = face(68)
    labels = {
        "nan": points * np.where(np.arange(68) == 3, np.nan, 1)[:, None],
        "far": points + np.array([2000, 0]),
        "cluster": np.full((68, 2), 60.0),
        "swapped": (points - [120, 0]) * [-1, 1] + [120, 0],
        "short": points[:67],
        "missing": points,
        "text": points,
        "cut": points,
    }
    for i, (name, values) in enumerate(labels.items()):
        (root / f"{name}.pts").write_text(pts_text(values))
        if name != "missing":
            save(root / f"{name}.png", picture(seed=200 + i))
    (root / "text.png").write_text("not a picture")
    raw = (root / "cut.png").read_bytes()
    (root / "cut.png").write_bytes(raw[: len(raw) // 2])
    (root / "broken.pts").write_text("version: 1\nn_points: 68\n{\n1 1\n}\n")


def test_rejects_are_explained(run: Run, tmp_path: Path) -> None:
    root = faces(tmp_path / "data", 6)
    spoil(root)
    out = tmp_path / "faces.csv"
    code, stdout, _ = run(root, "--out", out)
    assert code == 0
    assert len(read_dataset(out)) == 6
    rejects = table(tmp_path / "faces.rejects.csv")
    assert list(rejects[0]) == ["file", "line", "reason"]
    found = {Path(r["file"]).stem: r["reason"].split(":")[0] for r in rejects}
    assert found == {
        "nan": "coordinate is not a number",
        "far": "point far outside the picture",
        "cluster": "points in a degenerate cluster",
        "swapped": "left and right swapped",
        "short": "wrong number of points",
        "missing": "picture missing",
        "text": "picture cannot be decoded",
        "cut": "picture ends above the face's end",
        "broken": "damaged label",
    }
    assert [r["line"] for r in rejects if r["file"].endswith("broken.pts")] == ["5"]
    assert "faces.rejects.csv: 9 rejected" in stdout
    assert "  1 picture cannot be decoded" in stdout

    for path in root.iterdir():
        if path.stem in found:
            path.unlink()
    assert run(root, "--out", out)[0] == 0
    assert not (tmp_path / "faces.rejects.csv").exists(), "an earlier run's rejects are left"


def test_strict_leaves_no_csv(run: Run, tmp_path: Path) -> None:
    root = faces(tmp_path / "data", 2)
    assert run(root, "--out", tmp_path / "f.csv", "--strict")[0] == 0
    (tmp_path / "f.csv").unlink()
    spoil(root)
    code, stdout, stderr = run(root, "--out", tmp_path / "f.csv", "--strict")
    assert (code, stdout) == (3, "")
    assert "9 labels rejected and --strict given" in stderr
    assert sorted(p.name for p in tmp_path.glob("[!.]*")) == ["data", "f.rejects.csv"]


def test_nothing_usable(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.pts").write_text(pts_text(face(68)))
    code, _, stderr = run(tmp_path / "data", "--out", tmp_path / "f.csv")
    assert code == 3
    assert "no usable label" in stderr
    assert "1 picture missing" in stderr
    assert not (tmp_path / "f.csv").exists()
    assert len(table(tmp_path / "f.rejects.csv")) == 1


def test_unknown_and_ambiguous_layouts(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, stderr = run(tmp_path / "empty", "--out", tmp_path / "f.csv")
    assert code == 3
    for name in BUILDERS:
        assert f"{name}:" in stderr, "every known format is listed"
    root = faces(tmp_path / "both", 1)
    (root / "labels.xml").write_text(dlib_xml([dlib_image("face000x.png", face(68))]))
    code, _, stderr = run(root, "--out", tmp_path / "f.csv")
    assert code == 2
    assert "fits ibug and dlib" in stderr
    assert "--format ibug|dlib" in stderr
    for name in ("ibug", "dlib"):
        assert run(root, "--out", tmp_path / "f.csv", "--format", name)[0] == 0
    code, _, stderr = run(root, "--out", tmp_path / "f.csv", "--format", "celeba")
    assert code == 3
    assert "no celeba labels" in stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere"], 3, "no such folder or file"),
        (["data", "--format", "nonsense"], 2, "'nonsense' is not one of 'ibug'"),
        (["data", "data"], 2, "named twice"),
        (["data", "--preview", "sheet.txt"], 2, "--preview sheet.txt"),
        (["data", "--face-box", "round"], 2, "'round' is not one of 'file', 'points'"),
        (["data", "--out", "data"], 2, "a folder"),
        (["data", "--out", "file/faces.csv"], 3, "cannot be written"),
        (["data", "--preview", "file/sheet.png"], 3, "cannot be written"),
        ([], 2, "SOURCE"),
    ],
)
def test_bad_arguments(
    arguments: list[str],
    code: int,
    words: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    faces(Path("data"), 1)
    Path("file").touch()
    before = sorted(p for p in tmp_path.rglob("*"))
    found, _, stderr = run(*([] if "--out" in arguments else ["--out", "f.csv"]), *arguments)
    assert found == code, stderr
    assert words in stderr
    assert sorted(p for p in tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder(run: Run, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    code, _, stderr = run(faces(tmp_path / "d", 1), "--out", locked / "f.csv")
    assert code == 3
    assert "cannot be written" in stderr


def test_the_same_picture_in_train_and_test(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    faces(root / "train", 4)
    faces(root / "test", 3, first=10)
    # A re-encoded, resized copy of a training picture.
    small = picture(face(68, (120, 118)), 2)[::2, ::2]
    save(root / "test" / "copy.png", small)
    (root / "test" / "copy.pts").write_text(pts_text(face(68, (120, 118)) / 2))
    out = tmp_path / "faces.csv"
    code, stdout, _ = run(root, "--out", out)
    assert code == 0
    assert "1 pairs of pictures look the same in two splits" in stdout
    (row,) = table(tmp_path / "faces.duplicates.csv")
    assert (Path(row["first"]).name, row["first_split"]) == ("copy.png", "test")
    assert (Path(row["second"]).name, row["second_split"]) == ("face002x.png", "train")
    (root / "test" / "copy.pts").unlink()
    assert run(root, "--out", out)[0] == 0
    assert not (tmp_path / "faces.duplicates.csv").exists()


def test_face_box_of_the_file_or_of_the_points(run: Run, tmp_path: Path) -> None:
    root = build_celeba(tmp_path / "data").root
    out = tmp_path / "f.csv"
    run(root, "--out", out)
    assert [r.box_source for r in read_dataset(out)] == ["file", "points", "file", "file"]
    assert read_dataset(out)[0].face.width == 140
    run(root, "--out", out, "--face-box", "points")
    boxes = [r.face for r in read_dataset(out)]
    assert [r.box_source for r in read_dataset(out)] == ["points"] * 4
    assert boxes[0].width == pytest.approx(boxes[3].width, abs=3)
    assert 100 < boxes[0].width < 160


def test_embedded_pictures_are_written_beside_the_csv(run: Run, tmp_path: Path) -> None:
    sources = [build_kaggle(tmp_path / "a").root, build_kaggle(tmp_path / "b").root]
    out = tmp_path / "o" / "faces.csv"
    assert run(*sources, "--out", out)[0] == 0
    rows = read_dataset(out)
    assert len({r.image for r in rows}) == 4
    assert all(r.image.is_relative_to(tmp_path / "o" / "faces_pictures") for r in rows)
    assert all(r.image.is_file() for r in rows)
    assert run(sources[0], "--out", out)[0] == 0, "an earlier run's pictures are replaced"
    assert len(list((tmp_path / "o" / "faces_pictures").rglob("*.png"))) == 2

    # A folder of that name that is not ours is never replaced.
    (tmp_path / "o" / "mine_pictures").mkdir()
    (tmp_path / "o" / "mine_pictures" / "holiday.jpg").touch()
    code, _, stderr = run(sources[0], "--out", tmp_path / "o" / "mine.csv")
    assert code == 3
    assert "holiday.jpg: in the way of the results, and not written by kpcli" in stderr
    assert (tmp_path / "o" / "mine_pictures" / "holiday.jpg").exists()
    assert not (tmp_path / "o" / "mine.csv").exists()


def test_a_failed_run_leaves_no_pictures(run: Run, tmp_path: Path) -> None:
    root = build_cofw(tmp_path / "a").root
    (root / "COFW_test_color.mat").write_bytes(b"damaged")
    out = tmp_path / "o" / "faces.csv"
    assert run(root, "--out", out, "--strict")[0] == 3
    assert [p.name for p in out.parent.glob("[!.]*")] == ["faces.rejects.csv"]
    (reject,) = table(out.with_name("faces.rejects.csv"))
    assert reject["file"].endswith("COFW_test_color.mat")


def test_ctrl_c_leaves_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kpcli.workflows.prepare import pictures as prepare_pictures

    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare_pictures, "open_image", interrupted)
    root = build_kaggle(tmp_path / "data").root
    out = tmp_path / "o" / "f.csv"
    code, _, err = run(root, "--out", out)
    assert (code, err) == (130, "interrupted\n")
    assert not list(out.parent.iterdir())


def test_preview_shows_points_and_boxes(run: Run, tmp_path: Path) -> None:
    for name, build in (("faces", build_youtube_faces), ("boxes", build_widerface)):
        sheet = tmp_path / f"{name}.png"
        root = build(tmp_path / name).root
        assert run(root, "--out", tmp_path / f"{name}.csv", "--preview", sheet)[0] == 0
        pixels = read_image(sheet).astype(int)
        # The drawing's colours, which the dark pictures do not have.
        wanted = np.array([255, 240, 60] if name == "faces" else [255, 120, 60])
        drawn = (np.abs(pixels - wanted).max(axis=2) < 40).sum()
        assert drawn > (400 if name == "faces" else 40)


def test_odd_names(run: Run, tmp_path: Path) -> None:
    root = faces(tmp_path / "Bilder, größer 'x' 漢字", 3)
    out = tmp_path / "ö x" / "faces.csv"
    assert run(root, "--out", out)[0] == 0
    assert all(r.image.is_file() for r in read_dataset(out))
