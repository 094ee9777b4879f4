"""Boxes on which a model cannot be right are refused, those that hardly fit are warned of."""

from __future__ import annotations

import pytest
from helpers.tiny import tiny_card

from kpcli.errors import UsageError
from kpcli.inference.suitability import check_detector
from kpcli.schemes import get_scheme

OWN = get_scheme("points7").to_json()


@pytest.mark.parametrize("spec", ["builtin", "haar", "yunet:a.onnx", "builtin:other"])
def test_a_model_of_whole_pictures_takes_whole_pictures(spec: str) -> None:
    for scheme in (OWN, tiny_card().scheme):
        card = tiny_card(face_box="image", scheme=scheme)
        with pytest.raises(UsageError, match="trained on whole pictures"):
            check_detector(card, spec)
        check_detector(card, "whole_image")
        check_detector(card, "boxes_file:b.csv")


def test_tight_boxes_are_no_whole_pictures(caplog) -> None:
    card = tiny_card(face_box="landmarks", scheme=OWN, training={"box_share": 0.31})
    with pytest.raises(UsageError, match="boxes around its points") as error:
        check_detector(card, "whole_image")
    assert "31%" in error.value.expected
    for share in ({"box_share": 0.9}, {}):
        check_detector(tiny_card(face_box="landmarks", scheme=OWN, training=share), "whole_image")
    check_detector(tiny_card(training={"box_share": 0.31}), "whole_image")  # crops of faces
    assert not caplog.records


def test_a_face_detector_for_points_of_ones_own_is_warned_of(caplog) -> None:
    card = tiny_card(scheme=OWN)
    check_detector(card, "builtin:runs/hands/model")
    check_detector(tiny_card(), "builtin")
    assert not caplog.records
    check_detector(card, "builtin")
    assert "boxes_file:CSV" in caplog.text
