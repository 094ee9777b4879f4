from dataclasses import replace

import numpy as np

from kpcli.formats.review import CORRECTED, NOT_A_FACE, OPEN, Entry
from kpcli.types import FaceBox
from kpcli.workflows.review.faces import Known, shown

SHAPE = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.9]], np.float32)
SEEN = np.ones(3, np.bool_)


def known(name: str, left: float) -> Known:
    box = FaceBox(left, 10, left + 40, 50)
    return Known(name, SHAPE * 40 + np.array([left, 10], np.float32), SEEN, box, None, 0.8)


def entry(of: Known, status: str = CORRECTED, **values: object) -> Entry:
    made = Entry("a.png", 1, of.face, 1, status, of.points + 1, SEEN, of.box, "a.png", (99, 99),
                 before=of.raw())  # fmt: skip
    return replace(made, **values)  # type: ignore[arg-type]


def test_a_correction_hides_no_other_face_of_the_table_however_near_it_is() -> None:
    first, second = known("0", 10), known("1", 13)
    found = shown([first, second], [entry(first)])
    assert [(s.face, s.status) for s in found] == [("0", CORRECTED), ("1", OPEN)]
    found = shown([first, second], [entry(first, NOT_A_FACE)])
    assert [(s.face, s.status) for s in found] == [("1", OPEN), ("0", NOT_A_FACE)]


def test_a_table_made_anew_shows_each_face_once() -> None:
    first, second, third = known("0", 10), known("1", 80), known("2", 160)
    anew = [replace(second, face="0"), replace(first, face="1"), third]  # numbered otherwise now
    made = [entry(first), entry(second)]
    found = shown(anew, made)
    assert [(s.face, s.status) for s in found] == [("0", CORRECTED), ("1", CORRECTED), ("2", OPEN)]
    np.testing.assert_allclose(found[0].points, first.points + 1)


def test_another_face_of_a_correction_s_name_is_shown_beside_it_and_keeps_its_own() -> None:
    old, new = known("0", 10), known("0", 80)
    found = shown([new], [entry(old)])
    assert [(s.face, s.known is new) for s in found] == [("0", False), ("0b", True)]
    second = entry(replace(new, face="0b"))
    found = shown([new], [entry(old), second])
    assert [(s.face, s.known is new) for s in found] == [("0", False), ("0b", True)]
    assert found[1].entry is second
