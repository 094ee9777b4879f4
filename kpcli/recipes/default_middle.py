"""Second phase of the embedded default model (68 points): milder augmentation.

After the recipe ``default_start``::

    kpcli train faces.csv --recipe default_middle --init runs/default_start/model \
        --negatives wider.csv --out runs/default_middle

Then goes on with the recipe ``default``.
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
