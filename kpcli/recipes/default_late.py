"""The default model (68 points): third phase.

After the recipe ``default_middle``::

    kpcli train faces.csv --recipe default_late --init runs/default_middle/model \
        --negatives wider.csv --out runs/default_late
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn",
    "epochs": 104,
    "learning_rate": 1.2e-3,
    "warmup_epochs": 1.0,
    "ema": 0.9985,
    "precision": "mixed_bfloat16",
    "seed": 2,
    "augment": AugmentOptions(strength=0.8),
}
