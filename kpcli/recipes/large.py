"""The large architecture (68 points): from random weights, in bfloat16. Not embedded so far.

After 88 epochs (3.9 % on val, label boxes) it was no better than the default model, whose three
phases have 224; it has not been trained further yet.

``DATA`` is the folder of the datasets::

    kpcli prepare DATA/300w DATA/wflw --scheme ibug68 --val 0.1 --seed 0 --out faces.csv
    kpcli prepare DATA/widerface --out wider.csv
    kpcli train faces.csv --recipe large --negatives wider.csv --out runs/large
"""

from __future__ import annotations

from typing import Any

from kpcli.options import AugmentOptions

OPTIONS: dict[str, Any] = {
    "arch": "heatmap_fpn_large",
    "epochs": 120,
    "precision": "mixed_bfloat16",
    "ema": 0.9985,
    "seed": 0,
    "augment": AugmentOptions(strength=0.9),
}
