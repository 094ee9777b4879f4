from pathlib import Path

import numpy as np
import pytest

from kpcli.detectors import create_detector
from kpcli.errors import InputError, UsageError
from kpcli.types import FaceBox, Frame

PICTURE = np.zeros((10, 10, 3), np.uint8)


def lookup(csv: Path, file: str, frame: int = 1) -> list[FaceBox]:
    return create_detector(f"boxes_file:{csv}").detect([Frame(Path(file), frame, 0.0, PICTURE)])[0]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_by_relative_path_best_score_first(tmp_path: Path) -> None:
    csv = write(
        tmp_path / "b.csv",
        "file, left, top, right, bottom, score",
        "a/x.jpg, 1, 2, 3, 4, 0.5",
        "a/x.jpg, 5, 6, 7.5, 8, 0.9",
        "b/x.jpg, 0, 0, 9, 9, 0.7",
    )
    assert lookup(csv, "/data/a/x.jpg") == [FaceBox(5, 6, 7.5, 8, 0.9), FaceBox(1, 2, 3, 4, 0.5)]
    assert lookup(csv, "/data/b/x.jpg") == [FaceBox(0, 0, 9, 9, 0.7)]
    assert lookup(csv, "/data/a/y.jpg") == []


def test_the_longest_fitting_name_counts(tmp_path: Path) -> None:
    csv = write(
        tmp_path / "b.csv", "file,left,top,right,bottom", "x.jpg,0,0,1,1", "a/x.jpg,0,0,2,2"
    )
    assert lookup(csv, "/data/a/x.jpg") == [FaceBox(0, 0, 2, 2)]
    assert lookup(csv, "/data/x.jpg") == [FaceBox(0, 0, 1, 1)]


def test_a_name_from_elsewhere_that_occurs_once_is_enough(tmp_path: Path) -> None:
    csv = write(tmp_path / "b.csv", "file,left,top,right,bottom", "C:\\pics\\x.jpg,0,0,1,1")
    assert lookup(csv, "/data/x.jpg") == [FaceBox(0, 0, 1, 1)]


def test_a_name_that_could_be_two_files_is_an_error(tmp_path: Path) -> None:
    csv = write(
        tmp_path / "b.csv", "file,left,top,right,bottom", "/p/x.jpg,0,0,1,1", "/q/x.jpg,0,0,2,2"
    )
    with pytest.raises(InputError, match="several rows could mean"):
        lookup(csv, "/data/x.jpg")


def test_frames(tmp_path: Path) -> None:
    csv = write(
        tmp_path / "b.csv",
        "file,frame,left,top,right,bottom",
        "v.mp4,1,0,0,1,1",
        "v.mp4,2,0,0,2,2",
        "v.mp4,,0,0,3,3",
    )
    assert lookup(csv, "v.mp4", 1) == [FaceBox(0, 0, 1, 1), FaceBox(0, 0, 3, 3)]
    assert lookup(csv, "v.mp4", 2) == [FaceBox(0, 0, 2, 2), FaceBox(0, 0, 3, 3)]
    assert lookup(csv, "v.mp4", 9) == [FaceBox(0, 0, 3, 3)]


def test_rows_without_a_face_of_our_own_csv(tmp_path: Path) -> None:
    csv = write(
        tmp_path / "landmarks.csv",
        "file,frame,timestamp,face_id,left,top,right,bottom,confidence,success",
        "x.jpg,1,0.0,,,,,,0.0,0",
        "y.jpg,1,0.0,0,1,1,5,5,0.75,1",
    )
    assert lookup(csv, "x.jpg") == []
    assert lookup(csv, "y.jpg") == [FaceBox(1, 1, 5, 5, 0.75)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x.jpg,1,2,three,4", r"b\.csv:2: a damaged row"),
        ("x.jpg,5,5,5,9", r"b\.csv:2: a box without area"),
        ("x.jpg,nan,5,6,9", r"b\.csv:2: a box without area"),
        ("x.jpg,1,2,3,", r"b\.csv:2: a damaged row"),
        (",1,2,3,4", r"b\.csv:2: a row without a file name"),
    ],
)
def test_damaged_rows(tmp_path: Path, line: str, message: str) -> None:
    csv = write(tmp_path / "b.csv", "file,left,top,right,bottom", line)
    with pytest.raises(InputError, match=message):
        create_detector(f"boxes_file:{csv}")


def test_another_csv(tmp_path: Path) -> None:
    csv = write(tmp_path / "b.csv", "image,x,y", "a.jpg,1,2")
    with pytest.raises(InputError, match="not a CSV of face boxes") as e:
        create_detector(f"boxes_file:{csv}")
    assert "left" in e.value.actual


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such CSV"):
        create_detector(f"boxes_file:{tmp_path / 'none.csv'}")
    with pytest.raises(InputError, match="not a readable CSV"):
        create_detector(f"boxes_file:{tmp_path}")
    with pytest.raises(UsageError, match="needs a CSV"):
        create_detector("boxes_file")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="not a readable CSV"):
        create_detector(f"boxes_file:{path}")
