"""The embedded face detector.

``DATA`` is the folder of the datasets, ``WIDER`` one with WIDER FACE's train pictures at full size;
afw and helen/testset, widerface's val and eight kinds of scene stay out, they measure it::

    kpcli prepare WIDER --out wider.csv
    kpcli prepare DATA/widerface_more --out more.csv
    python tests/benchmarks/detector_boxes.py wider.csv more.csv --out boxes.csv
    kpcli prepare DATA/300w/helen/trainset DATA/300w/lfpw DATA/wflw DATA/partial68 \
        --scheme ibug68 --val 0.1 --seed 0 --out faces.csv
    kpcli train boxes.csv --recipe face_detector --init BUNDLE --seed 7 --faces faces.csv \
        --out runs/face_detector

The shipped weights are from 7 minutes of an H200 instead, with this loss, on 3,272 of these
pictures at 640 px; besides, the landmark model's points in faces of WIDER FACE taught the landmark
box. tests/benchmarks/gpu_detector.py has the commands and the options, the bundle's card the
counts. On a processor this recipe goes on from them (``BUNDLE``); without ``--init``, ten times
the epochs are worth their time.
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions, DetectionOptions

OPTIONS: dict[str, Any] = {
    "arch": "face_detector",
    "epochs": 14,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "warmup_epochs": 0.15,
    "ema": 0.996,
    "clip_norm": 10.0,
    "val": 0.012,
    "cache_mb": 4800,
    "detection": DetectionOptions(landmark_share=0.1),
    # Whole pictures need milder changes of a face than landmark crops.
    "augment": AugmentOptions(rotation=20, occlude=0.2, shrink=0.15, blur=0.1),
}
