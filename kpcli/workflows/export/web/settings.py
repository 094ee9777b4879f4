"""What the page's script must know: the model's card, and the constants of detector and finder.

They are taken from where kpcli has them, so that the page goes by the same numbers.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kpcli.boxes import LANDMARK_IN_WIDER, MOST_BOXES
from kpcli.detectors import builtin
from kpcli.geometry import REFERENCE_FIVE
from kpcli.inference import finder, head_pose, identity, measures, predictor, propagation, upright
from kpcli.letterbox import NEARLY
from kpcli.model_bundle import ModelCard
from kpcli.options import DETECT_SIZE, FaceOptions
from kpcli.schemes import IBUG51, IBUG68
from kpcli.workflows.export.web import stickers
from kpcli.writers.landmark_csv import columns, optional

DETECTOR = (
    "LEAST_SCORE", "UPRIGHT", "TURNED", "TURNED_ODDS", "PROBE", "PROMISING", "NMS_IOU", "VOTE_IOU",
    "LARGEST_ZOOM", "CLEAR", "CLEAR_SCORE", "DOUBT", "WHOLE", "COARSE", "VANISHING",
    "FINEST", "SHARED", "SIZELESS", "SMALL",
)  # fmt: skip
FOLLOWING = ("LEAST_CONFIDENCE", "DROP", "GROWTH", "TRUST", "LOOK_EVERY", "UNREST", "DRIFT")
LOOKS = ("TURNED", "UNSURE", "LEAST_TURNED", "FRAMED", "SEEN", "SURER")
MEASURES = ("HONEST_YAW", "HONEST_PITCH", "SYMMETRIC_YAW", "DOUBT", "LOOKED_AT")


def settings(card: ModelCard, detector: ModelCard) -> dict[str, Any]:
    """The object that the script calls ``S``."""
    scheme = card.landmark_scheme
    options = FaceOptions(pose=True, measures=True)
    inner = measures.INNER.get(scheme.name)
    return {
        "model": {
            "input_size": card.input_size,
            "crop_scale": card.crop_scale,
            "colour": card.colour,
            "face_box": card.face_box,
            "calibration": dict(card.calibration),
        },
        "scheme": {
            **{k: asdict(scheme)[k] for k in ("edges", "five", "tight_box")},
            "ocular": scheme.normalisers.get("ocular"),
        },
        "columns": columns(scheme.n_points, optional(options, scheme)),
        "where": "whole" if card.face_box == "image" else "faces",
        "pose": scheme.name == IBUG68.name,
        "inner": None if inner is None else inner.tolist(),
        "flip51": list(IBUG51.flip_order),
        "detector": _detector(detector),
        "MIN_CONFIDENCE": options.min_confidence,
        "MOST_BOXES": MOST_BOXES,
        "NESTED": finder.NESTED,
        "NEARLY": NEARLY,
        "MEMORY": identity.MEMORY,
        "REFERENCE_FIVE": REFERENCE_FIVE.tolist(),
        "MEAN_FACE": head_pose.MEAN_FACE.tolist(),
        "RIGID": list(head_pose.RIGID),
        **stickers.CONSTANTS,
        **{name: getattr(predictor, name) for name in ("NEAR", "NEAR_EYES", "NEAREST")},
        **{
            n: getattr(upright, n)
            for n in ("TURNED", "UNSURE", "LEAST_TURNED", "FRAMED", "SEEN", "SURER")
        },
        **{name: getattr(propagation, name) for name in FOLLOWING},
        **{name: getattr(measures, name) for name in MEASURES},
    }


def _detector(card: ModelCard) -> dict[str, Any]:
    return {
        "strides": list(card.strides),
        "slope": card.calibration.get("score_slope", 1.0),
        "offset": card.calibration.get("score_offset", 0.0),
        "sizeSlope": card.calibration.get("score_size", 0.0),
        "output": "landmark_box" if card.face_box == "landmarks" else "box",
        "SIZE": DETECT_SIZE,
        "LANDMARK_IN_WIDER": LANDMARK_IN_WIDER.tolist(),
        **{name: getattr(builtin, name) for name in DETECTOR},
    }
