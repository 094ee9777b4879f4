"""The embedded face detector.

``DATA`` is the folder of the datasets; afw and helen/testset stay out, they measure it::

    kpcli prepare DATA/widerface --out wider.csv
    kpcli prepare DATA/300w/helen/trainset DATA/300w/lfpw DATA/wflw --scheme ibug68 --val 0.1 \
        --seed 0 --out faces.csv
    kpcli train wider.csv --recipe face_detector --faces faces.csv --out runs/face_detector
    kpcli train wider.csv --recipe face_detector --init runs/face_detector/model --seed 3 \
        --faces faces.csv --epochs 28 --out runs/second
    kpcli train wider.csv --recipe face_detector --init runs/second/model --seed 3 \
        --faces faces.csv --epochs 32 --precision mixed_bfloat16 --out runs/third
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "face_detector",
    "epochs": 18,
    "batch_size": 8,
    "learning_rate": 1.5e-3,
    "weight_decay": 1e-2,
    "warmup_epochs": 1.0,
    "ema": 0.998,
    "clip_norm": 10.0,
    "val": 0.06,
    # Whole pictures need milder changes of a face than landmark crops.
    "augment": AugmentOptions(rotation=30, occlude=0.2, shrink=0.15, blur=0.1),
}
