import os
from pathlib import Path

import pytest
from helpers.media import picture, write_picture

from kpcli.errors import InputError
from kpcli.outputs import Outputs
from kpcli.record import STATE
from kpcli.sources.folder import list_media


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in ("b.jpg", "a.PNG", "sub/b.jpg", "sub/deep/ü ß.webp", ".hidden.jpg", ".dir/c.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    for name in ("notes.txt", "sub/more.txt", "Makefile"):
        (root / name).write_bytes(b"x")
    (root / "clip.MOV").write_bytes(b"x")
    return root


def test_sorted_relative_names_and_counts_of_the_rest(tree: Path) -> None:
    listing = list_media(tree)
    assert listing.files == ("a.PNG", "b.jpg", "clip.MOV", "sub/b.jpg", "sub/deep/ü ß.webp")
    assert listing.ignored == {".txt": 2, "no ending": 1}


def test_not_recursive(tree: Path) -> None:
    listing = list_media(tree, recursive=False)
    assert listing.files == ("a.PNG", "b.jpg", "clip.MOV")
    assert listing.ignored == {".txt": 1, "no ending": 1}


def test_passes_over_what_kpcli_wrote_and_nothing_else(tree: Path, tmp_path: Path) -> None:
    for name in ("out", "old"):
        made = write_picture(tmp_path / "b.jpg")
        assert not Outputs(tree / name, "annotate").publish([(made, "overlays/b.jpg")])
        write_picture(tree / name / "overlays" / "mine.jpg")
        write_picture(tree / name / "mine.jpg")
    mine = {f for f in list_media(tree).files if f.startswith(("out/", "old/"))}
    assert mine == {f"{n}/{f}mine.jpg" for n in ("out", "old") for f in ("", "overlays/")}
    assert "b.jpg" in list_media(tree / "out" / "overlays").files, "a folder that is named is input"
    write_picture(tree / "out" / "overlays" / "b.jpg", picture(50, 40))
    assert "out/overlays/b.jpg" in list_media(tree).files, "it is not ours any more"


def test_pictures_that_prepare_took_out_of_a_file_are_input(tree: Path, tmp_path: Path) -> None:
    made = write_picture(tmp_path / "b.jpg")
    assert not Outputs(tree, "prepare").publish([(made, "faces_pictures/b.jpg")])
    assert "faces_pictures/b.jpg" in list_media(tree).files


def test_results_in_the_folder_itself_do_not_hide_it(tree: Path) -> None:
    (tree / STATE).mkdir()
    assert "b.jpg" in list_media(tree).files


def test_follows_links_but_no_circle(tree: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "elsewhere" / "linked.jpg")
    (tree / "link").symlink_to(tmp_path / "elsewhere")
    (tree / "sub" / "up").symlink_to(tree)
    files = list_media(tree).files
    assert "link/linked.jpg" in files
    assert len(files) == len(set(files)) == 6


def test_a_dangling_link_is_listed_and_a_pipe_is_not(tree: Path) -> None:
    (tree / "gone.jpg").symlink_to(tree / "nothing")
    os.mkfifo(tree / "pipe.jpg")
    listing = list_media(tree)
    assert "gone.jpg" in listing.files
    assert "pipe.jpg" not in listing.files
    assert listing.ignored[".jpg"] == 1


@pytest.mark.parametrize("name", ["missing", "b.jpg"])
def test_no_folder(tree: Path, name: str) -> None:
    with pytest.raises(InputError, match="no such folder") as e:
        list_media(tree / name)
    assert e.value.exit_code == 3
