"""Whether a detector's boxes are of the kind that a landmark model was trained on."""

from __future__ import annotations

import logging

from kpcli.errors import UsageError
from kpcli.model_bundle import ModelCard

FACE_DETECTORS = ("builtin", "haar", "yunet", "ssd")
"""Detectors that find faces, unless their argument names one that was trained on other things."""
FILLS = 0.6
"""Share of a picture's long side from which on a box holds about the whole picture."""


def check_detector(card: ModelCard, spec: str) -> None:
    """Refuse boxes on which the model cannot be right; warn of those that hardly fit.

    Raises
    ------
    UsageError
        If the model was trained on whole pictures and boxes are looked for in them, or it was
        trained on boxes tight around things of its own and is to take whole pictures.
    """
    name = spec.partition(":")[0]
    if card.face_box == "image" and name in FACE_DETECTORS:
        raise UsageError(
            f"--detector {spec}: the model {card.name} was trained on whole pictures",
            expected="whole_image",
            next_step="add --detector whole_image, or train the model with --face-box landmarks",
        )
    if card.landmark_scheme.five:  # a face, of which the detectors know what its box is
        return
    share = card.training.get("box_share")
    if name == "whole_image" and card.face_box != "image" and (share or 1.0) < FILLS:
        raise UsageError(
            f"--detector whole_image: the model {card.name} was trained on boxes around its points",
            expected=f"boxes that take {share:.0%} of the picture's side, as in training",
            next_step="train it with --face-box image, or give the boxes: --detector "
            "boxes_file:CSV, or builtin:BUNDLE of a face_detector trained on the same CSV",
        )
    if name in FACE_DETECTORS and ":" not in spec:
        logging.getLogger(__name__).warning(
            "%s has points of its own, and %s finds faces: if they are on other things, use "
            "--detector boxes_file:CSV, whole_image, or builtin:BUNDLE of a face_detector trained "
            "on the same CSV",
            card.name, spec,
        )  # fmt: skip
