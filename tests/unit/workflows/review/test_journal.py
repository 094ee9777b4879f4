import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kpcli.errors import InputError
from kpcli.formats.review import (
    ANNOTATED,
    CORRECTED,
    JOURNAL,
    NOT_A_FACE,
    OPEN,
    Entry,
    Header,
    read,
    read_entries,
)  # fmt: skip
from kpcli.types import FaceBox, Reject, Sample
from kpcli.workflows.review.journal import Journal, Stale

HEADER = Header("celeba5", ANNOTATED, "/x/landmarks.csv", "out")
POINTS = np.array([[1, 2], [3, 2], [2, 3], [np.nan, np.nan], [3, 4.125]], np.float32)


def entry(face: str = "0", **changes: object) -> Entry:
    visible = np.array([True, False, True, False, True])
    made = Entry("a.png", 1, face, 0, CORRECTED, POINTS, visible, FaceBox(0, 0, 5, 5), "/x/a.png",
                 (48, 40), what="point dragged")  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_save_is_on_the_disk_and_comes_back(tmp_path: Path) -> None:
    with Journal(tmp_path / "review", HEADER, "me") as journal:
        first = journal.save(entry(), 0)
        journal.save(entry(points=POINTS + 1), 1)
        assert first.version == 1
        # Another reader sees it while the journal is still open.
        lines = (tmp_path / "review" / JOURNAL).read_text().splitlines()
        assert json.loads(lines[1])["who"] == "me"
        assert len(lines) == 3, "earlier saves stay: who, when and what"
    with Journal(tmp_path / "review", HEADER, "me") as journal:
        found = journal.get(("a.png", 1, "0"))
        assert found is not None
        assert found.version == 2
        np.testing.assert_allclose(found.points, POINTS + 1)
        assert found.visible.tolist() == [True, False, True, False, True]


def test_a_stale_save_is_refused_and_shows_the_newer_one(tmp_path: Path) -> None:
    with Journal(tmp_path, HEADER, "me") as journal:
        journal.save(entry(), 0)
        with pytest.raises(Stale) as caught:
            journal.save(entry(points=POINTS * 2), 0)
        assert caught.value.newer is not None
        assert caught.value.newer.version == 1
        np.testing.assert_allclose(journal.latest()[0].points, POINTS)


def test_a_line_that_was_cut_short_was_never_saved(tmp_path: Path) -> None:
    with Journal(tmp_path, HEADER, "me") as journal:
        journal.save(entry("0"), 0)
        journal.save(entry("1"), 0)
    path = tmp_path / JOURNAL
    whole = path.read_bytes()
    for cut in (1, 40, 200):
        path.write_bytes(whole[:-cut])
        with Journal(tmp_path, HEADER, "me") as journal:
            assert [e.face for e in journal.latest()] == ["0"]
            journal.save(entry("2"), 0)
        with Journal(tmp_path, HEADER, "me") as journal:
            assert [e.face for e in journal.latest()] == ["0", "2"]
            assert len(journal.damaged) <= 1


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path, HEADER, "me"), pytest.raises(InputError, match="another"):
        Journal(tmp_path, HEADER, "me")


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text("my diary\n")
    with pytest.raises(InputError, match="in the way"):
        Journal(tmp_path, HEADER, "me")
    assert (tmp_path / JOURNAL).read_text() == "my diary\n"


def test_corrections_of_another_scheme_are_not_mixed(tmp_path: Path) -> None:
    with Journal(tmp_path, HEADER, "me"):
        pass
    with pytest.raises(InputError, match="something else"):
        Journal(tmp_path, replace(HEADER, scheme="ibug68"), "me")


def test_prepare_reads_labels_only(tmp_path: Path) -> None:
    with Journal(tmp_path, HEADER, "me") as journal:
        journal.save(entry("0"), 0)
        journal.save(entry("1", status=NOT_A_FACE), 0)
        journal.save(entry("2", status=OPEN), 0)
        journal.save(entry("3", facts={"dataset": "d", "group": "d/g", "split": "val"}), 0)
    first, other = read(tmp_path)
    assert isinstance(first, Sample)
    assert isinstance(other, Sample)
    assert first.group == "out/a.png"
    assert first.size == (48, 40)
    assert first.attributes["reviewed_by"] == "me"
    np.testing.assert_array_equal(np.isnan(first.points[:, 0]), [0, 0, 0, 1, 0])
    assert (other.dataset, other.group, other.split) == ("d", "d/g", "val")


def test_a_damaged_line_is_a_reject(tmp_path: Path) -> None:
    with Journal(tmp_path, HEADER, "me") as journal:
        journal.save(entry(), 0)
    line = (tmp_path / JOURNAL).read_text().splitlines()[1]
    bad = [line.replace('"corrected"', '"?"'), line.replace("[1.0, 2.0]", "[1.0]"), "[" * 9999,
           line.replace("[1.0, 2.0], ", ""), line.replace('"occluded": [1]', '"occluded": [7]'),
           line.replace("[1.0, 2.0]", '["NaN", 1]')]  # fmt: skip
    with (tmp_path / JOURNAL).open("a") as file:
        file.write("\n".join(bad) + "\n")
    found = list(read_entries(tmp_path / JOURNAL, HEADER.scheme))
    assert [isinstance(item, Reject) for item in found] == [False] + [True] * len(bad)
