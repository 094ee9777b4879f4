"""Which faces of a file are covered, which are told as bare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpcli.options import AnonymiseOptions
from kpcli.types import FaceBox, Frame
from kpcli.workflows.anonymise.leaks import reason, risk
from kpcli.workflows.anonymise.rows import Row
from kpcli.workflows.anonymise.selection import Cover, Selector
from kpcli.workflows.anonymise.tracks import still

LEAST = 0.3


def chosen(*boxes: FaceBox) -> list[Cover]:
    frame = Frame(Path("a.png"), 1, 0.0, np.zeros((200, 200, 3), np.uint8), moving=False)
    selector = Selector(AnonymiseOptions((), Path()))
    return selector.covers("a.png", still(frame, boxes), {1: 0.0}, LEAST).get(1, [])


@pytest.mark.parametrize(
    ("score", "kinds"), [(0.31, ["seen"]), (0.29, ["suspect"]), (0.11, ["suspect"]), (0.09, [])]
)
def test_by_its_score_a_face_is_covered_or_told_as_bare(score: float, kinds: list[str]) -> None:
    covers = chosen(FaceBox(50, 50, 80, 90, score))
    assert [cover.kind for cover in covers] == kinds
    assert all((cover.area is None) == (cover.kind == "suspect") for cover in covers)


def test_what_lies_under_a_cover_is_no_suspect() -> None:
    face = FaceBox(50, 50, 90, 100, 0.9)
    below, beside = FaceBox(60, 60, 80, 80, 0.2), FaceBox(95, 60, 125, 80, 0.2)
    assert [c.box for c in chosen(face, below, beside)] == [face, beside]


def test_what_is_bare_is_riskier_than_what_is_covered_on_a_guess() -> None:
    box = FaceBox(0, 0, 9, 9, 0.02)
    bare = Row("a", 1, 0.0, 0, box, "suspect", 0.02, 0.0, covered=False)
    guess = Row("a", 1, 0.0, 1, box, "followed", 1.0, 1.0, covered=True)
    kept = Row("a", 1, 0.0, 2, box, "kept", 0.0, 0.0, covered=False)
    assert risk(bare) > risk(guess) > risk(kept) == 0
    assert reason(bare) == "left bare: score 0.02"
