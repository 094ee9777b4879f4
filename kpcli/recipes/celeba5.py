"""CelebA's 5 points, from the default model (as shipped: that of recipe ``default_taught``).

The commands::

    kpcli prepare DATA/celeba --out celeba.csv
    kpcli prepare DATA/widerface --out wider.csv
    kpcli train celeba.csv --recipe celeba5 --negatives wider.csv --out runs/celeba5
"""

from __future__ import annotations

from typing import Any

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn",
    "init": "default",
    "precision": "mixed_bfloat16",
    "epochs": 20,
    "learning_rate": 8e-4,
    "negative_share": 0.25,
    "seed": 0,
}
