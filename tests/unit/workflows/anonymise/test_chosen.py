"""The CSVs that name faces."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpcli.errors import InputError
from kpcli.types import FaceBox
from kpcli.workflows.anonymise.chosen import Chosen

BOX = FaceBox(10, 10, 30, 30)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_boxes_by_frame_boxes_of_all_frames_and_ids(tmp_path: Path) -> None:
    text = "file,frame,left,top,right,bottom,face_id\n"
    text += "a.mp4,3,10,12,30,30,7\n./a.mp4,,60,60,80,80,\nb/c.jpg,,,,,,2\n"
    chosen = Chosen(write(tmp_path / "keep.csv", text))
    named = chosen.of("a.mp4")
    assert named.match(3, [BOX, FaceBox(200, 10, 220, 30)]) == (
        {0}, [FaceBox(60, 60, 80, 80)],
    )  # fmt: skip
    assert named.match(4, [BOX])[0] == set()
    assert not named.ids  # of a table of annotate, whose numbers are others
    assert chosen.of("b/c.jpg").ids == {2}
    assert not chosen.of("other.jpg").at(1)
    chosen.check(["a.mp4", "b/c.jpg", "d.jpg"])
    with pytest.raises(InputError, match=r"b/c\.jpg"):
        chosen.check(["a.mp4"])


def test_one_row_names_one_face(tmp_path: Path) -> None:
    text = "file,left,top,right,bottom\na.jpg,10,10,30,30\n"
    named = Chosen(write(tmp_path / "k.csv", text)).of("a.jpg")
    near = FaceBox(12, 12, 32, 32)
    assert named.match(1, [near, BOX]) == ({1}, [])


def test_rows_of_annotate_without_a_face_are_passed_over(tmp_path: Path) -> None:
    text = "file,frame,left,top,right,bottom,success,face_id\na.jpg,1,,,,,0,\n"
    assert not Chosen(write(tmp_path / "k.csv", text)).of("a.jpg").at(1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,frame\na.jpg,1\n", "not a CSV of faces"),
        ("file,left,top,right,bottom\na.jpg,3,3,1,9\n", "without area"),
        ("file,left,top,right,bottom\na.jpg,3,3,x,9\n", "names no face"),
        ("file,face_id\na.jpg,\n", "neither a box nor a face_id"),
    ],
)
def test_what_names_no_face_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Chosen(write(tmp_path / "k.csv", text))


def test_a_missing_csv(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such CSV"):
        Chosen(tmp_path / "k.csv")
