"""kpcli: facial landmarks on the command line and in Python.

>>> import kpcli
>>> faces = kpcli.find_faces("portrait.jpg")
>>> faces[0].points  # (68, 2), pixels
>>> for frame in kpcli.FaceFinder(model="large").video("clip.mp4"):
...     print(frame.seconds, [face.track for face in frame.faces])
>>> report = kpcli.annotate("videos", out="annotated", smooth="one-euro")
>>> print(report.summary())
>>> table = kpcli.read_landmarks("annotated")

Importing this loads nothing heavy: a name loads what it needs when it is first asked for.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from kpcli.version import __version__

if TYPE_CHECKING:
    from kpcli.errors import InputError, KpcliError, ModelError, UsageError
    from kpcli.inference.finder import FaceFinder, find_faces
    from kpcli.library import (
        annotate,
        anonymise,
        average,
        evaluate,
        export,
        live,
        merge,
        prepare,
        read_landmarks,
        report,
        review,
        suggest,
        train,
    )
    from kpcli.options import (
        AnnotateOptions,
        AnonymiseOptions,
        AugmentOptions,
        AverageOptions,
        DetectionOptions,
        EvalOptions,
        ExportOptions,
        FaceOptions,
        FrameSelection,
        LiveOptions,
        MergeOptions,
        PrepareOptions,
        ReportOptions,
        ReviewOptions,
        SuggestOptions,
        TrainOptions,
    )
    from kpcli.types import Face, FaceBox, FrameFaces, HeadPose

# ONNX Runtime 1.29 and later else write a device id below the home folder, and report home. It
# reads this when it is imported, in workers and on Ray's nodes too: all of them import kpcli first.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_HOMES = {
    "kpcli.errors": ("InputError", "KpcliError", "ModelError", "UsageError"),
    "kpcli.inference.finder": ("FaceFinder", "find_faces"),
    "kpcli.library": (
        "annotate",
        "anonymise",
        "average",
        "evaluate",
        "export",
        "live",
        "merge",
        "prepare",
        "read_landmarks",
        "report",
        "review",
        "suggest",
        "train",
    ),
    "kpcli.options": (
        "AnnotateOptions",
        "AnonymiseOptions",
        "AugmentOptions",
        "AverageOptions",
        "DetectionOptions",
        "EvalOptions",
        "ExportOptions",
        "FaceOptions",
        "FrameSelection",
        "LiveOptions",
        "MergeOptions",
        "PrepareOptions",
        "ReportOptions",
        "ReviewOptions",
        "SuggestOptions",
        "TrainOptions",
    ),
    "kpcli.types": ("Face", "FaceBox", "FrameFaces", "HeadPose"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022  # by what they are, as README tells them
    "find_faces",
    "FaceFinder",
    "annotate",
    "anonymise",
    "average",
    "live",
    "merge",
    "report",
    "read_landmarks",
    "suggest",
    "review",
    "prepare",
    "train",
    "evaluate",
    "export",
    "Face",
    "FaceBox",
    "FrameFaces",
    "HeadPose",
    "FaceOptions",
    "AnnotateOptions",
    "AnonymiseOptions",
    "AverageOptions",
    "FrameSelection",
    "LiveOptions",
    "MergeOptions",
    "ReportOptions",
    "SuggestOptions",
    "ReviewOptions",
    "PrepareOptions",
    "TrainOptions",
    "AugmentOptions",
    "DetectionOptions",
    "EvalOptions",
    "ExportOptions",
    "KpcliError",
    "UsageError",
    "InputError",
    "ModelError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'kpcli' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
