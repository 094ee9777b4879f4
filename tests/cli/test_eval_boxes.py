"""`kpcli eval`: the boxes that faces are cut by, of labels and of detectors, and missed faces."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.scored import (
    BOX,
    EYES,
    bundle_of_stand_in,
    face_shape,
    read_metrics,
    run,
    sample,
    write,
    write_bundle,
)

from kpcli.detectors import builtin, whole_image
from kpcli.schemes import IBUG68
from kpcli.types import FaceBox


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bundle_of_stand_in(tmp_path, monkeypatch)


def test_boxes_are_of_the_kind_the_model_was_trained_on(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The CSV's box is not the points' box: 20 pixels to the right of it, which is the shift
    # of a model that was trained on the CSV's boxes: 20 / 100 / 0.4 = 50 % of the eyes' distance.
    moved = FaceBox(BOX.left + 20, BOX.top, BOX.right + 20, BOX.bottom)
    table = write(tmp_path, sample(tmp_path, "a", 0, face=moved))
    out = tmp_path / "out"
    assert run(monkeypatch, table, "--model", bundle, "--out", out) == 0
    assert read_metrics(out)["nme_mean"] == pytest.approx(0, abs=0.01)
    other = write_bundle(tmp_path / "csv_boxes", IBUG68, face_box="csv")
    assert run(monkeypatch, table, "--model", other, "--out", out) == 0
    assert read_metrics(out)["nme_mean"] == pytest.approx(50, abs=0.01)
    assert read_metrics(out)["box_source"] == "labels: the CSV's box"


def test_missed_faces_are_failures(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The detector whole_image frames the picture: it covers a label's box by more than 40 %
    # only in the second one, whose box is larger.
    small = sample(tmp_path, "small", 2)
    large_box = FaceBox(10, 5, 160, 155)
    large = replace(
        sample(tmp_path, "large", 0),
        face=large_box,
        points=(np.array([10, 5]) + face_shape() * 150).astype(np.float32),
    )
    out = tmp_path / "out"
    table = write(tmp_path, small, large)
    code = run(monkeypatch, table, "--model", bundle, "--boxes", "whole_image", "--out", out)
    assert code == 0
    values = read_metrics(out)
    assert (values["boxes"], values["faces"], values["missed"]) == ("whole_image", 2, 1)
    # The stand-in puts the shape into the picture's square, 180 wide and centred at (89.5, 79.5).
    truth = large.points
    found = np.array([89.5, 79.5]) + (face_shape() - 0.5) * 180
    by_hand = 100 * np.linalg.norm(found - truth, axis=1).mean() / (EYES * 150)
    assert values["nme_mean"] == pytest.approx(by_hand, abs=0.01)
    assert values["failure_rate"] == (100 if by_hand > 8 else 50)
    with (out / "per_face.csv").open(newline="") as file:
        missed = {Path(r["image"]).stem: (r["missed"], r["nme"]) for r in csv.DictReader(file)}
    assert missed["small"] == ("1", "")
    assert missed["large"][0] == "0"


def test_if_all_are_missed_the_json_holds_null(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    table = write(tmp_path, sample(tmp_path, "a", 2), sample(tmp_path, "b", 3))
    code = run(monkeypatch, table, "--model", bundle, "--boxes", "whole_image", "--out", out)
    assert code == 0
    values = read_metrics(out)
    assert (values["faces"], values["missed"]) == (2, 2)
    assert values["nme_mean"] is None
    assert values["nme_median"] is None
    assert values["interval"] == [None, None]
    assert values["failure_rate"] == 100
    assert values["auc"] == 0
    assert (out / "worst.png").is_file()
    assert "nan" not in capsys.readouterr().out.lower()


@pytest.mark.parametrize(("arguments", "size"), [((), 640), (("--detect-size", 96), 96)])
def test_the_detector_works_at_the_size_asked_for(
    arguments: tuple[object, ...],
    size: int,
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[str | None, int]] = []

    def create(argument: str | None, size: int, device: str) -> whole_image.WholeImage:
        made.append((argument, size))
        return whole_image.WholeImage()

    monkeypatch.setattr(builtin, "create", create)
    out = tmp_path / "out"
    table = write(tmp_path, sample(tmp_path, "a", 2))
    boxes = ("--boxes", "builtin:mine")
    assert run(monkeypatch, table, "--model", bundle, "--out", out, *boxes, *arguments) == 0
    assert made == [("mine", size)]
    assert read_metrics(out)["detect_size"] == size


def test_the_size_is_of_no_meaning_without_a_search(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    table = write(tmp_path, sample(tmp_path, "a", 2))
    arguments = (table, "--model", bundle, "--out", out, "--detect-size", 96)
    assert run(monkeypatch, *arguments) == 0
    assert read_metrics(out)["detect_size"] is None
    assert run(monkeypatch, *arguments, "--boxes", "whole_image") == 0


def test_help_shows_the_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--help") == 0
    said = capsys.readouterr().out
    assert "--detect-size" in said
    assert "640" in said
