"""``import kpcli`` in a notebook or a script: the commands' results, silently, loaded lazily."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.media import write_picture

import kpcli

HEAVY = ("tensorflow", "keras", "pandas", "matplotlib", "cv2", "numpy", "av", "onnxruntime")


def python(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(path)], cwd=folder, capture_output=True, text=True, check=False
    )


def test_import_loads_nothing_heavy(tmp_path: Path) -> None:
    script = f"import sys, kpcli\ndir(kpcli)\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = python(script, tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
    script = (
        "import sys\nfrom kpcli import annotate, train, AnnotateOptions\n"
        f"print(*[m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert python(script, tmp_path).stdout.strip() == ""


def test_every_public_name_is_there_and_told() -> None:
    assert set(kpcli._HOME) | {"__version__"} == set(kpcli.__all__)
    for name in kpcli.__all__:
        assert getattr(kpcli, name) is not None
    for name in kpcli._HOME:
        assert inspect.getdoc(getattr(kpcli, name))
    with pytest.raises(AttributeError, match="'annotat'"):
        kpcli.annotat  # noqa: B018
    assert (Path(kpcli.__file__).parent / "py.typed").is_file()


def test_signatures_show_the_options() -> None:
    for name in ("annotate", "prepare", "train", "evaluate", "export", "merge"):
        shown = inspect.signature(getattr(kpcli, name)).parameters
        assert all(p.kind is not p.VAR_KEYWORD for p in shown.values()), name
    assert inspect.signature(kpcli.annotate).parameters["smooth"].default == "none"
    assert inspect.signature(kpcli.train).parameters["epochs"].default == 60


def test_a_notebooks_two_lines_give_the_points_of_the_commands_csv(
    sample_images: Path, tmp_path: Path
) -> None:
    picture = sample_images / "portraits" / "grace_hopper.jpg"
    command = [sys.executable, "-m", "kpcli", "annotate", "file", str(picture), "--out", "out"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    faces = kpcli.find_faces(picture)

    table = pd.read_csv(tmp_path / "out" / "landmarks.csv", dtype=str)
    assert len(table) == len(faces) == 1
    row, face = table.iloc[0], faces[0]
    for i, (x, y) in enumerate(face.points):
        assert (row[f"x_{i}"], row[f"y_{i}"]) == (f"{x:.3f}", f"{y:.3f}")
        assert row[f"confidence_{i}"] == f"{face.point_confidences[i]:.4f}"
    assert row["confidence"] == f"{face.confidence:.4f}"
    assert face.pose is not None
    assert row["yaw"] == f"{face.pose.yaw:.2f}"


def test_annotate_is_silent_and_is_what_the_command_does(
    sample_images: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    portraits = sample_images / "portraits"
    report = kpcli.annotate(
        str(portraits), out=tmp_path / "lib", overlays=False, max_faces=1, workers=1
    )
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    command = [
        sys.executable, "-m", "kpcli", "annotate", "folder", str(portraits), "--no-overlays",
        "--max-faces", "1", "--workers", "1", "--out", str(tmp_path / "cli"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert report.exit_code == 0
    assert (
        done.stdout == report.summary().replace(str(tmp_path / "lib"), str(tmp_path / "cli")) + "\n"
    )
    ours, theirs = (tmp_path / name / "landmarks.csv" for name in ("lib", "cli"))
    assert ours.read_bytes() == theirs.read_bytes()


def test_a_plain_script_may_annotate_a_hundred_pictures(
    tmp_path: Path, sample_images: Path
) -> None:
    (tmp_path / "in").mkdir()
    for i in range(100):
        write_picture(tmp_path / "in" / f"{i:03}.png")
    done = python(
        "import kpcli\n"
        "print('begun')\n"
        "report = kpcli.annotate('in', out='out', detector='whole_image', overlays=False,"
        " workers=2)\n"
        "print(report.summary())\n",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("begun") == 1
    assert "100 files, 100 frames" in done.stdout
    assert done.stderr == ""


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("annotated")
    portraits = Path(__file__).resolve().parents[2] / "sample_images" / "portraits"
    write_picture(folder / "in" / "NA.png")  # shows no face, and is called as pandas' nothing
    files = [portraits / "grace_hopper.jpg", portraits / "joe_biden.jpg", folder / "in" / "NA.png"]
    kpcli.annotate(files, out=folder / "out", overlays=False, smooth="one-euro")
    return folder / "out"


def test_the_wide_table_is_the_csv(annotated: Path) -> None:
    table = kpcli.read_landmarks(annotated)
    header, *lines = (annotated / "landmarks.csv").read_text().splitlines()
    assert list(table.columns) == header.split(",")
    assert len(table) == len(lines) == 3
    assert list(table["file"].str[-6:]) == [line.split(",")[0][-6:] for line in lines]
    assert list(table["success"]) == [int(line.split(",")[9]) for line in lines]
    assert table["face_id"].isna().tolist() == [s == 0 for s in table["success"]]
    x_0 = header.split(",").index("x_0")
    for value, line in zip(table["x_0"], lines, strict=True):
        printed = line.split(",")[x_0]
        assert (f"{value:.3f}" == printed) if printed else np.isnan(value)


def test_the_long_table_has_a_row_a_point(annotated: Path) -> None:
    wide = kpcli.read_landmarks(annotated / "landmarks.csv")
    long = kpcli.read_landmarks(annotated, long=True)
    assert list(long.columns) == [
        "file", "frame", "timestamp", "face_id", "point", "name", "x", "y", "confidence",
        "smooth_x", "smooth_y",
    ]  # fmt: skip
    faces = wide[wide["success"] == 1].reset_index()
    assert len(long) == 68 * len(faces) == 136
    for i, face in faces.iterrows():
        mine = long[68 * int(i) : 68 * (int(i) + 1)]
        assert set(mine["file"]) == {face["file"]}
        assert mine["x"].tolist() == [face[f"x_{k}"] for k in range(68)]
        assert mine["smooth_y"].tolist() == [face[f"smooth_y_{k}"] for k in range(68)]
        assert mine["confidence"].tolist() == [face[f"confidence_{k}"] for k in range(68)]
    assert long["name"][0] == "jaw_0"
    assert long["name"][135] == "inner_lip_7"


@pytest.mark.parametrize("text", [None, "", "a,b\n1,2\n", "file,frame\n\xff\n"])
def test_another_file_is_no_landmark_table(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "landmarks.csv"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(kpcli.InputError, match=r"landmarks\.csv"):
        kpcli.read_landmarks(path)


def test_a_wrong_keyword_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(kpcli.UsageError, match="smoth") as caught:
        kpcli.annotate("in", out=tmp_path / "out", smoth="one-euro")
    assert caught.value.expected == "smooth"
    with pytest.raises(kpcli.UsageError) as caught:
        kpcli.FaceFinder(modle="large")
    assert caught.value.expected == "model"
    assert not (tmp_path / "out").exists()
