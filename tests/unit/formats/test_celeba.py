from __future__ import annotations

from pathlib import Path

import pytest
from helpers.dataset_builders import build_celeba

from kpcli.formats.celeba import read, sniff
from kpcli.types import FaceBox, Reject, Sample


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_celeba(tmp_path).root


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_boxes_as_they_stand(root: Path) -> None:
    first, second, *_ = read(root)
    assert isinstance(first, Sample)
    assert first.face == FaceBox(50, 50, 190, 190)
    assert isinstance(second, Sample)
    assert second.face == FaceBox(0, 0, 0, 0)


def test_aligned_copy_has_no_boxes(root: Path) -> None:
    (root / "img_celeba").rename(root / "img_align_celeba")
    path = root / "Anno" / "list_landmarks_celeba.txt"
    path.rename(path.with_name("list_landmarks_align_celeba.txt"))
    found = list(read(root))
    assert [s.face for s in found if isinstance(s, Sample)] == [None] * 4
    assert all(isinstance(s, Sample) and s.image.is_file() for s in found)


def test_in_the_wild_wins_where_both_lists_are_there(root: Path) -> None:
    path = root / "Anno" / "list_landmarks_celeba.txt"
    path.with_name("list_landmarks_align_celeba.txt").write_text(path.read_text())
    found = [s for s in read(root) if isinstance(s, Sample)]
    assert len(found) == 4
    assert {s.image.parent.name for s in found} == {"img_celeba"}


def test_people_are_groups(root: Path) -> None:
    (root / "Anno" / "identity_CelebA.txt").write_text("000000.jpg 77\n000001.jpg 77\n")
    groups = [s.group for s in read(root) if isinstance(s, Sample)]
    assert groups == ["celeba/77", "celeba/77", "celeba/000002", "celeba/000003"]


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "detail"),
    [
        ("Anno/list_landmarks_celeba.txt", "4\n", "5\n", 1, "promises 5 faces, 4 are there"),
        ("Anno/list_landmarks_celeba.txt", "000001.jpg", "000001.jpg 9", 4, "11"),
        ("Anno/list_landmarks_celeba.txt", "000000.jpg  ", "000000.jpg x", 3, "x"),
        ("Anno/list_bbox_celeba.txt", "000001.jpg 0 0 0 0", "000001.jpg 0 0 0", 4, "values"),
        ("Eval/list_eval_partition.txt", "000003.jpg 2", "000003.jpg 9", 6, "no split"),
        ("Eval/list_eval_partition.txt", "000002.jpg 1\n", "", 5, "no split"),
    ],
)
def test_damage_is_one_reject_with_its_line(
    file: str, old: str, new: str, line: int, detail: str, root: Path
) -> None:
    edit(root / file, old, new)
    (reject,) = (i for i in read(root) if isinstance(i, Reject))
    assert reject.origin == f"{root / 'Anno/list_landmarks_celeba.txt'}:{line}"
    if "promises" in detail or "split" in detail:
        assert detail in reject.detail


@pytest.mark.parametrize("count", ["", "four", "²", "9" * 5000])
def test_a_list_without_its_count_is_reported(root: Path, count: str) -> None:
    edit(root / "Anno/list_landmarks_celeba.txt", "4\n", f"{count}\n")
    reject, *faces = read(root)
    assert isinstance(reject, Reject)
    assert "number of faces" in reject.detail
    assert len(faces) == 4


def test_without_partition_all_is_train(root: Path) -> None:
    (root / "Eval/list_eval_partition.txt").unlink()
    assert {s.split for s in read(root) if isinstance(s, Sample)} == {"train"}


def test_the_list_itself_is_a_source(root: Path) -> None:
    path = root / "Anno" / "list_landmarks_celeba.txt"
    assert sniff(path)
    found = [s for s in read(path) if isinstance(s, Sample)]
    assert [s.split for s in found] == ["train", "train", "val", "test"]
    assert all(s.image.is_file() for s in found)
