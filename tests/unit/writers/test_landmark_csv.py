import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpcli.errors import InputError
from kpcli.schemes import get_scheme
from kpcli.types import Face, FaceBox, FrameFaces, HeadPose, Measures
from kpcli.writers.landmark_csv import (
    Extra,
    RowWriter,
    columns,
    create,
    extras_of,
    header,
    read_frames,
)

SCHEME = get_scheme("points3")


def face(track: int = 0) -> Face:
    return Face(
        box=FaceBox(1.0, 2.25, 11.0, 12.0005, 0.9),
        points=np.array([[1.5, -2], [3.25, 4], [5.0004, 6]], np.float32),
        point_confidences=np.array([1, 0.5, 0.25], np.float32),
        confidence=0.87654,
        track=track,
    )


def frame(*faces: Face, file: str = "a.jpg", index: int = 1, seconds: float = 0) -> FrameFaces:
    return FrameFaces(file, index, seconds, 640, 480, faces)


def test_the_columns_of_68_points() -> None:
    names = columns(68)
    assert names[:10] == [
        "file", "frame", "timestamp", "face_id", "left", "top", "right", "bottom", "confidence",
        "success",
    ]  # fmt: skip
    assert names[10:78] == [f"x_{i}" for i in range(68)]
    assert names[78:146] == [f"y_{i}" for i in range(68)]
    assert names[146:] == [f"confidence_{i}" for i in range(68)]


def test_golden(tmp_path: Path) -> None:
    with create(tmp_path, SCHEME) as writer:
        writer.write(frame(face(0), face(1)))
        writer.write(frame(file='odd, "name".mp4', index=7, seconds=1001 / 24000))
    assert (tmp_path / "landmarks.csv").read_text() == (
        "file,frame,timestamp,face_id,left,top,right,bottom,confidence,success,"
        "x_0,x_1,x_2,y_0,y_1,y_2,confidence_0,confidence_1,confidence_2\n"
        "a.jpg,1,0.000000,0,1.000,2.250,11.000,12.001,0.8765,1,"
        "1.500,3.250,5.000,-2.000,4.000,6.000,1.0000,0.5000,0.2500\n"
        "a.jpg,1,0.000000,1,1.000,2.250,11.000,12.001,0.8765,1,"
        "1.500,3.250,5.000,-2.000,4.000,6.000,1.0000,0.5000,0.2500\n"
        '"odd, ""name"".mp4",7,0.041708,,,,,,0.0000,0,,,,,,,,,\n'
    )


def test_pandas_reads_it(tmp_path: Path) -> None:
    with create(tmp_path, SCHEME) as writer:
        writer.write(frame(face(0), file="ü/1.jpg"))
        writer.write(frame(file="b\nc.jpg"))
    table = pd.read_csv(tmp_path / "landmarks.csv")
    assert list(table["file"]) == ["ü/1.jpg", "b\nc.jpg"]
    assert list(table["success"]) == [1, 0]
    assert table.loc[0, "y_0"] == -2
    assert table.iloc[1][["face_id", "left", "x_0", "y_2", "confidence_1"]].isna().all()


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    frames = [
        frame(face(0), face(3), file="a.mp4"),
        frame(file="a.mp4", index=2, seconds=0.5),
        frame(face(0), file="b, c.jpg"),
    ]
    with create(tmp_path, SCHEME) as writer:
        for f in frames:
            writer.write(f)
    back = list(read_frames(tmp_path / "landmarks.csv", lambda file, frame: (len(file), 480, True)))
    assert [(f.file, f.index, f.seconds, len(f.faces), f.width) for f in back] == [
        ("a.mp4", 1, 0.0, 2, 5), ("a.mp4", 2, 0.5, 0, 5), ("b, c.jpg", 1, 0.0, 1, 8),
    ]  # fmt: skip
    got, put = back[0].faces[1], frames[0].faces[1]
    assert got.track == 3
    assert got.confidence == pytest.approx(put.confidence, abs=1e-4)
    np.testing.assert_allclose(got.points, put.points, atol=5e-4)
    np.testing.assert_allclose(got.point_confidences, put.point_confidences, atol=5e-5)
    assert got.box.bottom == pytest.approx(put.box.bottom, abs=1e-3)


def test_extra_columns_come_last_and_come_back(tmp_path: Path) -> None:
    extras = (Extra.POSE, Extra.SMOOTH)
    assert columns(3, extras)[-9:] == [
        "yaw", "pitch", "roll", "smooth_x_0", "smooth_x_1", "smooth_x_2", "smooth_y_0",
        "smooth_y_1", "smooth_y_2",
    ]  # fmt: skip
    smooth = np.array([[1, 2], [3, 4], [5, 6.5]], np.float32)
    rich = replace(face(), pose=HeadPose(10.0, -5.5, 0.25), smoothed=smooth)
    path = tmp_path / "x.csv"
    with path.open("wb") as file:
        file.write(header(3, extras))
        RowWriter(file, 3, extras).write(frame(rich))
        RowWriter(file, 3, extras).write(frame(file="none.jpg"))
    full, empty = read_frames(path)
    assert empty.faces == ()
    np.testing.assert_allclose(full.faces[0].pose, [10, -5.5, 0.25])
    np.testing.assert_allclose(full.faces[0].smoothed, smooth)
    assert extras_of(path) == [Extra.POSE, Extra.SMOOTH]


def test_measures_come_back(tmp_path: Path) -> None:
    values = Measures(0.3, np.nan, 0.1, 0.5, 0.2, 0.21, 0.03, 70.5, 180.25, 99.5, 120.125, 0.25)
    what = [frame(replace(face(), measures=values), face(1), file="v.mp4")]
    with create(tmp_path, SCHEME, [Extra.MEASURES]) as writer:
        writer.write(what[0])
    (back,) = read_frames(tmp_path / "landmarks.csv")
    np.testing.assert_allclose(back.faces[0].measures, values, atol=1e-4)
    assert np.isnan(back.faces[1].measures).all()


def test_the_optional_columns_of_a_file(tmp_path: Path) -> None:
    assert extras_of(tmp_path / "none.csv") == []
    for extras in ([], [Extra.POSE], [Extra.SMOOTH], [Extra.POSE, Extra.MEASURES]):
        with create(tmp_path, SCHEME, extras):
            pass
        assert extras_of(tmp_path / "landmarks.csv") == extras


def test_a_point_that_is_no_number_is_left_empty() -> None:
    points = np.array([[np.nan, 1], [2, np.inf], [3, 4]], np.float32)
    file = io.BytesIO()
    RowWriter(file, 3).write(frame(replace(face(), points=points)))
    assert file.getvalue().decode().split(",")[10:16] == [
        "",
        "2.000",
        "3.000",
        "1.000",
        "",
        "4.000",
    ]


def test_a_name_of_any_bytes_can_be_written() -> None:
    file = io.BytesIO()
    RowWriter(file, 3).write(frame(file="a\udcff.jpg"))
    assert file.getvalue().startswith(rb"a\udcff.jpg,1,")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a landmarks.csv"),
        ("image,x\n1,2\n", "not a landmarks.csv"),
        (",".join(columns(3)) + "\na.jpg,1,0.0\n", "another length"),
        (",".join(columns(3)) + "\na.jpg,one,0.0" + "," * 16 + "\n", "damaged"),
    ],
)
def test_a_csv_that_is_not_ours(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "landmarks.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        list(read_frames(path))
    with pytest.raises(InputError, match="no such file"):
        list(read_frames(tmp_path / "none.csv"))
