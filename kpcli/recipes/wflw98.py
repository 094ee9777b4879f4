"""WFLW's 98 points, from the default model (as shipped: that of recipe ``default_taught``).

The commands::

    kpcli prepare DATA/wflw --val 0.1 --seed 0 --out wflw.csv
    kpcli prepare DATA/widerface --out wider.csv
    kpcli train wflw.csv --recipe wflw98 --negatives wider.csv --out runs/wflw98
"""

from __future__ import annotations

from typing import Any

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn",
    "init": "default",
    "precision": "mixed_bfloat16",
    "epochs": 120,
    "learning_rate": 8e-4,
    "negative_share": 0.25,
    "seed": 0,
}
