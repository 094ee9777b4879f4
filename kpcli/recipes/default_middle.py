"""The embedded default model (68 points): second phase, milder augmentation.

After the recipe ``default_start``::

    kpcli train faces.csv --recipe default --init runs/default_start/model \
        --negatives wider.csv --out runs/default
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn",
    "epochs": 70,
    "learning_rate": 1.2e-3,
    "warmup_epochs": 1.0,
    "ema": 0.9985,
    "seed": 1,
    "augment": AugmentOptions(strength=0.8),
}
