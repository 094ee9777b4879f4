"""The large model (68 points), first phase: grown from ``default_late``, see `heatmap_fpn_large`.

``DATA`` is the folder of the datasets::

    kpcli prepare DATA/300w DATA/wflw --scheme ibug68 --val 0.1 --seed 0 --out faces.csv
    kpcli prepare DATA/widerface --out wider.csv
    kpcli train faces.csv --recipe large_start --init runs/default_late/model \
        --negatives wider.csv --out runs/large_start
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn_large",
    "epochs": 64,
    "learning_rate": 1.2e-3,
    "warmup_epochs": 1.0,
    "ema": 0.9985,
    "precision": "mixed_bfloat16",
    "seed": 5,
    "augment": AugmentOptions(strength=0.8),
}
