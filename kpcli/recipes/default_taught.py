"""The default model (68 points): fourth phase, taught by the large model too.

After the recipes ``default_late`` and ``large_start``; ``DATA`` is the folder of the datasets. The
large model labels WIDER FACE's train pictures, but for those that a val or test face of WFLW was
cut from; faces that it is sure of join the labelled ones::

    python tests/benchmarks/unlabelled_pictures.py DATA/widerface faces.csv taught
    kpcli annotate folder taught/images --model runs/large_start/model --no-overlays --format coco \
        --min-confidence 0.8 --out taught_out
    cp taught_out/annotations/person_keypoints_default.json taught/
    kpcli prepare taught --scheme ibug68 --out taught.csv
    (cat faces.csv; tail -n +2 taught.csv) > both.csv
    kpcli train both.csv --recipe default_taught --init runs/default_late/model \
        --negatives wider.csv --out runs/default_taught
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn",
    "epochs": 40,
    "learning_rate": 1.2e-3,
    "warmup_epochs": 1.0,
    "ema": 0.9985,
    "precision": "mixed_bfloat16",
    "seed": 6,
    "negative_share": 0.12,
    "augment": AugmentOptions(strength=0.8),
}
