"""CelebA's 5 points, from the embedded default model.

The commands::

    kpcli prepare DATA/celeba --out celeba.csv
    kpcli train celeba.csv --recipe celeba5 --out runs/celeba5
"""

from __future__ import annotations

from typing import Any

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn",
    "init": "default",
    "epochs": 20,
    "learning_rate": 8e-4,
    "seed": 0,
}
